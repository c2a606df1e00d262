"""Checks whether clients and models agree: signatures, calls, changes. A result is a ``Finding`` of a ``Rule``."""
