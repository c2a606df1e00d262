"""A tape: recorded calls as a file, and which of them a request is."""

from clarifai_emulator.tapes.tape import Recorded, RecordedModel, Tape, read_tape

__all__ = ["Recorded", "RecordedModel", "Tape", "read_tape"]
