"""Holds the probes, a module for each area of the fidelity table."""
