"""Notes which variables a model asks for that are set where the emulator runs and withheld from it, and tells so
once, where the model fails.

Runs in the *model's* environment, beside ``zygote_main.py``; the standard library and the SDK only. It knows the
names of such variables and none of their values. A look-up of a variable that is set costs nothing more.
"""

import functools
import importlib
import os
import sys

MARK = "[emulator] "
_MODEL_CLASS = "clarifai.runners.models.model_class"
_WRAPPERS = ("predict_wrapper", "generate_wrapper", "stream_wrapper")
# A library that looks for one of these is mostly about to need it (backends/replica_environ.py).
_CREDENTIALS = ("AUTH", "CREDENTIAL", "KEY", "PASS", "SECRET", "TOKEN")


class NotedVariables(dict):
    """Holds the variables of this process, and tells ``asked`` of those that are looked for and not there."""

    def __init__(self, variables, asked):
        super().__init__(variables)
        self.asked = asked

    def __missing__(self, name):
        self.asked(name)
        raise KeyError(name)


class WithheldVariables:
    """Remembers what the model in ``model_path`` asked for, of the variables with these names."""

    def __init__(self, names, model_path):
        self.names = {os.fsencode(name): name for name in names}
        self.inside = os.path.join(model_path, "")
        self.asked = {}  # name -> whether it is surely the model's concern
        self.told = set()

    def watch(self):
        """Note what is asked for from now on."""
        variables = NotedVariables(os.environ._data, self.ask)
        os.environ._data = variables
        if hasattr(os, "environb"):
            os.environb._data = variables  # they are one

    def ask(self, encoded):
        """Take note of a look-up."""
        name = self.names.get(encoded)
        if name is None:
            return
        if not self.asked.get(name):
            is_credential = any(word in name.upper() for word in _CREDENTIALS)
            self.asked[name] = is_credential or asks(self.inside)

    def tell(self, failure):
        """Return a sentence about what the model asked for before it failed with these words, and has not been told
        yet; empty for nothing."""
        names = [
            name
            for name, is_its_concern in self.asked.items()
            if (is_its_concern or name in failure) and name not in self.told and name not in os.environ
        ]
        self.told.update(names)
        return sentence(names)


def sentence(names):
    """The sentence about these variables; empty for none."""
    if not names:
        return ""
    options = " ".join(f"--env {name}" for name in names)
    listed, are, them, secrets = names[0], "is", "it", "a secret"
    if len(names) > 1:
        listed, are, them, secrets = f"{', '.join(names[:-1])} and {names[-1]}", "are", "them", "secrets"
    return (
        f"{MARK}{listed} {are} set in your environment, but replicas do not get {them}: "
        f"declare {them} as {secrets} in config.yaml, or start the emulator with `{options}` "
        f"(in tests: `{options.replace('--env', '--clarifai-env')}`)."
    )


def asks(folder):
    """Tell whether it is code below this folder that looks a variable up."""
    frame = sys._getframe(2)
    while frame is not None:
        file = frame.f_code.co_filename
        if file != __file__ and not file.startswith("<frozen ") and os.path.basename(file) not in _OF_PYTHON:
            return file.startswith(folder)
        frame = frame.f_back
    return False


_OF_PYTHON = ("os.py", "_collections_abc.py")


def tell_in_answers(withheld):
    """Let the answers of methods that fail say what was asked for. Others cost a call of a function more."""
    if not withheld.names:
        return
    try:
        model_class = importlib.import_module(_MODEL_CLASS).ModelClass
    except (ImportError, AttributeError):
        return  # of an SDK that has none; a model that cannot be loaded is told of it all the same
    for name in _WRAPPERS:
        genuine = getattr(model_class, name, None)
        if genuine is not None:
            setattr(model_class, name, (_of_one if name == _WRAPPERS[0] else _of_many)(genuine, withheld))


def _of_one(genuine, withheld):
    @functools.wraps(genuine)
    def wrapper(*args, **options):
        response = genuine(*args, **options)
        if withheld.asked:
            amend(response, withheld)
        return response

    return wrapper


def _of_many(genuine, withheld):
    @functools.wraps(genuine)
    def wrapper(*args, **options):
        for response in genuine(*args, **options):
            if withheld.asked:
                amend(response, withheld)
            yield response

    return wrapper


def amend(response, withheld):
    """Say in a failed answer, and in the log, what was asked for."""
    from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

    status = response.status
    if status.code in (StatusCode.ZERO, StatusCode.SUCCESS) or len(withheld.told) == len(withheld.asked):
        return
    said = withheld.tell("\n".join([status.details, *status.stack_trace]))
    if said:
        status.details = f"{status.details}\n{said}"
        print(said, file=sys.stderr)
