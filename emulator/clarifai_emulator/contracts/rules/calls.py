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
        'model.predict("Hello", 3, "more")  # predict(prompt, n)',
    ),
    Rule(
        "repeated-argument",
        _ERROR,
        Breaks.ALL,
        "An argument is given twice, by position and by name",
        "The SDK raises `Multiple values for argument`.",
        "Give it once.",
        'model.predict("Hello", prompt="Hello")',
    ),
    Rule(
        "no-batch",
        _ERROR,
        Breaks.ALL,
        "A batch is sent to a method that takes one input",
        "Only methods with one input and one output take a list of dicts: a generate refuses more than one input, "
        "a stream raises AssertionError.",
        "Call the method once for each input.",
        'model.generate([{"prompt": "a"}, {"prompt": "b"}])',
    ),
    Rule(
        "taken-as-batch",
        _ERROR,
        Breaks.ALL,
        "A list that is meant as an argument is taken for a batch",
        "A list of dicts, or an empty list, as the only positional argument is a batch to the SDK: one call for "
        "each dict, whose keys are the arguments.",
        "Give it by its name.",
        'model.predict([{"role": "user"}])  # predict(messages: list)',
    ),
    Rule(
        "wrong-result",
        _ERROR,
        Breaks.ALL,
        "What a call gives back is used as something else",
        "The program fails when it gets there, after the request was paid for.",
        "Use it as what the method declares.",
        'model.count(text="Hello").upper()  # count() -> int',
    ),
    Rule(
        "wrong-url",
        _ERROR,
        Breaks.ALL,
        "A model is built from something that is no address of a model",
        "The SDK raises before anything is sent.",
        "Write https://clarifai.com/USER/APP/models/ID, or give model_id, user_id and app_id.",
        'Model("https://clarifai.com/me/hello")',
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
        'model.generate(prompt="Hello")',
    ),
    Rule(
        "stream-as-value",
        _ERROR,
        Breaks.ALL,
        "A stream of answers is used as one value",
        "It shows as `<generator object …>`, or raises TypeError.",
        "Loop over it, or join what it gives.",
        'print(model.generate(prompt="Hello"))',
    ),
    Rule(
        "stream-read-twice",
        _WARNING,
        Breaks.ALL,
        "A stream of answers is read a second time",
        "The second time it is empty.",
        "Keep the answers in a list.",
        'chunks = model.generate(prompt="Hello")\nprint(list(chunks))\nprint(list(chunks))',
    ),
    Rule(
        "letters-of-text",
        _ERROR,
        Breaks.ALL,
        "A loop goes over the one answer of a method that does not stream",
        "A str is iterated letter by letter, silently; a number raises TypeError.",
        "Use the answer as it is, or call a method that streams.",
        'for chunk in model.predict(prompt="Hello"): print(chunk)',
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
        'async def main(): print(model.predict(prompt="Hello"))',
    ),
    Rule(
        "awaited-once",
        _ERROR,
        Breaks.ALL,
        "The result of an asynchronous call is awaited once",
        "What async_predict() and async_generate() give is a coroutine: the answer comes when that is awaited too.",
        "Write `await (await model.async_predict(…))`.",
        'text = await model.async_predict(prompt="Hello")',
    ),
    Rule(
        "async-stream",
        _ERROR,
        Breaks.ALL,
        "async_stream() is called",
        "The SDK's async_stream() returns None, or raises AttributeError.",
        "Write `await asyncio.to_thread(…)` around a function that calls stream().",
        "await model.async_stream(prompts=prompts)",
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
        'Model(os.environ["MODEL_URL"])',
    ),
    Rule(
        "model-not-given",
        _UNCHECKED,
        Breaks.NOBODY,
        "A client uses a model whose directory was not given",
        "Its calls are not checked.",
        "Add --model DIR=URL.",
        'Model("https://clarifai.com/somebody/main/models/else")',
    ),
    Rule(
        "unresolved-call",
        _UNCHECKED,
        Breaks.NOBODY,
        "A client's source does not say what a method is called on",
        "It may be a model. The call is not checked before it runs; the emulator checks the request that it sends.",
        "Annotate the variable: `def ask(model: Model)` says that it is one; a generated stub says which.",
        "def ask(model): return model.predict(promt='Hello')",
    ),
    Rule(
        "unpacked-arguments",
        _UNCHECKED,
        Breaks.NOBODY,
        "Arguments are unpacked from something that is not known before it runs",
        "Which arguments are given, and whether one is missing, is not checked.",
        "Write the arguments out, or unpack a dict that is written where it can be seen.",
        "model.predict(**options)",
    ),
    Rule(
        "dynamic-method",
        _UNCHECKED,
        Breaks.NOBODY,
        "The method is named by a value",
        "The call is not checked.",
        "Write the method's name.",
        "getattr(model, name)(prompt='Hello')",
    ),
    Rule(
        "passed-method",
        _UNCHECKED,
        Breaks.NOBODY,
        "A method is passed on without being called",
        "What calls it, and with what, is not checked.",
        "Call it where it is passed on: `lambda text: model.predict(prompt=text)`.",
        "retry(model.predict)",
    ),
    Rule(
        "unreadable-client",
        _UNCHECKED,
        Breaks.NOBODY,
        "A client file cannot be parsed",
        "Nothing in it is checked.",
        "Mend it, or leave it out of the paths.",
        "def main(:",
    ),
    Rule(
        "unreadable-model",
        _UNCHECKED,
        Breaks.NOBODY,
        "The methods of a model could not be read",
        "Calls of it are not checked.",
        "`clarifai-emulator contract show DIR` says what is wrong with it.",
        "",
    ),
)
RULES = (*CALLS, *STREAMS, *ASYNC, *NOT_CHECKED)
