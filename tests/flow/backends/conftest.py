"""Keeps the model environments of these tests in a folder of their own."""

from flow.own_cache import own_cache as own_cache
