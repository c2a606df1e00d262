"""Replaces a model of a test's group: by functions of the test, or by another model directory.

clarifai.replace("ranker", {"predict": f}) ─► fits? ─► FunctionReplica ─► calls of ranker.predict, models' ones too
clarifai.replace("ranker", "fakes/ranker") ─► deployed under ranker's name, in its deployment
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from clarifai_grpc.grpc.api.resources_pb2 import MethodSignature

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.control.call_records import Call
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator
from clarifai_emulator.errors import ConfigError
from clarifai_emulator.messages.address import ModelAddress, ModelKey, parse_name
from clarifai_emulator.spelling import did_you_mean
from clarifai_emulator.store import Kind
from pytest_clarifai_emulator.deployed import DeployedModel

if TYPE_CHECKING:
    from clarifai_emulator.backends.function_replica import FunctionReplica
    from pytest_clarifai_emulator.serving import Serving

Function = Callable[..., Any]


class ReplacedModel:
    """A model that is replaced, until ``remove``, the end of a ``with`` block or of the test."""

    def __init__(self, serving: Serving, model: ModelKey, undo: Callable[[], object]) -> None:
        self.model = model
        self._serving = serving
        self._undo: Callable[[], object] | None = undo
        self._earlier = len(self._calls())

    def __enter__(self) -> ReplacedModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def __repr__(self) -> str:
        return f"<replacement of {ModelAddress(*self.model).name}>"

    @property
    def calls(self) -> list[Call]:
        """Return the calls of the model since it was replaced, by the test and by other models, oldest first."""
        return self._calls()[self._earlier :]

    def remove(self) -> None:
        """Let the model answer for itself again; nothing happens the second time."""
        undo, self._undo = self._undo, None
        if undo is not None:
            undo()

    def _calls(self) -> list[Call]:
        return [call for call in self._serving.test_calls() if call.model == "/".join(self.model)]


def replaced_by_functions(serving: Serving, model: ModelKey, given: Any) -> ReplacedModel:
    """Let functions of this process answer for methods of a model. Raises ``ConfigError`` for those that do not
    fit."""
    thread = serving.thread
    if not isinstance(thread, EmulatorThread):
        raise ConfigError(
            f"Functions cannot replace {model[2]} here:",
            ["with --clarifai-scope shared the emulator, which would call them, is in another process"],
            hint="Run the test with --clarifai-scope worker, or replace the model by a model directory.",
        )
    signatures = {each.name: each for each in thread.run(partial(_signatures, model))}
    functions = _functions(model[2], given, list(signatures))
    _require_fit(model[2], functions, signatures)
    replica = thread.run(partial(_made, model, functions))
    try:
        replica.serve(signatures, _defaults(signatures), thread.run(_runner_url))
    except BaseException:
        thread.run(lambda emulator: replica.end())
        raise
    thread.run(lambda emulator: emulator.substitutes.add(replica.substitute))

    def undo() -> None:
        thread.run(partial(_ended, replica))

    return ReplacedModel(serving, model, undo)


def replaced_by_directory(
    serving: Serving, model: ModelKey, real: DeployedModel | None, deploy: Callable[[], DeployedModel]
) -> ReplacedModel:
    """Let another model directory answer under a model's name. Raises ``ConfigError`` when clients and other models
    of the group could not call it as they call the model."""
    from clarifai_emulator.contracts.changes.compare import changes
    from clarifai_emulator.contracts.rules.rule import Severity
    from clarifai_emulator.contracts.signatures.method import Method

    before = [] if real is None else [Method(each) for each in real.deployed.signatures]
    stand_in = deploy()

    def undo() -> None:
        if real is not None:
            real.reload()
        else:
            stand_in.undeploy()

    now = [Method(each) for each in stand_in.deployed.signatures]
    broken = [each for each in changes(before, now) if each.severity is Severity.ERROR]
    if broken:
        undo()
        problems = [f"{each.rule}: {each.message}" for each in broken]
        raise ConfigError(f"{stand_in.path} cannot be called as {model[2]} is:", problems)
    return ReplacedModel(serving, model, undo)


def model_named(serving: Serving, user_id: str, name: str) -> ModelKey:
    """Return the model of the account that a test names. Raises ``ConfigError``."""
    known = [_key(each) for each in sorted(serving.models())]
    return named_among(known, user_id, name, "The test's account has no model")


def named_among(known: Sequence[ModelKey], user_id: str, name: str, missing: str) -> ModelKey:
    """Return the model that is named by its id, ``USER/APP/models/ID`` or its URL. Raises ``ConfigError``, which
    says ``missing``, what there is, and which is meant."""
    address = parse_name(name)
    wanted = (Caller(user_id).resolve(address.user_id), *address.key[1:]) if address else None
    keys = list(dict.fromkeys(known))
    found = [key for key in keys if key == wanted or (wanted is None and key[2] == name)]
    if len(found) == 1:
        return found[0]
    if found:
        raise ConfigError(f"Several models are called {name!r}; write one of:", _names(found, user_id))
    guess = did_you_mean(name, [key[2] for key in keys], lead=" ")
    there = f"it has {', '.join(_names(keys, user_id))}" if keys else "it has none: deploy the group first"
    raise ConfigError(f"{missing} {name!r}; {there}.{guess}", [])


def _names(keys: Sequence[ModelKey], user_id: str) -> list[str]:
    return [ModelAddress("me" if key[0] == user_id else key[0], *key[1:]).name for key in keys]


# ── the functions, and whether they fit ────────────────────────────────────────────────────────────────────


def _functions(model: str, given: Any, methods: list[str]) -> dict[str, Function]:
    """Return a function for each method that is replaced."""
    if isinstance(given, Mapping):
        return _named({str(name): each for name, each in given.items()}, model, methods)
    if inspect.isclass(given):
        given = given()
    own = {name: getattr(given, name, None) for name in methods}
    if not inspect.isroutine(given) and any(callable(each) for each in own.values()) and not _is_mock(given):
        return {name: each for name, each in own.items() if callable(each)}
    if not callable(given):
        raise ConfigError(
            f"It replaces no method of {model}:",
            [f"{given!r:.100} is no function, and has none of {', '.join(methods)}"],
            hint='Give a function, {"METHOD": function}, an object with methods of these names, or a directory.',
        )
    if len(methods) == 1:
        return {methods[0]: given}
    name = getattr(given, "__name__", type(given).__name__)
    if name not in methods:
        raise ConfigError(
            f"{model} has the methods {', '.join(methods)}, and the function is called {name!r}: say which it is.",
            [],
            hint=f'clarifai.replace("{model}", {{"{methods[0]}": …}})',
        )
    return {name: given}


def _named(given: dict[str, Any], model: str, methods: list[str]) -> dict[str, Function]:
    if not given:
        raise ConfigError(f"It replaces no method of {model}:", [f"there are {', '.join(methods)}"])
    for name, function in given.items():
        if name not in methods:
            guess = did_you_mean(name, methods, lead=" ")
            raise ConfigError(f"{model} has no method {name!r}.{guess} It has {', '.join(methods)}.", [])
        if not callable(function):
            raise ConfigError(f"{name} must be a function, got {function!r:.100}.", [])
    return given


def _is_mock(given: Any) -> bool:
    """Tell whether this is a mock, which has every method that it is asked for."""
    from unittest.mock import NonCallableMock

    return isinstance(given, NonCallableMock)


def _require_fit(model: str, functions: Mapping[str, Function], signatures: Mapping[str, MethodSignature]) -> None:
    problems = [text for name, each in functions.items() for text in _misfits(each, signatures[name])]
    if problems:
        raise ConfigError(
            f"The function does not fit {model}:",
            problems,
            hint="It is called as the method is, with the arguments by name and the defaults filled in.",
        )


def _defaults(signatures: Mapping[str, MethodSignature]) -> dict[str, dict[str, Any]]:
    """Return what the arguments of each method are that a client leaves out."""
    from clarifai_emulator.contracts.signatures.shapes import UNSET, method_shape

    shapes = {name: method_shape(each).inputs.values() for name, each in signatures.items()}
    return {
        name: {each.name: each.default for each in found if each.default is not UNSET}
        for name, found in shapes.items()
    }


def _misfits(function: Function, signature: MethodSignature) -> list[str]:
    from clarifai_emulator.contracts.changes.compare import changes
    from clarifai_emulator.contracts.rules.rule import Severity
    from clarifai_emulator.contracts.signatures.method import Method
    from clarifai_emulator.inside.functions_main import as_declared

    given = [field.name for field in signature.input_fields]
    try:
        taken = inspect.signature(function)
        taken.bind(**dict.fromkeys(given))
    except TypeError:
        takes = ", ".join(inspect.signature(function).parameters) or "nothing"
        called = ", ".join(given) or "no arguments"
        return [f"{signature.name}(): the model is called with {called}; the function takes {takes}"]
    except ValueError:  # a builtin tells nothing
        pass
    gives_many = any(field.iterator for field in signature.output_fields)
    if not gives_many and (inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)):
        return [f"{signature.name}(): the model gives one answer, and the function is a generator"]
    found = changes([Method(signature)], [Method(as_declared(function, signature))])
    return [f"{each.rule}: {each.message}" for each in found if each.severity is Severity.ERROR]


# ── what is done in the emulator's event loop ──────────────────────────────────────────────────────────────


def _signatures(model: ModelKey, emulator: Emulator) -> list[MethodSignature]:
    version = emulator.store.newest(Kind.MODEL_VERSION, model)
    return list(version.method_signatures) if version is not None else []


def _made(model: ModelKey, functions: Mapping[str, Function], emulator: Emulator) -> FunctionReplica:
    from clarifai_emulator.backends.function_replica import FunctionReplica

    return FunctionReplica(model, functions, emulator.dispatcher, emulator.clock)


def _runner_url(emulator: Emulator) -> str:
    return emulator.api.runner_url


def _ended(replica: FunctionReplica, emulator: Emulator) -> None:
    emulator.substitutes.remove(replica.substitute)
    replica.end()


def _key(name: str) -> ModelKey:
    user, app, model = name.split("/")
    return user, app, model
