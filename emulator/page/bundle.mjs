// Bundles the page into the folder that is named, with nothing left to fetch from elsewhere.
import { cp, mkdir } from "node:fs/promises";
import { build } from "esbuild";

const target = process.argv[2];
await mkdir(target, { recursive: true });
await build({
  entryPoints: { app: "src/main.tsx" },
  outdir: target,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "inline",
  logLevel: "warning",
});
await cp("pages", target, { recursive: true });
for (const name of ["preact", "uplot"]) await cp(`node_modules/${name}/LICENSE`, `${target}/${name}-LICENSE.txt`);
