"""Makes stand-ins for models that Clarifai hosts: local code, canned answers or recorded ones, under their
names."""

from clarifai_emulator.topology.stand_ins.entry import StandIn, read_stand_in
from clarifai_emulator.topology.stand_ins.model_directory import stand_in_directory
from clarifai_emulator.topology.stand_ins.scripted_answers import Answer, AnsweredCall

__all__ = ["Answer", "AnsweredCall", "StandIn", "read_stand_in", "stand_in_directory"]
