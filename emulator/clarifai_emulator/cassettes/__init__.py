"""A tape: recorded calls as a file, and which of them a request is."""

from clarifai_emulator.cassettes.cassette_file import Recorded, RecordedModel, Tape, is_of_another_tool, read_tape

__all__ = ["Recorded", "RecordedModel", "Tape", "is_of_another_tool", "read_tape"]
