"""Holds values and requests against method signatures."""
