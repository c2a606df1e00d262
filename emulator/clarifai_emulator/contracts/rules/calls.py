"""Defines the rules about the places in clients that call a model. Rules about values are in ``values.py``."""

from __future__ import annotations

from clarifai_emulator.contracts.rules.rule import Breaks, Rule, Severity

_ERROR, _WARNING, _UNCHECKED = Severity.ERROR, Severity.WARNING, Severity.UNCHECKED

CALLS = (
    Rule(
        "extra-argument",
        _ERROR,
        Breaks.ALL,
        "More arguments are given than the method has parameters",
        "The SDK raises TypeError before anything is sent.",
        "Leave out what is too much.",
    ),
    Rule(
        "repeated-argument",
        _ERROR,
        Breaks.ALL,
        "An argument is given twice, by position and by name",
        "The SDK raises `Multiple values for argument`.",
        "Give it once.",
    ),
    Rule(
        "no-batch",
        _ERROR,
        Breaks.ALL,
        "A batch is sent to a method that takes one input",
        "Only methods with one input and one output take a list of dicts: a generate refuses more than one input, "
        "a stream raises AssertionError.",
        "Call the method once for each input.",
    ),
    Rule(
        "taken-as-batch",
        _ERROR,
        Breaks.ALL,
        "A list that is meant as an argument is taken for a batch",
        "A list of dicts, or an empty list, as the only positional argument is a batch to the SDK: one call for "
        "each dict, whose keys are the arguments.",
        "Give it by its name.",
    ),
    Rule(
        "wrong-result",
        _ERROR,
        Breaks.ALL,
        "What a call gives back is used as something else",
        "The program fails when it gets there, after the request was paid for.",
        "Use it as what the method declares.",
    ),
    Rule(
        "wrong-url",
        _ERROR,
        Breaks.ALL,
        "A model is built from something that is no address of a model",
        "The SDK raises before anything is sent.",
        "Write https://clarifai.com/USER/APP/models/ID, or give model_id, user_id and app_id.",
    ),
)
MODELS = (
    Rule(
        "model-circle",
        _WARNING,
        Breaks.ALL,
        "A model calls itself, directly or through others",
        "Each such call takes a slot of a replica and waits for the next one: where all slots are taken by them, "
        "none comes to an end.",
        "Break the circle, or see to it that an argument ends it and that there are more slots than calls in it; a "
        "comment that ignores the rule can say which.",
    ),
)
STREAMS = (
    Rule(
        "stream-not-read",
        _ERROR,
        Breaks.ALL,
        "The answers of a streaming method are never read",
        "The SDK sends the request when the first answer is asked for: without a loop nothing is sent, and wrong "
        "arguments do not show.",
        "Loop over the result.",
    ),
    Rule(
        "stream-as-value",
        _ERROR,
        Breaks.ALL,
        "A stream of answers is used as one value",
        "It shows as `<generator object …>`, or raises TypeError.",
        "Loop over it, or join what it gives.",
    ),
    Rule(
        "stream-read-twice",
        _WARNING,
        Breaks.ALL,
        "A stream of answers is read a second time",
        "The second time it is empty.",
        "Keep the answers in a list.",
    ),
    Rule(
        "letters-of-text",
        _ERROR,
        Breaks.ALL,
        "A loop goes over the one answer of a method that does not stream",
        "A str is iterated letter by letter, silently; a number raises TypeError.",
        "Use the answer as it is, or call a method that streams.",
    ),
)
ASYNC = (
    Rule(
        "sync-in-async",
        _ERROR,
        Breaks.ALL,
        "A method is called in an `async def` as if it was a plain function",
        "While an event loop runs, the SDK's methods return a coroutine; the connection that it uses is not there.",
        "Write `await (await model.async_predict(…))`, or `await asyncio.to_thread(model.predict, …)`.",
    ),
    Rule(
        "awaited-once",
        _ERROR,
        Breaks.ALL,
        "The result of an asynchronous call is awaited once",
        "What async_predict() and async_generate() give is a coroutine: the answer comes when that is awaited too.",
        "Write `await (await model.async_predict(…))`.",
    ),
    Rule(
        "not-awaited",
        _ERROR,
        Breaks.ALL,
        "The result of an asynchronous call is never awaited",
        "It is a coroutine: nothing is sent, and what is shown is `<coroutine object …>`.",
        "Write `await (await model.async_predict(…))`.",
    ),
    Rule(
        "awaited-twice",
        _ERROR,
        Breaks.ALL,
        "The result of an asynchronous call is awaited twice in a notebook",
        "There, the SDK calls the method as a plain one, and the first await gives the answer: the second one "
        "raises TypeError.",
        "Write `await model.async_predict(…)`.",
    ),
    Rule(
        "async-stream",
        _ERROR,
        Breaks.ALL,
        "async_stream() is called",
        "The SDK's async_stream() returns None, or raises AttributeError.",
        "Write `await asyncio.to_thread(…)` around a function that calls stream().",
    ),
)
NOT_CHECKED = (
    Rule(
        "unknown-model",
        _UNCHECKED,
        Breaks.NOBODY,
        "Which model a client uses is not known before it runs",
        "Its calls are not checked.",
        "Use a constant address, or say with `--model DIR=*` which model all such places use.",
    ),
    Rule(
        "model-not-given",
        _UNCHECKED,
        Breaks.NOBODY,
        "A client uses a model whose directory was not given",
        "Its calls are not checked.",
        "Add --model DIR=URL.",
    ),
    Rule(
        "unresolved-call",
        _UNCHECKED,
        Breaks.NOBODY,
        "A client's source does not say what a method is called on",
        "It may be a model. The call is not checked before it runs; the emulator checks the request that it sends.",
        "Annotate the variable: `def ask(model: Model)` says that it is one; a generated stub says which.",
    ),
    Rule(
        "unpacked-arguments",
        _UNCHECKED,
        Breaks.NOBODY,
        "Arguments are unpacked from something that is not known before it runs",
        "Which arguments are given, and whether one is missing, is not checked.",
        "Write the arguments out, or unpack a dict that is written where it can be seen.",
    ),
    Rule(
        "dynamic-method",
        _UNCHECKED,
        Breaks.NOBODY,
        "The method is named by a value",
        "The call is not checked.",
        "Write the method's name.",
    ),
    Rule(
        "passed-method",
        _UNCHECKED,
        Breaks.NOBODY,
        "A method is passed on without being called",
        "What calls it, and with what, is not checked.",
        "Call it where it is passed on: `lambda text: model.predict(prompt=text)`.",
    ),
    Rule(
        "passed-model",
        _UNCHECKED,
        Breaks.NOBODY,
        "A model is handed to code of another package",
        "What calls it there, and with what, is not checked.",
        "Hand on a function of your own that calls the model.",
    ),
    Rule(
        "unreadable-client",
        _UNCHECKED,
        Breaks.NOBODY,
        "A client file cannot be read",
        "Nothing in it is checked: it is not Python, not a notebook, or cannot be opened.",
        "Mend it, or leave it out of the paths.",
    ),
    Rule(
        "unreadable-cell",
        _UNCHECKED,
        Breaks.NOBODY,
        "A cell of a notebook, or code inside of another file, cannot be read",
        "Nothing in this cell, block or command is checked; the others are.",
        "Mend it, or say what it is in its first line: `%%bash`.",
    ),
    Rule(
        "unreadable-model",
        _UNCHECKED,
        Breaks.NOBODY,
        "The methods of a model could not be read",
        "Calls of it are not checked.",
        "`clarifai-emulator contract show DIR` says what is wrong with it.",
    ),
)
RULES = (*CALLS, *MODELS, *STREAMS, *ASYNC, *NOT_CHECKED)
