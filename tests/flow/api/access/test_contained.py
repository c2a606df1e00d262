"""Tests that every RPC of a whole emulator that changes something is closed to code in containers."""

from __future__ import annotations

from clarifai_emulator.api.access.contained import changes
from clarifai_emulator.emulator import Emulator


def test_every_rpc_of_the_emulator_that_begins_with_a_verb_of_change_changes_but_those_that_ask() -> None:
    verbs = ("Post", "Patch", "Put", "Delete")
    asks = {rpc for rpc in Emulator().rpcs if rpc.startswith(verbs) and not changes(rpc)}
    assert asks == {"PostModelOutputs", "PostWorkflowResults", "PostAppsSearches", "PostModelsSearches"}
