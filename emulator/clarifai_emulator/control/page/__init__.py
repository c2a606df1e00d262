"""Serves the page on which people look at a running emulator in a browser: ``emulator/page`` has its sources."""
