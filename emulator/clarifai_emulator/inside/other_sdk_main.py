"""Explains errors of a model's code that come of the version of its SDK: which one it has, which one it needs.

Runs in the *model's* environment, as part of ``inspect_main.py``.
"""

import inspect
import sys


class OtherSdk(Exception):
    """The model's code is for another version of the SDK than its environment has. ``hint``: the way out."""

    __module__ = "builtins"  # a traceback names it alone

    def __init__(self, message, hint):
        super().__init__(message)
        self.hint = hint


def explained(error, sdk, versions):
    """The error that says what it comes of, where that is the SDK's version; else the error itself. ``sdk``,
    ``versions``: see ``sdk_main.py`` and ``sdk_versions_main.py``."""
    has = sdk.version()
    if isinstance(error, AttributeError) and getattr(error, "name", "") == "method" and not sdk.has_signatures():
        return _too_old(has, "@ModelClass.method", versions.since("methods"))
    name = getattr(error, "name", None) or ""
    if isinstance(error, ImportError) and name.startswith("clarifai."):
        since = versions.came_with(name)
        if since and not versions.has(_key(name, versions), has):
            return _too_old(has, f"module {name}", since)
        if isinstance(error, ModuleNotFoundError) and name.startswith("clarifai.runners"):
            return OtherSdk(
                f"clarifai {has} has no module {name}.",
                f"Name the clarifai in requirements.txt that the code was written for; this one is {has}.",
            )
    if sdk.is_its_own_runner() and _inherits("ModelClass", error):
        return OtherSdk(
            f"its class inherits from ModelClass, and clarifai {has} runs subclasses of ModelRunner.",
            f"Name `clarifai>={versions.since('model-class')}` in requirements.txt: the code is written for it.",
        )
    if "not ModelRunner" in str(error) or (not sdk.is_its_own_runner() and _inherits("ModelRunner", error)):
        until = versions.since("model-class")
        return OtherSdk(
            f"its class inherits from ModelRunner, and clarifai {has} runs subclasses of ModelClass.",
            f"Name `clarifai<{until}` in requirements.txt: the code is written for it. Or inherit from ModelClass.",
        )
    return error


def require_form(model_class, sdk, versions):
    """Raise ``OtherSdk`` for a class that its SDK cannot make an instance of, or finds nothing to call in, because
    it is in the form of another version."""
    has = sdk.version()
    missing = sorted(getattr(model_class, "__abstractmethods__", ()))
    if missing:
        raise OtherSdk(
            f"class {model_class.__name__} has no {_listed(missing)}, which clarifai {has} asks every model for.",
            "Add what is missing (it may raise NotImplementedError), or mark methods with @ModelClass.method and "
            f"name `clarifai>={versions.since('methods')}` in requirements.txt.",
        )
    if not sdk.method_infos(model_class) and _takes_messages(getattr(model_class, "predict", None)):
        raise OtherSdk(
            f"class {model_class.__name__} has predict(self, request), which clarifai {has} never calls.",
            f"Name `clarifai<{versions.since('methods')}` in requirements.txt: the code is written for it. Or mark "
            "methods with @ModelClass.method.",
        )


def _too_old(has, what, since):
    return OtherSdk(
        f"clarifai {has} has no {what}: that came with {since}.",
        f"Name `clarifai>={since}` in requirements.txt, or write the model in the form of {has}.",
    )


def _key(module, versions):
    return next(each.key for each in versions.DIFFERENCES if each.look == module)


def _inherits(name, error):
    """Tell whether the SDK found no model class, and there is one that inherits from a class of this name."""
    module = sys.modules.get("model")
    if "Could not determine model class" not in str(error) or module is None:
        return False
    classes = [each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == "model"]
    return any(base.__name__ == name for each in classes for base in each.__mro__[1:])


def _takes_messages(method):
    """Tell whether a method takes one request, as the older form has it."""
    if method is None:
        return False
    try:
        names = [each for each in inspect.signature(method).parameters if each != "self"]
    except (TypeError, ValueError):
        return False
    return names == ["request"]


def _listed(names):
    told = [f"{name}()" for name in names]
    return told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
