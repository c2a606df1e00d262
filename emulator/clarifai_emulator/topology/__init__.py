"""Reads topology files, and finds what edits of them change."""
