"""Follows models through client files: which values a name, an attribute or an element of a container may hold."""
