"""Handles each RPC, in one module per resource family."""
