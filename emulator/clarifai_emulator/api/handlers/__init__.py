"""What each RPC does, one module per resource family."""
