"""Reads model directories, and builds the Python environments that their code runs in."""
