"""Fuzzes what reads bytes of strangers, guided by the lines that they reach: python -m fuzz (``make fuzz``)."""
