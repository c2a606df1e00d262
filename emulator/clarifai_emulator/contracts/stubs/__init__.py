"""Writes type stubs for clients of a model."""
