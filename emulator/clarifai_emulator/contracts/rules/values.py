"""Defines the rules about values that a method is given and gives back, in a client or in a request."""

from __future__ import annotations

from clarifai_emulator.contracts.rules.rule import Breaks, Rule, Severity

_ERROR, _WARNING = Severity.ERROR, Severity.WARNING

ARGUMENTS = (
    Rule(
        "unknown-method",
        _ERROR,
        Breaks.ALL,
        "The model has no such method",
        "The SDK raises AttributeError; a client with signatures of its own gets a failure from the runner.",
        "Call one of the methods that the message names.",
    ),
    Rule(
        "unknown-argument",
        _ERROR,
        Breaks.ALL,
        "The method has no such parameter",
        "The SDK raises `Got unexpected key`. From a client with older signatures the runner drops it silently.",
        "Use the name that the message suggests, or leave the argument out.",
    ),
    Rule(
        "missing-argument",
        _ERROR,
        Breaks.ALL,
        "A required argument is not given",
        "The SDK raises `Missing required argument`; the runner answers a failure.",
        "Give the argument.",
    ),
    Rule(
        "wrong-type",
        _ERROR,
        Breaks.ALL,
        "An argument has another type than its parameter",
        "The SDK raises `Incompatible type`, without the name of the argument. From a client with older signatures "
        "the model gets an empty value, silently.",
        "Give a value of the type that the message names.",
    ),
    Rule(
        "none-argument",
        _ERROR,
        Breaks.ALL,
        "None is given where the parameter's default is not None",
        "The SDK raises `Incompatible type`. None stands for `not given` only where the default is None.",
        "Leave the argument out.",
    ),
    Rule(
        "out-of-range",
        _ERROR,
        Breaks.ALL,
        "A number is outside the range that the parameter declares",
        "Neither the SDK nor the runner looks at the range: the model gets the value.",
        "Keep to the range that the message names.",
    ),
    Rule(
        "not-a-choice",
        _ERROR,
        Breaks.ALL,
        "A value is none of the choices that the parameter declares",
        "Neither the SDK nor the runner looks at the choices: the model gets the value.",
        "Give one of the choices that the message names.",
    ),
    Rule(
        "bool-for-number",
        _ERROR,
        Breaks.ALL,
        "A bool is given for a number",
        "For an int the SDK raises `Incompatible type`; for a float the model gets 0.0 or 1.0, silently (a "
        "warning). Type checkers let it pass: a bool is an int to Python.",
        "Give a number.",
    ),
    Rule(
        "int-for-bool",
        _WARNING,
        Breaks.ALL,
        "A number is given for a bool",
        "The model gets True for every number but 0, silently.",
        "Give True or False.",
    ),
    Rule(
        "bytes-for-text",
        _ERROR,
        Breaks.ALL,
        "bytes are given for a str",
        "They are decoded silently; bytes that are no UTF-8 raise UnicodeDecodeError.",
        "Give a str: decode them yourself.",
    ),
    Rule(
        "text-for-list",
        _ERROR,
        Breaks.ALL,
        "A str is given for a list",
        "The model gets a list of its letters, silently.",
        "Put it in a list.",
    ),
    Rule(
        "dict-for-list",
        _ERROR,
        Breaks.ALL,
        "A dict is given for a list",
        "The model gets a list of its keys, silently.",
        "Give a list.",
    ),
    Rule(
        "unknown-field",
        _WARNING,
        Breaks.ALL,
        "A NamedFields value has a field that is not declared",
        "It is dropped silently.",
        "Use the declared name, or leave it out.",
    ),
    Rule(
        "missing-field",
        _ERROR,
        Breaks.ALL,
        "A NamedFields value lacks a declared field",
        "The SDK raises `Missing field`; the runner answers a failure.",
        "Give the field.",
    ),
    Rule(
        "tuple-length",
        _ERROR,
        Breaks.ALL,
        "A tuple has another length than declared",
        "The SDK, or the runner, raises ValueError.",
        "Give as many values as are declared.",
    ),
    Rule(
        "large-integer",
        _WARNING,
        Breaks.ALL,
        "An integer in JSON is larger than 2**53",
        "Numbers in a dict or list travel as floats: its last digits are lost silently.",
        "Send it as text, or as an `int` parameter of its own.",
    ),
    Rule(
        "integer-range",
        _ERROR,
        Breaks.ALL,
        "An integer does not fit in 64 bits",
        "The SDK raises `Value out of range`.",
        "Send it as text.",
    ),
    Rule(
        "json-value",
        _ERROR,
        Breaks.ALL,
        "A dict or list holds what JSON does not know",
        "The SDK raises `Incompatible type for struct_value`.",
        "Use text, numbers, truth values, None, lists, and dicts with text as keys.",
    ),
    Rule(
        "json-shape",
        _WARNING,
        Breaks.ALL,
        "A list is given for a dict, or a dict for a list",
        "The signature has one type for both, so it arrives silently as what it is.",
        "Give what model.py declares.",
    ),
    Rule(
        "empty-array",
        _WARNING,
        Breaks.ALL,
        "An array is empty",
        "The model gets None.",
        "Do not call the method with nothing.",
    ),
    Rule(
        "stream-not-iterator",
        _ERROR,
        Breaks.ALL,
        "Something that is no iterator is given where the method reads a stream",
        "The SDK calls next() on it in the midst of the call, which fails with `Exception iterating requests!`.",
        "Give an iterator: a generator, or iter([…]). A list, a tuple or a text is none.",
    ),
)

REQUESTS = (
    Rule(
        "call-kind",
        _ERROR,
        Breaks.ALL,
        "A method that streams is called as one that does not, or the other way",
        "The runner answers a failure, or one answer where a stream is read.",
        "Call it with the signatures it has now; the SDK does so by itself.",
    ),
)

RESULTS = (
    Rule(
        "result-type",
        _ERROR,
        Breaks.ALL,
        "A method gave something else than it declares",
        "The client gets an empty value or an error, depending on what it expects.",
        "Return what the annotation says, or change the annotation.",
    ),
    Rule(
        "result-missing",
        _ERROR,
        Breaks.ALL,
        "A method gave nothing where it declares a result",
        "The client gets None or an error, depending on the type.",
        "Return a value in every branch.",
    ),
    Rule(
        "result-lost",
        _WARNING,
        Breaks.ALL,
        "An empty result of a call without arguments",
        "The runner answers a call without arguments in the form of older clients, in which an empty text, 0, "
        "False and an empty array leave nothing on the wire: the SDK's client returns {} in their place, silently.",
        'Return it in a dict, such as {"text": ""}, or have clients give an argument.',
    ),
    Rule(
        "empty-stream",
        _WARNING,
        Breaks.ALL,
        "A method that streams yielded nothing",
        "The SDK's client raises `RuntimeError: generator raised StopIteration`; others get neither an answer "
        "nor a status.",
        "Yield something in every branch, if only an empty value.",
    ),
    Rule(
        "credential-in-answer",
        _ERROR,
        Breaks.NOBODY,
        "An answer holds the credential of a replica",
        "Whoever reads the answer can ask models, and read about them, in the name of the replica's owner, as long "
        "as it runs. On the platform the token may be good for more, and for longer.",
        "Return no environment and no headers of requests that the model makes, in errors neither.",
    ),
    Rule(
        "unchecked-request",
        Severity.UNCHECKED,
        Breaks.NOBODY,
        "A request that the emulator routes could not be held against the method's signature",
        "It is in the form of older clients, which the runner converts, or its version has no signatures.",
        "Call the method through the SDK.",
    ),
    Rule(
        "crashing-method",
        _ERROR,
        Breaks.ALL,
        "A method fails on values that its signature allows",
        "Clients get a failure for arguments that are right.",
        "Mend the method, or declare the range or the choices it can take.",
    ),
    Rule(
        "hanging-method",
        _ERROR,
        Breaks.ALL,
        "A method does not answer in time for values that its signature allows",
        "Clients wait until their time is up.",
        "Mend the method, or declare the range it can take.",
    ),
)

RULES = (*ARGUMENTS, *REQUESTS, *RESULTS)
