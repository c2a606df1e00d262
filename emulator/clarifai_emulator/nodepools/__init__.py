"""Nodepools: which replicas should run, and keeping them alive."""
