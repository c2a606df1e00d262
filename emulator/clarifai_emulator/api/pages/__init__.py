"""What a browser and a health check find at the emulator's address: a start page, the API to read, its health."""
