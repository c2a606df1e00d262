"""Looks up what the Clarifai SDK of a model's environment has: how it loads a model, tells its methods and runs it.

Runs in the *model's* environment, beside ``zygote_main.py``; the standard library and the SDK only. Nothing here
asks for a version: a name is looked up where it is needed. ``sdk_versions_main.py`` says which versions have which.
"""

import contextlib
import functools
import importlib
import importlib.util
import inspect
import os
import sys
from importlib import metadata

# What a model of the old form implements, in messages.
PROTO_METHODS = ("predict", "generate", "stream")
_RUNNER = "clarifai.runners.models.model_runner"


class OldMethod:
    """A method on messages, in the place of the SDK's own description of one: it has no signature."""

    signature = None


@functools.cache
def version():
    """The version of the SDK; empty where it is not installed."""
    try:
        return metadata.version("clarifai")
    except metadata.PackageNotFoundError:
        return ""


def packages():
    """The versions of what decides whether the SDK can be imported, for a message."""
    told = {}
    for name in ("clarifai", "clarifai-protocol", "clarifai-grpc", "protobuf"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            told[name] = metadata.version(name)
    return told


class BrokenSdk(Exception):
    """The SDK cannot be imported, whatever the model is."""

    __module__ = "builtins"  # a traceback names it alone


def require_importable():
    """Raise ``BrokenSdk`` for an SDK that cannot be imported."""
    try:
        importlib.import_module("clarifai.runners.server")
    except Exception as error:
        raise BrokenSdk(f"{type(error).__name__}: {error}") from error


def optional(name, attribute=None):
    """A module of the SDK, or something in it; None where this version has it not."""
    try:
        found = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        return None
    if found is None:
        return None
    module = importlib.import_module(name)
    return module if attribute is None else getattr(module, attribute, None)


def follow_api_base():
    """Let the SDK's clients ask ``CLARIFAI_API_BASE`` also where they look at a constant alone."""
    FollowedTools.install()
    helper = optional("clarifai.client.auth.helper")
    base = os.environ.get("CLARIFAI_API_BASE")
    real = getattr(helper, "DEFAULT_BASE", None)
    if not base or real is None or real == base or optional("clarifai.utils.constants", "DEFAULT_BASE") is not None:
        return
    genuine = helper.ClarifaiAuthHelper.set_base

    def set_base(self, base):
        # Defaults of functions were bound to the constant when they were made.
        genuine(self, os.environ.get("CLARIFAI_API_BASE", base) if base == real else base)

    helper.DEFAULT_BASE = base
    helper.ClarifaiAuthHelper.set_base = set_base


class FollowedTools:
    """Lets ``AgenticModelClass`` look for MCP servers at ``CLARIFAI_API_BASE``: where one is named by the address
    of its page, as the SDK's examples do, it has the platform's own API in its code. It is imported with a model,
    if at all, so this waits for it as a finder of modules."""

    NAME = "clarifai.runners.models.agentic_class"
    REAL = "https://api.clarifai.com/v2/ext/mcp/"

    @classmethod
    def install(cls):
        """Follow from now on."""
        if cls.NAME in sys.modules:
            cls.follow(sys.modules[cls.NAME])
        elif not any(type(finder).__name__ == cls.__name__ for finder in sys.meta_path):
            sys.meta_path.insert(0, cls())

    def find_spec(self, name, path=None, target=None):
        if name != self.NAME:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        genuine = getattr(spec and spec.loader, "exec_module", None)
        if genuine is not None:

            def exec_module(module):
                genuine(module)
                self.follow(module)

            spec.loader.exec_module = exec_module
        return spec

    @classmethod
    def follow(cls, module):
        agentic = getattr(module, "AgenticModelClass", None)
        genuine = getattr(agentic, "_transform_mcp_server_url", None)
        if genuine is None or hasattr(genuine, "__wrapped__"):
            return

        @functools.wraps(genuine)
        def transform(self, url):
            address, base = genuine(self, url), os.environ.get("CLARIFAI_API_BASE")
            if base and address.startswith(cls.REAL):
                return base.rstrip("/") + address[len("https://api.clarifai.com") :]
            return address

        agentic._transform_mcp_server_url = transform


# ── the model's class ──────────────────────────────────────────────────────────────────────────────────────


def is_its_own_runner():
    """Tell whether models are subclasses of ``ModelRunner``, which fetch their work themselves."""
    return optional("clarifai.runners.models.model_builder") is None


def has_signatures():
    """Tell whether methods are marked with ``@ModelClass.method``; else they take and give messages."""
    return hasattr(importlib.import_module("clarifai.runners.models.model_class").ModelClass, "method")


def load_model_class(model_path, *, mocking=False):
    """The model's class, by the SDK's loader. Its constructor would ask the platform and the Hugging Face hub."""
    builder_class = optional("clarifai.runners.models.model_builder", "ModelBuilder")
    if not hasattr(builder_class, "load_model_class"):
        return _only_class(model_path)
    builder = object.__new__(builder_class)
    builder.folder = str(model_path)
    return builder.load_model_class(mocking=mocking)


def _only_class(model_path):
    """The model's class as the server of an SDK finds it that has no loader by itself."""
    places = ("1/model.py",) if is_its_own_runner() else ("model.py", "1/model.py")
    file = next(
        (each for each in (os.path.join(model_path, place) for place in places) if os.path.exists(each)), None
    )
    if file is None:
        raise Exception("Model file not found.")
    spec = importlib.util.spec_from_file_location("model", file)
    module = importlib.util.module_from_spec(spec)
    sys.modules["model"] = module
    spec.loader.exec_module(module)
    found = model_classes(module)
    if len(found) != 1:
        base = base_class()
        raise Exception(
            f"Could not determine model class. There should be exactly one model inheriting from {base.__name__} "
            "defined in the model.py"
        )
    return found[0]


def base_class():
    """The class that models inherit from."""
    if is_its_own_runner():
        return importlib.import_module(_RUNNER).ModelRunner
    return importlib.import_module("clarifai.runners.models.model_class").ModelClass


def model_classes(module):
    """The classes of model.py that the SDK would choose from."""
    base = base_class()
    is_related = optional("clarifai.runners.models.model_builder", "is_related") or issubclass
    classes = [
        each for each in vars(module).values() if inspect.isclass(each) and each.__module__ == module.__name__
    ]
    return [each for each in classes if is_related(each, base)]


def method_infos(model_class):
    """Return the methods of a model's class by name, as the SDK describes them."""
    for name in ("_get_method_infos", "_get_method_info"):
        if hasattr(model_class, name):
            return getattr(model_class, name)()
    missing = getattr(model_class, "__abstractmethods__", ())
    return {name: OldMethod for name in PROTO_METHODS if hasattr(model_class, name) and name not in missing}


# ── the runner ─────────────────────────────────────────────────────────────────────────────────────────────


def serve(job, reloads=None):
    """Be the genuine runner until it ends. ``reloads``: puts edited code behind it (``reload_main.py``)."""
    server = importlib.import_module("clarifai.runners.server")
    path = job["model_path"]
    sys.argv = ["clarifai.runners.server", "--model_path", path]
    given = {
        "user_id": os.environ.get("CLARIFAI_USER_ID"),
        "compute_cluster_id": os.environ.get("CLARIFAI_COMPUTE_CLUSTER_ID"),
        "nodepool_id": os.environ.get("CLARIFAI_NODEPOOL_ID"),
        "runner_id": os.environ.get("CLARIFAI_RUNNER_ID"),
        "pat": job["pat"],
        "base_url": job["base_url"],
        "num_threads": job["num_threads"] or 0,
        "health_check_port": 0,
    }
    model_server = getattr(server, "ModelServer", None)
    serving = model_server.serve if model_server else getattr(server, "serve", None)
    known = inspect.signature(serving).parameters if serving else {}
    tell_runner(given, known)
    complete_config()
    if reloads is not None:
        reloads.capture(server)
    if serving is None:
        if hasattr(server, "ModelBuilder"):
            # Else it asks the platform whether the model's app is there, as no later one does.
            server.ModelBuilder = functools.partial(server.ModelBuilder, download_validation_only=True)
        server.main()
        return
    serving = model_server(path).serve if model_server is not None else functools.partial(serving, path)
    serving(**{name: value for name, value in given.items() if name in known})


def complete_config():
    """Give a builder that does not know the short form of config.yaml what it asks for.

    The platform does: an upload by today's SDK puts the long form into the archive (``normalize_config``).
    """
    builder = optional("clarifai.runners.models.model_builder", "ModelBuilder")
    genuine = getattr(builder, "_load_config", None)
    if genuine is None or hasattr(builder, "normalize_config"):
        return

    @functools.wraps(genuine)
    def load(*args, **options):
        config = genuine(*args, **options)
        model = config.setdefault("model", {})
        for name, value in (("user_id", "me"), ("app_id", "main"), ("model_type_id", "any-to-any")):
            model.setdefault(name, value)
        # How much the replica has is decided before; the builder only wants the section to be there.
        config.setdefault("inference_compute_info", {"cpu_limit": "1", "cpu_memory": "1Gi"})
        return config

    is_static = isinstance(inspect.getattr_static(builder, "_load_config"), staticmethod)
    builder._load_config = staticmethod(load) if is_static else load


@functools.cache
def server_options():
    """The options of the SDK's server that not every version has, and that an image may be given."""
    with contextlib.suppress(Exception):  # of an SDK that cannot be imported, which is told as the error
        server = importlib.import_module("clarifai.runners.server")
        return [each for each in ("--num_threads",) if each in inspect.getsource(server.main)]
    return []


def tell_runner(given, known):
    """Let the runner have what the server of its version does not pass on to it."""
    named = {"num_threads": "num_parallel_polls"}
    more = {named.get(name, name): value for name, value in given.items() if name not in known}
    if not more.get("num_parallel_polls", True):
        del more["num_parallel_polls"]
    runner = optional(_RUNNER, "ModelRunner")
    if not more or runner is None:
        return
    if "health_check_port" in more:
        more["health_check_port"] = None  # 0 was a port of its own then
    genuine = runner.__init__

    @functools.wraps(genuine)
    def make(self, *args, **options):
        genuine(self, *args, **{**options, **more})

    runner.__init__ = make


def set_model(runner, model):
    """Put another model behind a runner."""
    if hasattr(runner, "set_model"):
        runner.set_model(model)
    else:
        runner.model = model
