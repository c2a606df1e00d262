"""Stand-ins for models that Clarifai hosts: local code, canned answers or recorded ones, under the model's name."""

from clarifai_emulator.stand_ins.directory import stand_in_directory
from clarifai_emulator.stand_ins.entry import Answer, StandIn, read_stand_in

__all__ = ["Answer", "StandIn", "read_stand_in", "stand_in_directory"]
