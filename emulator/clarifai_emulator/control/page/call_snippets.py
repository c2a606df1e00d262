"""Writes a kept call for whoever wants to make it elsewhere: in Python, on the command line, with curl, as a test.

    KeptCallView ─► secrets out ─► CallSnippets ─► [{"name", "text", "files": beside it, "notes" | "why_not"}]

No token is in them: they take it from the environment.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from clarifai_grpc.grpc.api.resources_pb2 import RunnerMethodType

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.control.page.call_literals import CallLiterals, CannotWrite, SnippetFiles
from clarifai_emulator.control.page.call_scrubbing import scrubbed
from clarifai_emulator.control.page.call_views import INPUT, KeptCallView, cannot_repeat, value_address
from clarifai_emulator.control.page.command_words import CommandWords
from clarifai_emulator.control.page.expected_answers import expected_answer
from clarifai_emulator.control.page.python_programs import call_lines, imports
from clarifai_emulator.messages.address import ModelAddress
from clarifai_emulator.messages.json import as_dict

_LONGEST_BODY = 8_000
_STREAM = RunnerMethodType.STREAMING_STREAMING
_UNARY = RunnerMethodType.UNARY_UNARY
_NO_SIGNATURE = "The emulator does not know the method's signature. Copy it as curl."
HIDDEN_NOTE = "What looks like a secret is not written here: put it in the place of <hidden>."


class CallSnippets:
    """Writes one call. ``url``: of the emulator; ``own_user``: whom its command line asks as."""

    def __init__(self, view: KeptCallView, url: str, own_user: str) -> None:
        self._view = view
        self._url = url
        self._own_user = own_user
        if reason := cannot_repeat(view.kept):
            raise CannotWrite(reason)
        pairs = [scrubbed(each, view.secrets) for each in view.kept.requests()]
        self._requests = [request for request, _ in pairs]
        self._has_secrets = any(was_changed for _, was_changed in pairs)

    @property
    def _first(self) -> Any:
        return self._requests[0]

    def all(self) -> list[dict[str, Any]]:
        """Return the call in every form; with ``why_not`` where it cannot be written in one."""
        forms = (
            ("Python", self._python),
            ("Command line", self._command),
            ("curl", self._curl),
            ("pytest", self._test),
        )
        return [self._form(name, write) for name, write in forms]

    def body(self) -> bytes:
        """Return what curl sends."""
        content = as_dict(self._first)
        for name in ("user_app_id", "model_id", "version_id"):
            content.pop(name, None)
        return json.dumps(content, ensure_ascii=False).encode()

    def _form(self, name: str, write: Callable[[SnippetFiles], str]) -> dict[str, Any]:
        files = SnippetFiles()
        try:
            text = write(files)
        except CannotWrite as error:
            return {"name": name, "text": "", "why_not": str(error), "files": [], "notes": []}
        notes = [HIDDEN_NOTE] if self._has_secrets else []
        asker = self._view.kept.caller.user_id
        if name != "pytest" and asker != self._own_user:
            notes.append(f"The request came from user '{asker}': CLARIFAI_PAT is a token of theirs.")
        return {"name": name, "text": text, "why_not": "", "files": files.as_list(), "notes": notes}

    # ── forms ───────────────────────────────────────────────────────────────────────────────────────────

    def _python(self, files: SnippetFiles) -> str:
        call, names = self._call("model", files)
        target = [f"url={self._address.url!r}", 'pat=os.environ["CLARIFAI_PAT"]', f"base_url={self._url!r}"]
        target += [f"{name}={value!r}" for name, value in self._selected().items()]
        lines = [
            *imports({*names, "os"}, "from clarifai.client import Model"),
            "",
            "model = Model(",
            *(f"    {each}," for each in target),
            ")",
        ]
        if self._signature.method_type == _UNARY:
            return "\n".join([*lines, f"print({call})", ""])
        return "\n".join([*lines, f"for chunk in {call}:", "    print(chunk)", ""])

    def _command(self, files: SnippetFiles) -> str:
        signature = self._signature
        if any(len(each.inputs) != 1 for each in self._requests):
            raise CannotWrite("The command line sends one input in a request, and this one has several.")
        words = ["clarifai-emulator", "predict", self._address.name]
        words += [signature.name] if signature.name != "predict" else []
        for index, request in enumerate(self._requests):
            writer = CommandWords(files, self._address_of(index, 0))
            words += writer.arguments(request.inputs[0].data, signature.input_fields)
        selected = self._selected()
        if selected.get("deployment_user_id", self._view.kept.caller.user_id) != self._view.kept.caller.user_id:
            raise CannotWrite("It went to a deployment of another user, which the command line cannot name.")
        options = {"--deployment": "deployment_id", "--cluster": "compute_cluster_id", "--nodepool": "nodepool_id"}
        for option, name in options.items():
            words += [option, selected[name]] if name in selected else []
        return f"{shlex.join([*words, '--port', self._url.rpartition(':')[2]])}\n"

    def _curl(self, files: SnippetFiles) -> str:
        name = self._view.kept.rpc.name
        if name == "StreamModelOutputs":
            raise CannotWrite("curl cannot send a stream of inputs. Copy it as Python.")
        user, app, model = map(partial(quote, safe=""), self._address.key)
        version = f"/versions/{quote(self._address.version_id, safe='')}" if self._address.version_id else ""
        ending = "/generate" if name == "GenerateModelOutputs" else ""
        address = f"{self._url}/v2/users/{user}/apps/{app}/models/{model}{version}/outputs{ending}"
        body = self.body()
        if len(body) <= _LONGEST_BODY:
            given = f"--data-raw {shlex.quote(body.decode())}"
        else:
            file = files.add("request", "json", f"call_body?id={quote(self._view.kept.request_id, safe='')}")
            given = f"--data-binary @{file}"
        return (
            f"curl --silent --show-error {shlex.quote(address)} \\\n"
            '  --header "Authorization: Key $CLARIFAI_PAT" \\\n'
            "  --header 'Content-Type: application/json' \\\n"
            f"  {given}\n"
        )

    def _test(self, files: SnippetFiles) -> str:
        source = self._view.source
        if source is None:
            raise CannotWrite("A test deploys a directory, and the emulator has none of this model.")
        signature = self._signature
        handle = _identifier(self._address.model_id)
        call, names = self._call(f"{handle}.model", files)
        lines, more = expected_answer(self._view, call, files)
        return "\n".join(
            [
                *imports({*names, *more}),
                "",
                "",
                f"def test_{handle}_{_identifier(signature.name)}(clarifai):",
                f"    {handle} = clarifai.deploy({str(source.path)!r})",
                *(f"    {each}" for each in lines),
                "",
            ]
        ).lstrip("\n")

    # ── what they are made of ───────────────────────────────────────────────────────────────────────────

    @property
    def _signature(self) -> Any:
        signature = self._view.signature
        if signature is None:
            raise CannotWrite(_NO_SIGNATURE)
        return signature

    @property
    def _address(self) -> ModelAddress:
        user, app, model = self._view.model
        asked = self._first.version_id or self._first.model.model_version.id
        if not (user and app and model):
            raise CannotWrite("The request names no model, and was not routed to one.")
        return ModelAddress(user, app, model, asked)

    def _selected(self) -> dict[str, str]:
        """Return what the request asked to go to, as the SDK's ``Model`` takes it."""
        selector = self._first.runner_selector
        cluster = selector.nodepool.compute_cluster
        found = {
            "deployment_id": selector.deployment.id,
            "compute_cluster_id": cluster.id,
            "nodepool_id": selector.nodepool.id,
        }
        found = {name: value for name, value in found.items() if value}
        if found:  # without it, the SDK asks the real platform whose they are
            user = selector.deployment.user_id or cluster.user_id
            found["deployment_user_id"] = Caller(self._view.kept.caller.user_id).resolve(user)
        return found

    def _address_of(self, message: int, item: int) -> Callable[[str], str]:
        return partial(value_address, self._view.kept.request_id, INPUT, message, item)

    def _call(self, model: str, files: SnippetFiles) -> tuple[str, set[str]]:
        """Return the call, and the names that it uses."""
        signature, names = self._signature, set[str]()
        given = list[dict[str, str]]()
        for message, request in enumerate(self._requests):
            for item, each in enumerate(request.inputs):
                writer = CallLiterals(files, self._address_of(message, item))
                given.append(writer.arguments(each.data, signature.input_fields))
                names |= writer.names
        return call_lines(f"{model}.{signature.name}", _streamed(signature, given)), names


def _streamed(signature: Any, given: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Return the arguments of a call: of a stream, its items together, with the others of the first message."""
    if signature.method_type != _STREAM:
        return list(given)
    stream = next((each.name for each in signature.input_fields if each.iterator), "")
    items = [each[stream] for each in given if stream in each]
    others = {name: value for name, value in given[0].items() if name != stream} if given else {}
    return [{**others, stream: f"iter([{', '.join(items)}])"}]


def _identifier(name: str) -> str:
    plain = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_").lower()
    return plain if plain and not plain[0].isdigit() else f"model_{plain}"
