"""Pytest fixtures for the local Clarifai platform emulator."""
