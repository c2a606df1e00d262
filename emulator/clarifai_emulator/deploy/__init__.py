"""Brings models to life: from a directory, an upload or a topology file to a deployment."""
