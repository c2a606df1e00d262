"""Shows who calls whom: models, workflows and clients, as a graph in several formats."""
