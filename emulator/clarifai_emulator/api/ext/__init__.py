"""Serves the platform's endpoints in other protocols: each maps a request to a method of a model."""
