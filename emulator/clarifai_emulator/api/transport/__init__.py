"""Speaks HTTP/2, gRPC and HTTP/1.1 on the emulator's ports."""
