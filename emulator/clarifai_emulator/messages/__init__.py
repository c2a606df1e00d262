"""Converts the platform's messages to and from JSON, YAML, Python values and text."""
