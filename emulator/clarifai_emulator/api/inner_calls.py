"""Finds the place of requests that models make while they answer others; a step of the request chain.

x-clarifai-emulator-parent: the item ─┐
the credential of the replica ────────┴─► call.place ─► trace_id, parent_id, depth in events
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clarifai_emulator.api.call import ApiCall, Step

if TYPE_CHECKING:
    from clarifai_emulator.dispatch.call_tree import CallTree

# Named by ``inside/call_chain_main.py``.
PARENT = "x-clarifai-emulator-parent"


class InnerCalls(Step):
    """Places the requests of replicas. ``tree`` makes, when it is first asked, what knows them."""

    def __init__(self, tree: Callable[[], CallTree]) -> None:
        self._tree = tree

    def enter(self, call: ApiCall) -> None:
        caller = call.caller
        if caller.replica_id:
            call.place = self._tree().place(caller.replica_id, call.metadata.get(PARENT, ""))
        elif PARENT in call.metadata:  # of a model in this very process, or of somebody who would like to be one
            call.place = self._tree().place_here(call.metadata[PARENT], caller.user_id)
        else:
            return
        if call.place is not None:
            call.notes.update(call.place.as_fields())
        elif caller.replica_id:
            call.notes["caller_replica"] = caller.replica_id
