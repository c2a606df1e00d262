"""Makes a model of functions, and the SDK's runner for it, so that they are called as the methods of a model are.

Runs where the functions are, beside ``lean_main.py``; the standard library and the SDK only.
"""

import asyncio
import contextlib
import functools
import inspect
import types
import typing
from collections import abc

_ASYNC = {
    abc.AsyncIterator: abc.Iterator,
    abc.AsyncIterable: abc.Iterator,
    abc.AsyncGenerator: abc.Iterator,
}


def make_runner(name, functions, signatures, defaults, threads, **options):
    """The SDK's runner of a model ``name`` whose methods are ``functions``; ``signatures`` says what clients know
    of each, ``defaults`` what its arguments are that a client leaves out. ``options``: of the runner class."""
    from clarifai.runners.models.model_class import ModelClass
    from clarifai.runners.models.model_runner import ModelRunner

    infos = {each: method_info(each, function, signatures[each]) for each, function in functions.items()}

    class Functions(ModelClass):
        @classmethod
        def _get_method_infos(cls, func_name=None):
            return infos[func_name] if func_name else infos

    for each, function in functions.items():
        setattr(Functions, each, staticmethod(called(name, function, signatures[each], defaults[each])))
    return ModelRunner(model=Functions(), num_parallel_polls=threads, health_check_port=None, **options)


def method_info(name, function, signature):
    """Describe a method to the SDK, which converts arguments to the types that the function asks for."""
    casts = {}
    for parameter, hint in hints_of(function).items():
        if parameter != "return":
            streams = typing.get_origin(hint) in (abc.Iterator, abc.Generator, abc.Iterable)
            casts[parameter] = typing.get_args(hint)[0] if streams else hint
    return types.SimpleNamespace(
        name=name, signature=signature, proto_method=False, python_param_types=casts, cast_types=casts
    )


def hints_of(function):
    """The types that a function declares; none where they cannot be told, as of a class inside a test."""
    try:
        return typing.get_type_hints(function)
    except Exception:
        return {}


def called(model, function, signature, defaults):
    """Let a function be called as the SDK calls a method: an async one in an event loop of its own, and what ends a
    test is an error of the model."""
    streams = any(field.iterator for field in signature.output_fields)

    @functools.wraps(function, updated=())
    def call(**arguments):
        result = outcome(functools.partial(function, **{**defaults, **arguments}))
        if inspect.isawaitable(result):
            result = outcome(functools.partial(asyncio.run, awaited(result)))
        if not streams:
            return result
        if isinstance(result, abc.AsyncIterator):
            result = one_by_one(result)
        elif not isinstance(result, abc.Iterable) or isinstance(result, (str, bytes, abc.Mapping)):
            kind = type(result).__name__
            raise TypeError(
                f"{signature.name}() of {model} gives a stream of {item_of(signature)}; the function gave the "
                f"{kind} {result!r:.100}: let it yield, or return an iterator."
            )
        return raised_as_errors(iter(result))

    return call


async def awaited(awaitable):
    return await awaitable


def one_by_one(results):
    """Give what an async iterator gives, in an event loop that lasts as long as it does."""
    with asyncio.Runner() as runner:
        try:
            while True:
                try:
                    yield runner.run(awaited(anext(results)))
                except StopAsyncIteration:
                    return
        finally:
            close = getattr(results, "aclose", None)
            if close is not None:
                runner.run(close())


def raised_as_errors(results):
    while True:
        try:
            result = outcome(functools.partial(next, results))
        except StopIteration:
            return
        yield result


def outcome(call):
    """Call it. What pytest raises to end a test (``pytest.fail``, ``pytest.skip``) becomes an error: it would end
    the thread of the runner here."""
    try:
        return call()
    except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise RuntimeError(f"{type(error).__name__}: {error}") from error


def item_of(signature):
    """The type of what a method yields, in Python's words."""
    from clarifai_grpc.grpc.api.resources_pb2 import ModelTypeField

    return ModelTypeField.DataType.Name(signature.output_fields[0].type).lower()


# ── whether a function fits ────────────────────────────────────────────────────────────────────────────────


def as_declared(function, signature):
    """The signature of a method with the types that a function declares in their place. What it does not declare,
    and what the SDK has no type for, stays as it is."""
    from clarifai.runners.utils.method_signatures import build_variable_signature
    from clarifai_grpc.grpc.api.resources_pb2 import RunnerMethodType

    declared = type(signature)()
    declared.CopyFrom(signature)
    hints = hints_of(function)
    for field in (*declared.input_fields, *declared.output_fields):
        hint = without_async(hints.get(field.name, inspect.Parameter.empty))
        if hint in (inspect.Parameter.empty, typing.Any, object):
            continue
        with contextlib.suppress(Exception):
            found = build_variable_signature(field.name, hint, is_output=True)[0]
            field.type, field.iterator = found.type, found.iterator
            del field.type_args[:]
            field.type_args.extend(found.type_args)
    reads = any(field.iterator for field in declared.input_fields)
    gives = any(field.iterator for field in declared.output_fields)
    if (reads, gives) != streams_of(signature):
        kinds = {
            (True, True): "STREAMING_STREAMING",
            (False, True): "UNARY_STREAMING",
            (False, False): "UNARY_UNARY",
        }
        declared.method_type = getattr(RunnerMethodType, kinds.get((reads, gives), "STREAMING_UNARY"))
    return declared


def streams_of(signature):
    fields = signature.input_fields, signature.output_fields
    return tuple(any(field.iterator for field in each) for each in fields)


def without_async(hint):
    """The type that the SDK knows for what an async function declares."""
    instead = _ASYNC.get(typing.get_origin(hint))
    return instead[typing.get_args(hint)[0]] if instead is not None else hint
