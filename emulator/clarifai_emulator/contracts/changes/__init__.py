"""Compares signatures with those of another time or place."""
