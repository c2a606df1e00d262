"""Finds where a Python file makes a library on OpenAI's API use a model: ``ChatOpenAI(model=…, base_url=…)``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from clarifai_emulator.contracts.endpoints.client_code import ClientCode
from clarifai_emulator.contracts.endpoints.client_makers import makers_of
from clarifai_emulator.contracts.endpoints.openai_frameworks import PROVIDERS, Framework, framework_of
from clarifai_emulator.contracts.endpoints.openai_request import OpenAiRequest
from clarifai_emulator.contracts.endpoints.openai_surface import CLIENTS, PARAMETERS
from clarifai_emulator.contracts.endpoints.written_python import arguments, shown_source
from clarifai_emulator.contracts.endpoints.written_value import GivenValues, WrittenValue
from clarifai_emulator.messages.openai_paths import CHAT, COMPLETIONS, RESPONSES

_BASES = ("base_url", "api_base", "openai_client", "client")
_NESTED = ("client_args", "client_kwargs", "litellm_params", "additional_kwargs", "model_kwargs")


class FrameworkCalls:
    """Finds them in one file. ``claimed``: the calls that were understood."""

    def __init__(self, code: ClientCode) -> None:
        self._code = code
        self.claimed: set[ast.AST] = set()

    def requests(self) -> Iterator[OpenAiRequest]:
        """Yield every model that such a library is given, whoever serves it."""
        for call in self._code.source.calls:
            name = self._code.name_of(call.func)
            framework = framework_of(name) if name else None
            if framework is not None:
                self.claimed.add(call)
                yield self._request(call, framework)
            elif name == "litellm.Router":
                self.claimed.add(call)
                yield from self._router(call)

    def _request(self, call: ast.Call, framework: Framework) -> OpenAiRequest:
        given = arguments(self._code, call, framework.positions)
        shown = f"{ast.unparse(call.func).rpartition('.')[2]}()"
        known = PARAMETERS.get(framework.endpoint, frozenset())
        body = {key: value for key, value in given.values.items() if key in known}
        return OpenAiRequest(
            self._code.source.location(call.func),
            shown,
            _endpoint(shown, framework, given),
            self._base(call, framework, given.values),
            given.first(*framework.models),
            GivenValues(body if framework.sends_arguments else {}, given.is_whole),
            is_litellm=framework.is_litellm,
            hint=f"{ast.unparse(call)}",
        )

    def _base(self, call: ast.Call, framework: Framework, given: Mapping[str, WrittenValue]) -> WrittenValue | None:
        base = next((given[name] for name in framework.bases if name in given), None)
        if base is not None and base.texts:
            return base
        for name in _NESTED:
            inner = given[name].items if name in given else None
            found = next((inner[each] for each in _BASES if each in inner), None) if inner else None
            if found is not None:
                return found
        # An object of OpenAI's, or one that holds it: OpenAIProvider(base_url=…), openai_client=AsyncOpenAI(…).
        for node in (*call.args, *(each.value for each in call.keywords)):
            for maker in makers_of(self._code, node, CLIENTS | PROVIDERS).found:
                self.claimed.add(maker.call)
                held = maker.given_values().first("base_url", "api_base")
                if held is not None:
                    return held
                inner_call = self._inside(maker.code, maker.call)
                if inner_call is not None:
                    return inner_call
        return base

    def _inside(self, code: ClientCode, call: ast.Call) -> WrittenValue | None:
        for node in (*call.args, *(each.value for each in call.keywords)):
            for maker in makers_of(code, node, CLIENTS).found:
                return maker.given_values().first("base_url")
        return None

    def _router(self, call: ast.Call) -> Iterator[OpenAiRequest]:
        models = arguments(self._code, call, ("model_list",)).first("model_list")
        for each in (models.elements or ()) if models is not None else ():
            parameters = each.at("litellm_params")
            model = parameters.at("model") if parameters is not None else None
            if parameters is None or model is None:
                continue
            base = parameters.at("api_base") or parameters.at("base_url")
            hint = shown_source(call)
            yield OpenAiRequest(model.location, "Router()", CHAT, base, model, is_litellm=True, hint=hint)


def _endpoint(shown: str, framework: Framework, given: GivenValues) -> str:
    """Return what is asked where an argument decides it."""
    values = given.values
    if shown == "OpenAILike()" and "model" in framework.models and "is_chat_model" not in values:
        return COMPLETIONS if given.is_whole and "api_base" in values else framework.endpoint
    if "is_chat_model" in values and values["is_chat_model"].value is False:
        return COMPLETIONS
    if "use_responses_api" in values and values["use_responses_api"].value is True:
        return RESPONSES
    return framework.endpoint
