"""Reads a model's method signatures, by import or from its source."""
