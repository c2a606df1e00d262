"""Imports a model's code in a process of its own and says what it found: its methods, and why the SDK refuses some.

Runs in the *model's* Python environment, as part of ``zygote_main.py``, with the standard library and the SDK only.
The signatures are those that the SDK's own builder makes. In ``strict`` mode, for a model that is to be deployed,
the first thing that the SDK refuses ends it, as it would end the model; else all of them are collected, and modules
that are not installed are stubbed (``stub_main.py``).

A model whose import fails in somebody else's module, as one whose class body asks a server that does not run, is
read as the SDK's upload reads every model: with all third-party modules replaced by mocks. In ``strict`` mode that
is done where it was the network that failed, and nothing else.

The answer is one JSON object: ``sdk`` (its version), ``refused`` (why the SDK's upload refuses the directory, where
that was asked: see ``upload_main.py``), ``options`` (of its server), ``signatures`` (base64),
``methods`` (name, file and first line of each), ``class``, ``problems``, ``stubs``, and, when the import itself
failed, ``error``, ``kind``, ``traceback``, ``where``, ``hint`` and ``packages`` (the versions of what the SDK
stands on): in ``mocked``, where the mocks helped.
"""

import base64
import collections.abc
import contextlib
import errno
import functools
import importlib.util
import inspect
import os
import socket
import ssl
import sys
import traceback
import types
import typing

_CO_FUTURE_ANNOTATIONS = 0x1000000
_ASYNC = (
    collections.abc.AsyncIterator,
    collections.abc.AsyncGenerator,
    collections.abc.AsyncIterable,
    collections.abc.Coroutine,
    collections.abc.Awaitable,
)
# What the network answers that is not there, or that is kept from a process.
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}
# Clients have errors of their own for it: of openai and anthropic, httpx, aiohttp, requests, urllib, gRPC.
_NETWORK_ERRORS = {
    "APIConnectionError",
    "ConnectError",
    "ConnectTimeout",
    "ClientConnectionError",
    "URLError",
    "RpcError",
}
_STREAMS = (collections.abc.Iterator, collections.abc.Generator, collections.abc.Iterable)


@functools.cache
def beside(name):
    """A module of this folder, which is not importable in the model's environment."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")
    spec = importlib.util.spec_from_file_location(f"clarifai_emulator_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def warm():
    """Load what every child needs, once, in the parent that forks them."""
    for name in ("confine_main", "stub_main", "sdk_main", "other_sdk_main", "sdk_versions_main"):
        beside(name)
    beside("sdk_main").version()
    beside("sdk_main").server_options()


def examine(model_path, *, strict=True, scratch="", requirements=(), upload=None):
    """The answer for one model directory; never raises. ``upload``: options of ``upload_main.refusal``, where the
    SDK's upload is asked."""
    answer = {}
    collected = []
    stubs = None
    before = set(sys.modules)
    try:
        if scratch:
            answer["enforced"] = beside("confine_main").confine(scratch)
        if upload is not None:
            sdk = beside("sdk_main")
            answer["refused"] = beside("upload_main").refusal(scratch=scratch, sdk=sdk, **upload)
        if not strict:
            stubs = beside("stub_main").install(model_path, requirements)
        beside("sdk_main").require_importable()
        if not strict:
            _collect_into(collected)
        model_class = load_model_class(model_path)
        if strict:
            require_methods(model_class)
        else:
            require_form(model_class)
        answer.update(_describe(model_class))
    except BaseException as error:
        failed = {
            "error": "".join(traceback.format_exception_only(error)).strip(),
            "kind": type(error).__name__,
            "traceback": model_traceback(error, model_path),
            "where": _where(error, model_path),
            "classes": _model_classes(),
            "hint": getattr(error, "hint", ""),
            "packages": beside("sdk_main").packages(),
        }
        described = _describe_mocked(model_path, error, collected, strict=strict)
        answer.update({**described, "mocked": failed} if described else failed)
    answer["sdk"], answer["options"] = beside("sdk_main").version(), beside("sdk_main").server_options()
    answer["problems"] = collected
    answer["stubs"] = stubs.named() if stubs is not None else {}
    answer["files"] = _own_files(set(sys.modules) - before)
    return answer


def _own_files(names):
    """The source files of what was imported that belongs to no installed package: what may change at any time."""
    installed = [os.path.join(path, "") for path in sys.path if path.endswith("-packages")]
    installed += [os.path.join(os.path.dirname(os.__file__), "")]
    files = {getattr(sys.modules[name], "__file__", None) or "" for name in names}
    return sorted(each for each in files if each and not each.startswith(tuple(installed)))


def _describe_mocked(model_path, error, collected, *, strict):
    """Say what can be said about a model that cannot be imported; nothing where the mocks do not help either."""
    if isinstance(error, (ImportError, SyntaxError, NoMethods)) or not isinstance(error, Exception):
        return {}
    if type(error).__name__ in ("OtherSdk", "BrokenSdk"):
        return {}
    if strict and not is_network_trouble(error):
        return {}
    found = list(collected)
    collected.clear()  # those of methods above the line are found again
    try:
        model_class = load_mocked(model_path)
        require_methods(model_class)
        return _describe(model_class)
    except Exception:
        collected[:] = found
        return {}


def is_network_trouble(error):
    """Tell whether an import failed because it asked something over the network, and got no answer."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror, ssl.SSLError)):
            return True
        if isinstance(error, OSError) and error.errno in _UNREACHABLE:
            return True
        if any(kind.__name__ in _NETWORK_ERRORS for kind in type(error).__mro__):
            return True
        error = error.__cause__ or error.__context__
    return False


def load_mocked(model_path):
    """The model's class, with a mock in the place of every module that is neither Python's nor the SDK's."""
    for name in ("model", "1.model"):
        sys.modules.pop(name, None)
    return load_model_class(model_path, mocking=True)


def load_model_class(model_path, *, mocking=False):
    """The model's class, by the SDK's loader. Raises ``OtherSdk`` for code that this version of it cannot run."""
    sdk = beside("sdk_main")
    try:
        return sdk.load_model_class(model_path, mocking=mocking)
    except Exception as error:
        raise beside("other_sdk_main").explained(error, sdk, beside("sdk_versions_main")) from error


def read_signatures(model_path, *, mocking=False):
    """The model's method signatures, as the SDK reads them. Raises what the model raises."""
    infos = require_methods(load_mocked(model_path) if mocking else load_model_class(model_path))
    return [info.signature for info in infos.values() if info.signature is not None]


class NoMethods(Exception):
    """The model's class has nothing that a client could call."""


def require_methods(model_class):
    """The methods; one of an older model, which answers messages (``PostModelOutputs``), has no signature."""
    infos = beside("sdk_main").method_infos(model_class)
    require_form(model_class)
    if not infos:
        raise NoMethods(f"class {model_class.__name__} has no method that a client could call.")
    return infos


def require_form(model_class):
    """Raise ``OtherSdk`` for a class in the form of another version of the SDK."""
    beside("other_sdk_main").require_form(model_class, beside("sdk_main"), beside("sdk_versions_main"))


def _describe(model_class):
    infos = beside("sdk_main").method_infos(model_class)
    methods = []
    for attribute, info in infos.items():
        if info.signature is None:
            continue
        function = inspect.unwrap(getattr(model_class, attribute))
        file, line = _place(function)
        methods.append(
            {
                "attribute": attribute,
                "name": info.signature.name,
                "file": file,
                "line": line,
                "signature": base64.b64encode(info.signature.SerializeToString()).decode(),
                "is_async": inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function),
                "variadic": _variadic(function),
            }
        )
    return {
        "signatures": [each["signature"] for each in methods],
        "methods": methods,
        "proto_methods": [name for name, info in infos.items() if info.signature is None],
        "class": {"name": model_class.__name__, "bases": [base.__name__ for base in model_class.__mro__[1:-1]]},
    }


def _variadic(function):
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


def _place(function):
    code = getattr(function, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code is not None else ("", 0)


def _where(error, model_path):
    """The innermost line of the model's own code that the error came through; a syntax error's own line."""
    error = error.__cause__ if type(error).__name__ == "OtherSdk" and error.__cause__ else error
    if isinstance(error, SyntaxError) and error.filename:
        return {"file": error.filename, "line": error.lineno or 0, "column": error.offset or 0}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(model_path))]
    return {"file": frames[-1].filename, "line": frames[-1].lineno or 0, "column": 0} if frames else None


def _model_classes():
    """The classes of model.py that the SDK would choose from, when it could not choose one."""
    module = sys.modules.get("model")
    with contextlib.suppress(Exception):  # of an SDK that cannot be imported, which is the error
        return [each.__name__ for each in beside("sdk_main").model_classes(module)] if module is not None else []
    return []


def _collect_into(problems):
    """Let a method that the SDK refuses be told, and the next ones be looked at."""
    from clarifai.runners.models.model_class import ModelClass

    if not hasattr(ModelClass, "method"):
        return
    original = ModelClass.method

    def method(function):
        try:
            return original(function)
        except Exception as error:
            problems.extend(_refusals(function, error))
            return function

    ModelClass.method = staticmethod(method)


def _refusals(function, error):
    """Yield the parameters that the SDK refuses, each in its words; or what it says about the method as a whole."""
    from clarifai.runners.utils.method_signatures import build_variable_signature

    plain = inspect.unwrap(function)
    file, line = _place(plain)
    name = getattr(function, "__name__", repr(function))
    told = {"method": name, "file": file, "line": line}
    found = []
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return [{**told, "parameter": "", "kind": "method", "error": str(error)}]
    is_future = bool(getattr(plain, "__code__", None) and plain.__code__.co_flags & _CO_FUTURE_ANNOTATIONS)
    parts = [each for each in signature.parameters.values() if each.name not in ("self", "cls")]
    for each in parts:
        kind = _parameter_kind(each)
        if kind:
            found.append({**told, "parameter": each.name, "kind": kind, "error": str(error), "type": ""})
            continue
        try:
            build_variable_signature(each.name, each.annotation, each.default)
        except UnicodeEncodeError as said:  # of its default: half of a surrogate pair
            found.append({**told, "parameter": "", "kind": "method", "error": str(said), "type": ""})
        except Exception as said:
            found.append({**told, "parameter": each.name, **_refused_type(each.annotation, said, is_future)})
    if signature.return_annotation is inspect.Parameter.empty:
        found.append({**told, "parameter": "return", "kind": "missing", "error": str(error), "type": ""})
    else:
        try:
            build_variable_signature("return", signature.return_annotation, is_output=True)
        except Exception as said:
            refused = _refused_type(signature.return_annotation, said, is_future)
            found.append({**told, "parameter": "return", **refused})
    return found or [{**told, "parameter": "", "kind": "method", "error": str(error), "type": ""}]


def _parameter_kind(parameter):
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return "variadic"
    if parameter.name == "with_proto":
        return "reserved"
    return ""


def _refused_type(annotation, error, is_future):
    kind, culprit = _kind_of(annotation)
    if kind == "text" and is_future:
        kind = "future"
    return {"kind": kind, "type": _shown(culprit), "error": str(error) or repr(error)}


def _kind_of(annotation):
    """Name what the SDK does not know about this annotation, and the part of it that is meant."""
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    plain = _plain_kind(annotation, origin, arguments)
    if plain:
        return plain, annotation
    if origin in (list, tuple, *_STREAMS) or origin is dict:
        for each in arguments:
            if each is Ellipsis:
                return "ellipsis", annotation
            kind, culprit = _kind_of(each) if not _is_known(each) else ("", None)
            if kind:
                return ("dict" if origin is dict else kind), (annotation if origin is dict else culprit)
    return "class", annotation


def _plain_kind(annotation, origin, arguments):
    if annotation is inspect.Parameter.empty:
        return "missing"
    if isinstance(annotation, (str, typing.ForwardRef)):
        return "text"
    if annotation is None or annotation is type(None):
        return "none"
    if origin is typing.Union or isinstance(annotation, types.UnionType):
        return "optional" if type(None) in arguments else "union"
    if annotation is typing.Any:
        return "any"
    if origin is typing.Literal or type(annotation).__name__ == "_LiteralGenericAlias":
        return "literal"
    if hasattr(annotation, "__metadata__"):
        return "annotated"
    if isinstance(annotation, typing.NewType):
        return "newtype"
    if isinstance(annotation, typing.TypeVar):
        return "typevar"
    if isinstance(annotation, types.ModuleType):
        return "module"
    return _container_kind(annotation, origin, arguments)


def _container_kind(annotation, origin, arguments):
    if (origin or annotation) in _ASYNC:
        return "async"
    if (origin or annotation) in _STREAMS and not arguments:
        return "bare_stream"
    if annotation is tuple or (origin is tuple and not arguments):
        return "bare_container"
    if getattr(annotation, "__name__", "") == "NamedFields" and isinstance(annotation, type):
        return "bare_container"
    return ""


def _is_known(annotation):
    from clarifai.runners.utils.method_signatures import _normalize_data_type

    try:
        _normalize_data_type(annotation)
    except Exception:
        return False
    return True


def _shown(annotation):
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, type) and typing.get_origin(annotation) is None:
        return annotation.__qualname__
    return str(annotation).replace("typing.", "")


def model_traceback(error, model_path):
    """The traceback, with its causes, each from the model's own first frame on: what comes before says nothing to
    its author. An error that the model has no frame in (its syntax) is told without any."""
    told = each = traceback.TracebackException.from_exception(error)
    while each is not None:
        frames = list(each.stack)
        first = next((i for i, frame in enumerate(frames) if frame.filename.startswith(str(model_path))), None)
        each.stack = None if first is None else traceback.StackSummary.from_list(frames[first:])
        each = each.__cause__ or (None if each.__suppress_context__ else each.__context__)
    with contextlib.suppress(Exception):
        return "".join(told.format()).rstrip()
    return repr(error)
