"""Says what topology files say, and what edits of them change."""
