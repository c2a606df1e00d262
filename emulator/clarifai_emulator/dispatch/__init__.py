"""Brings a routed request to a runner that is free, and its outputs back."""
