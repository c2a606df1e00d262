"""Runs workflows: the graph of nodes, what goes from node to node, and the operators that need no model."""
