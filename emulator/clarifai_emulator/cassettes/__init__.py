"""Keeps recorded calls as a file, and finds which of them a request is."""

from clarifai_emulator.cassettes.cassette_file import (
    Cassette,
    RecordedCall,
    RecordedModel,
    is_of_another_tool,
    read_cassette,
)

__all__ = ["Cassette", "RecordedCall", "RecordedModel", "is_of_another_tool", "read_cassette"]
