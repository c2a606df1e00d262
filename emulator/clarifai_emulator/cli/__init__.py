"""The command line: it parses, calls the emulator and prints; it decides nothing."""
