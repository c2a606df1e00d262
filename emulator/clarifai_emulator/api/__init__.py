"""Provides the platform's API: the RPC table, the request chain, and one handler module per resource family."""
