"""What containers need, whatever runs in them: an engine, an image, settings, and no leftovers."""
