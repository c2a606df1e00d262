"""The Clarifai platform on your own machine."""
