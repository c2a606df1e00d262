"""Answers a browser and a health check at the emulator's address: a start page, the API to read, its health."""
