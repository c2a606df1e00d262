"""Checks values and requests against method signatures."""
