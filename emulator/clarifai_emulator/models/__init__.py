"""What a model directory is, and the Python environment its code runs in."""
