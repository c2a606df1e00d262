// Lets modules import the styles that the bundler puts into app.css.
declare module "*.css";
