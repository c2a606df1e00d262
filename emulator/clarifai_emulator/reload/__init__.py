"""Runs the dev loop: sees that a file was saved, finds the cheapest reload that is right, and does it."""
