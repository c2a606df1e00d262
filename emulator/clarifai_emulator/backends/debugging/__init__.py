"""Lets developers stop at breakpoints in replicas."""
