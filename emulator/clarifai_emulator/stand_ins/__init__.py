"""Stand-ins for models that Clarifai hosts: local code, or canned answers, under the hosted model's name."""

from clarifai_emulator.stand_ins.canned import canned_model
from clarifai_emulator.stand_ins.entry import Answer, StandIn, read_stand_in

__all__ = ["Answer", "StandIn", "canned_model", "read_stand_in"]
