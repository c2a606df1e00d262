"""Defines the rules about model.py: what the SDK refuses at upload, and what it takes and then does not work."""

from __future__ import annotations

from clarifai_emulator.contracts.rules.rule import Breaks, Rule, Severity

_REFUSED = "The SDK refuses the model at upload, and a runner of it does not start."


def _refused(id_: str, title: str, fix: str, explanation: str = _REFUSED) -> Rule:
    return Rule(id_, Severity.ERROR, Breaks.ALL, title, explanation, fix)


RULES = (
    _refused(
        "optional-annotation",
        "A parameter or result may be None",
        "Annotate the type alone and give the parameter the default None: `style: str = None`.",
    ),
    _refused(
        "union-annotation",
        "A parameter or result is one of several types",
        "Choose one type, or make a method for each.",
    ),
    _refused(
        "missing-return-annotation",
        "A method does not say what it returns",
        "Annotate the result: `-> str`.",
    ),
    _refused(
        "missing-annotation",
        "A parameter does not say its type",
        "Annotate the parameter: `prompt: str`.",
    ),
    _refused(
        "text-annotation",
        "An annotation is text",
        "Write the type itself, without quotes.",
    ),
    _refused(
        "future-annotations",
        "All annotations are text, because of `from __future__ import annotations`",
        "Remove that import from the file that has the method.",
    ),
    _refused(
        "none-annotation",
        "A method returns None",
        "Return something, if only a bool or an empty str.",
    ),
    _refused(
        "bare-container",
        "A container does not say what it holds",
        "Say what it holds: `Tuple[str, int]`, `NamedFields(name=str)`, `Iterator[str]`.",
    ),
    _refused(
        "dict-annotation",
        "A dict holds what JSON does not know",
        "Annotate `dict`: it is JSON, with text as keys.",
    ),
    _refused(
        "async-annotation",
        "A method gives an asynchronous stream or a coroutine",
        "Use `Iterator[…]`, and yield from a plain `def`.",
    ),
    _refused(
        "image-module",
        "An annotation is a module, not a class",
        "Write the class: `PIL.Image.Image`.",
    ),
    _refused(
        "unsupported-type",
        "The platform has no such type",
        "Use str, bytes, int, float, bool, list, dict, List, Tuple, NamedFields, numpy.ndarray, PIL.Image.Image, "
        "or one of clarifai.runners.utils.data_types.",
    ),
    _refused(
        "variadic-parameter",
        "A method takes any number of arguments",
        "Name each parameter, or take one list or dict.",
        "The platform has no such parameters: without an annotation the SDK refuses the model, with one it takes "
        "`prompts` for a single required argument, and every call of it fails.",
    ),
    _refused(
        "reserved-parameter",
        "A parameter has the name `with_proto`",
        "Rename the parameter. The client takes `with_proto` for itself.",
    ),
    _refused(
        "streaming-shape",
        "A method streams in a way the platform does not know",
        "Take at most one `Iterator[…]`; a method that takes one must return one.",
    ),
    _refused(
        "refused-method",
        "The SDK refuses a method",
        "Mend what it says.",
    ),
    _refused(
        "async-method",
        "A method is `async def`",
        "Make it a plain `def`; inside it, `asyncio.run(…)` runs a coroutine.",
        "The SDK takes it, but the runner does not await it: the client gets a failure, for the result is a "
        "coroutine.",
    ),
    _refused(
        "renamed-method",
        "A method is published under another name than it has",
        "Use functools.wraps in the decorator, or define the method with `def`.",
        "Clients see the name of the function, and the runner looks for the name in the class: calls fail with "
        "`Method wrapper not found in model class`.",
    ),
    Rule(
        "hidden-method",
        Severity.ERROR,
        Breaks.ALL,
        "A method has a name that the client's Model has for itself",
        "`model.NAME` is then the client's own attribute, and the method cannot be called through it.",
        "Rename the method.",
    ),
    _refused(
        "model-class-count",
        "model.py has no model class, or several",
        "Keep one class in model.py that inherits from ModelClass; move base classes into a module beside it.",
    ),
    _refused(
        "no-methods",
        "The model has no method that a client could call",
        "Mark its methods with @ModelClass.method.",
        "The SDK uploads it, and every call fails.",
    ),
    _refused(
        "import-failed",
        "model.py cannot be imported",
        "Mend the line, and move slow or failing work from the module's top level into load_model().",
    ),
    _refused("syntax-error", "model.py is no Python", "Mend the line."),
    _refused(
        "other-sdk",
        "model.py is written for another SDK than requirements.txt names",
        "Name the `clarifai` that the code was written for.",
        "The SDK in the model's environment cannot run it: no runner of it starts.",
    ),
    Rule(
        "sdk-not-read",
        Severity.WARNING,
        Breaks.NOBODY,
        "The SDK that requirements.txt names could not be installed to read the model with",
        "The methods were read with the SDK that is here; another one may see others, or refuse them.",
        "Look at the network and the index, or deploy the model: its environment is used then.",
    ),
    Rule(
        "sdk-not-installed",
        Severity.NOTE,
        Breaks.NOBODY,
        "No SDK is installed here, so the methods were read from the source",
        "clarifai-emulator-check comes without the clarifai SDK. It takes the methods from the source of model.py, "
        "as --static does: what only running the code can tell is named as not checked.",
        "Install clarifai beside it, or the whole clarifai-emulator, where that is not exact enough.",
    ),
    Rule(
        "mocked-import",
        Severity.WARNING,
        Breaks.NOBODY,
        "model.py cannot be imported here; its methods were read with mocks",
        "It does something while it is imported that cannot be done here: there is no network while a model is "
        "only looked at. The methods were read as the SDK's upload reads them, with every third-party module "
        "replaced by a mock. A runner imports the real ones.",
        "Move that line into load_model().",
    ),
    Rule(
        "stubbed-module",
        Severity.NOTE,
        Breaks.NOBODY,
        "A module is not installed here and was stood in for",
        "The signatures were read without it. Where one depends on it, that is said in a finding of its own.",
        "Install the model's requirements to read them without stand-ins.",
    ),
    Rule(
        "unknown-default",
        Severity.UNCHECKED,
        Breaks.NOBODY,
        "A default value cannot be known here",
        "It is computed by a module that is not installed here, or, with --static, by code that was not run.",
        "Install the model's requirements, or write the value itself.",
    ),
    Rule(
        "unread-method",
        Severity.UNCHECKED,
        Breaks.NOBODY,
        "With --static: a method cannot be known without running the code",
        "It stands under a condition, has a decorator that is not found, or its class is made or changed by code.",
        "Read the signatures without --static.",
    ),
    Rule(
        "unknown-type",
        Severity.UNCHECKED,
        Breaks.NOBODY,
        "A type cannot be known here",
        "It comes from a module that is not installed here, or, with --static, from code that was not run.",
        "Install the model's requirements, or read the signatures without --static.",
    ),
    Rule(
        "proto-method",
        Severity.UNCHECKED,
        Breaks.NOBODY,
        "A model of the old kind, which answers messages",
        "PostModelOutputs(request) has no signature: calls of it cannot be checked.",
        "Give the model methods with @ModelClass.method.",
    ),
)
