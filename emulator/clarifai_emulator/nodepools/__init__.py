"""Decides which replicas should run in nodepools, and keeps them alive."""
