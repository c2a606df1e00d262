"""Tells of faults: which there are, what one would be, and what a form can offer; adds, removes and puts them back.

GET  fault-choices     statuses, gRPC statuses and RPCs to choose from
POST fault-preview     the rule of a fault in words, or what is wrong with each of its fields; changes nothing
POST faults            what the command line can do: add, remove, clear (fault_changes.py)
POST put-back-faults   undoes what removed some
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.fault_changes import change_faults, fault_of
from clarifai_emulator.control.page.page_topics import Asked, PageContext, PageTopic, Read, bad_request, not_there
from clarifai_emulator.errors import GRPC_CODES, describe
from clarifai_emulator.faults import ActiveFault, InvalidFault
from clarifai_emulator.faults.latency import FORMS
from clarifai_emulator.faults.selectors import INFERENCE, rpc_names

# Those that clients of models meet; they stand first among all that the platform has.
_COMMON = (
    *("MODEL_DEPLOYING", "MODEL_BUSY_PLEASE_RETRY", "MODEL_LOADING", "MODEL_DEPLOYMENT_FAILED"),
    *("RUNNER_PROCESSING_FAILED", "RPC_REQUEST_TIMEOUT", "CONN_THROTTLED", "CONN_INSUFFICIENT_SCOPES"),
    *("CONN_TOKEN_INVALID", "MODEL_DOES_NOT_EXIST", "INTERNAL_UNCATEGORIZED"),
)
_MOST_REMOVALS = 100
_GONE = "What was removed is no longer kept here, or was put back already. Add the fault again with the form."


class PageFaults(PageTopic):
    """Tells of the faults of all users, and changes them."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self._removals: OrderedDict[str, list[ActiveFault]] = OrderedDict()
        self._number = 0

    def reads(self) -> Mapping[str, Read]:
        return {"fault-choices": self._choices}

    def acts(self) -> Mapping[str, Read]:
        return {"fault-preview": self._preview, "faults": self._change, "put-back-faults": self._put_back}

    async def _choices(self, asked: Asked) -> dict[str, Any]:
        return {
            "statuses": _statuses(),
            "grpc": list(GRPC_CODES),
            "rpcs": [*sorted(INFERENCE), *(name for name in rpc_names() if name not in INFERENCE)],
            "latency": FORMS,
        }

    async def _preview(self, asked: Asked) -> dict[str, Any]:
        try:
            fault = fault_of(_given(asked, "fault", dict))
        except InvalidFault as error:
            return {"rule": "", "problems": [{"field": name, "text": text} for name, text in error.found]}
        return {"rule": str(fault), "problems": [], "warnings": await self.context.verbs.unknown_names(fault)}

    async def _change(self, asked: Asked) -> dict[str, Any]:
        """Answer as the command line is answered; ``removal`` is what ``put-back-faults`` takes."""
        request = {name: asked.given[name] for name in ("add", "remove", "clear") if name in asked.given}
        if "add" in request:
            _given(asked, "add", dict)
        elif "remove" in request and not all(isinstance(each, str) for each in _given(asked, "remove", list)):
            raise bad_request("'remove' is a list of ids.")
        before = {active.id: active for active in self.emulator.faults}
        told = await change_faults(self.context.verbs, request)
        removed = [before[each["id"]] for each in told["changed"]] if "add" not in request else []
        return {**told, "removal": self._remember(removed)}

    async def _put_back(self, asked: Asked) -> dict[str, Any]:
        name = asked.text("removal")
        if name not in self._removals:
            raise not_there(_GONE)
        self.emulator.faults.put_back(*self._removals[name])
        back = self._removals.pop(name)
        return {"changed": [active.as_dict() for active in back]}

    def _remember(self, removed: list[ActiveFault]) -> str:
        """Keep what was removed for a while; the name it is kept by, empty where nothing was."""
        if not removed:
            return ""
        self._number += 1
        name = f"{self.emulator.run_id}-{self._number}"  # a page that is open may be of an emulator before this one
        self._removals[name] = removed
        if len(self._removals) > _MOST_REMOVALS:
            self._removals.popitem(last=False)
        return name


def _given(asked: Asked, name: str, kind: type) -> Any:
    """Return a part of what was sent. Raises ``HttpProblem`` where it is of another kind."""
    value = asked.given.get(name)
    if not isinstance(value, kind):
        raise bad_request(f"'{name}' is {'an object with the fields of a fault' if kind is dict else 'a list'}.")
    return value


def _statuses() -> list[dict[str, Any]]:
    """Return every status that a fault can answer with, the common ones first."""
    names = [name for name, code in StatusCode.items() if code not in (StatusCode.ZERO, StatusCode.SUCCESS)]
    order = {name: place for place, name in enumerate(_COMMON)}
    names.sort(key=lambda name: order.get(name, len(order)))
    codes = dict(StatusCode.items())
    return [{"name": name, "code": codes[name], "text": describe(codes[name])} for name in names]
