"""Describes a machine: processors, memory, accelerators."""
