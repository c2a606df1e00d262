"""Starts replicas, each backend in its own way, behind one protocol."""
