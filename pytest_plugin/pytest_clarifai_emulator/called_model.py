"""Defines what the handle of any model gives that a test can call: its address, its calls, routes and output."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from clarifai_emulator.control.call_records import Call, Route, routes_of
from clarifai_emulator.messages.address import ModelAddress, ModelKey, names_no_model, parse_address
from pytest_clarifai_emulator.called import WantedCall, require_called
from pytest_clarifai_emulator.routed import require_routed
from pytest_clarifai_emulator.serving import Serving


class CalledModel(ABC):
    """A model on the emulator."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving
        self._model: Any = None

    @property
    @abstractmethod
    def key(self) -> ModelKey:
        """Return the model's user, app and id."""

    @property
    def url(self) -> str:
        """Return the model's URL, as the SDK takes it."""
        return ModelAddress(*self.key).url

    @property
    def mcp_url(self) -> str:
        """Return the address of the model as an MCP server, for MCP clients."""
        user, app, model_id = self.key
        return f"{self._serving.thread.url}/v2/ext/mcp/v1/users/{user}/apps/{app}/models/{model_id}"

    @property
    def model(self) -> Any:
        """Return the real SDK's ``Model`` for it."""
        if self._model is None:
            from clarifai.client import Model

            self._model = Model(url=self.url)
        return self._model

    @property
    def calls(self) -> list[Call]:
        """Return the calls of this model in the test that runs, oldest first."""
        return [call for call in self._serving.test_calls() if call.model == "/".join(self.key)]

    @property
    def routes(self) -> list[Route]:
        """Return where each of the calls went, and why."""
        return list(routes_of(self.calls))

    @property
    def logs(self) -> list[str]:
        """Return the lines that the model printed, oldest first."""
        _, app, model = self.key
        return self._serving.log_lines("runner", app_id=app, model_id=model)

    def assert_routed(
        self, *, rule: str | None = None, deployment: str | None = None, nodepool: str | None = None
    ) -> None:
        """Fail unless this model was called, and every call went this way (see ``Clarifai.assert_routed``)."""
        __tracebackhide__ = True
        require_routed(self.calls, {"rule": rule, "deployment": deployment, "nodepool": nodepool})

    def assert_called(
        self,
        method: str = "",
        *,
        tool: str = "",
        times: int | None = None,
        arguments: Mapping[str, Any] | None = None,
        by: str | None = None,
        **named: Any,
    ) -> None:
        """Fail unless this model was called so (see ``Clarifai.assert_called``)."""
        __tracebackhide__ = True
        wanted = WantedCall("/".join(self.key), method, tool, {**(arguments or {}), **named}, by)
        require_called(self._serving.test_calls(), wanted, times)


def model_key(model: CalledModel | str) -> ModelKey:
    """Return user, app and id of a model, by its handle, URL or ``USER/APP/models/ID``. Raises ``ValueError``."""
    if isinstance(model, CalledModel):
        return model.key
    address = parse_address(model)
    if address is None:
        raise ValueError(f"{names_no_model(model)}: write USER/APP/models/ID, or the model's URL")
    return address.key
