"""Answers each RPC, in one module per family."""
