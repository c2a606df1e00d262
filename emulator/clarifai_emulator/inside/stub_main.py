"""Stands in for modules that a model imports and that are not installed here, so that its signatures can be read.

Runs in the *model's* Python environment, with the standard library only. Only imports written in the model's or the
SDK's own code are stubbed: what an installed package finds missing, it is to find missing. An import that the model
itself expects to fail (``try: … except ImportError:``) fails, unless requirements.txt names the module.

What comes out of a stub says so in its text (``MARK``): a signature that holds such a text is not known.
"""

import abc
import ast
import functools
import importlib.abc
import importlib.machinery
import importlib.util
import os
import re
import sys
import types

MARK = "<not installed: "
_DUNDER = re.compile(r"__\w+__")


def install(model_path, requirements):
    """From now on. ``requirements``: the names in requirements.txt, normalised."""
    finder = Finder(str(model_path), frozenset(requirements))
    sys.meta_path.append(finder)
    return finder


class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what nobody else has found."""

    def __init__(self, model_path, requirements):
        self._roots = (os.path.join(model_path, ""), _sdk_root())
        self._model_root = self._roots[0]
        self._requirements = requirements
        self._stubbed = {}

    def named(self):
        """The top-level modules that were stubbed: ``{name: [file, line] of its first import}``."""
        return self._stubbed

    def find_spec(self, fullname, path=None, target=None):
        top = fullname.partition(".")[0]
        frame = _importer()
        if frame is None or not frame.f_code.co_filename.startswith(self._roots):
            return None
        file, line = frame.f_code.co_filename, frame.f_lineno
        if "." in fullname and top not in self._stubbed:
            return None  # a part that an installed package does not have
        if top not in self._stubbed:
            if self._is_own(top) or (is_guarded(file, line) and _normal(top) not in self._requirements):
                return None
            self._stubbed[top] = [file, line]
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def _is_own(self, top):
        """Tell whether the model has a folder of that name: a mistake in a path is no missing package."""
        return any(
            os.path.exists(os.path.join(self._model_root, *where, top + end))
            for where in ((), ("1",))
            for end in ("", ".py")
        )

    def create_module(self, spec):
        return StubModule(spec.name)

    def exec_module(self, module):
        module.__path__ = []


class StubModule(types.ModuleType):
    """A module that has whatever is asked of it."""

    def __getattr__(self, name):
        if name == "__version__":
            return "0.0.0"
        if _DUNDER.fullmatch(name):
            raise AttributeError(name)
        made = make(f"{self.__name__}.{name}")
        setattr(self, name, made)
        return made


class StubType(abc.ABCMeta):
    """The type of what a stubbed module has: a class to inherit from, decorate with, call and annotate with."""

    def __getattr__(cls, name):
        if name == "__version__":
            return "0.0.0"
        if _DUNDER.fullmatch(name) or not _is_stub(cls):
            raise AttributeError(name)
        made = make(f"{cls.__qualname__}.{name}")
        setattr(cls, name, made)
        return made

    def __call__(cls, *args, **kwargs):
        if not _is_stub(cls):
            return super().__call__(*args, **kwargs)
        return _called(cls.__qualname__, args, kwargs)

    def __getitem__(cls, key):
        return cls

    def __iter__(cls):
        return iter(())

    def __repr__(cls):
        return f"{MARK}{cls.__qualname__}>" if _is_stub(cls) else super().__repr__()

    __str__ = __repr__


class StubBase(metaclass=StubType):
    """The base that classes of a stubbed module are to classes of the model."""

    def __init_subclass__(cls, **_):
        super().__init_subclass__()


class StubValue:
    """The result of a call: it has and can everything, and knows nothing."""

    def __init__(self, name):
        self.__name__ = self.__qualname__ = name

    def __getattr__(self, name):
        if _DUNDER.fullmatch(name):
            raise AttributeError(name)
        return StubValue(f"{self.__qualname__}.{name}")

    def __call__(self, *args, **kwargs):
        return _called(self.__qualname__, args, kwargs)

    def __repr__(self):
        return f"{MARK}{self.__qualname__}>"

    __str__ = __repr__

    def __mro_entries__(self, bases):
        return (StubBase,)

    def __hash__(self):
        return id(self)

    def __eq__(self, other):
        return self is other

    def __iter__(self):
        return iter(())

    def __len__(self):
        return 0

    def __bool__(self):
        return False

    def __int__(self):
        return 0

    def __float__(self):
        return 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def _answer(self, *_):
    return self


_OPERATORS = "add sub mul truediv floordiv mod pow and or xor lshift rshift matmul neg pos invert getitem"
for _name in _OPERATORS.split():
    setattr(StubValue, f"__{_name}__", _answer)
    setattr(StubValue, f"__r{_name}__", _answer)
for _name in ["lt", "le", "gt", "ge"]:
    setattr(StubValue, f"__{_name}__", lambda self, other: False)


def make(name):
    """Something of a stubbed module, by its whole name."""
    made = StubType(name.rpartition(".")[2], (StubBase,), {"__is_stub__": True})
    made.__qualname__ = name
    made.__module__ = name.partition(".")[0]
    return made


def _is_stub(cls):
    return "__is_stub__" in cls.__dict__


def _called(name, args, kwargs):
    """A decorator gives back what it decorates, so that a model's method stays what it is."""
    if len(args) == 1 and not kwargs and isinstance(args[0], (types.FunctionType, type)):
        return args[0]
    return StubValue(f"{name}()")


def _importer():
    """The frame of the code that imports, below the import system's own."""
    own = os.path.join(os.path.dirname(importlib.__file__), "")
    frame = sys._getframe(2)
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith(("<frozen importlib", own)):
            return frame
        frame = frame.f_back
    return None


def _sdk_root():
    spec = importlib.util.find_spec("clarifai")
    return os.path.join(os.path.dirname(spec.origin), "") if spec is not None and spec.origin else "\0"


def _normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def is_guarded(file, line):
    """Tell whether this line is in the body of a ``try`` that expects an import to fail."""
    return any(first <= line <= last for first, last in _guards(file))


@functools.cache
def _guards(file):
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError):
        return ()
    return tuple(
        (node.body[0].lineno, node.body[-1].end_lineno)
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and any(_expects_failure(handler) for handler in node.handlers)
    )


def _expects_failure(handler):
    if handler.type is None:
        return True
    names = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    expected = ("ImportError", "ModuleNotFoundError", "Exception", "BaseException")
    return any(isinstance(name, ast.Name) and name.id in expected for name in names)
