"""Puts edited code behind a loaded model, inside its replica: a new class, the same instance state.

Runs in the *model's* environment, beside ``zygote_main.py``; the standard library and the SDK only. A replica that
is reloadable has a socket of its own for it, each message one line of JSON:

    replica ──loaded──► emulator ──go (which code that was)──► the runner begins to take work
    emulator ──prepare──► the class statement of the new model.py runs in the namespace of the loaded module
             ◄─prepared (its signatures) or refused (its traceback)──
    emulator ──commit──► requests from here on get the new instance ──committed──►
    emulator ──label──► the same code under another hash (a comment in another file)

Nothing of the module but its model class runs again, so what the module and its helpers hold stays; the plan
(``reload/plan.py``) asks for it only where all else is unchanged. A request in flight keeps the instance, and with
it the class, that it began with. Every first answer of a request tells which code gave it (``Behind``).
"""

import ast
import base64
import hashlib
import json
import linecache
import os
import threading
import traceback
import types

# In a field of the answer that the platform leaves empty; the emulator takes it off again (dispatch/freshness.py).
MARK = "clarifai-emulator-code:"
_METHODS = (types.FunctionType, staticmethod, classmethod, property)


class Behind:
    """What the runner takes for its model: the model, and a mark of its code on what it answers."""

    def __init__(self, model, code):
        self.__dict__.update(_model=model, _mark=MARK + code)

    def __getattr__(self, name):
        return getattr(self._model, name)

    def __setattr__(self, name, value):
        setattr(self._model, name, value)

    def predict_wrapper(self, request):
        response = self._model.predict_wrapper(request)
        response.runner_selector.runner.id = self._mark
        return response

    def generate_wrapper(self, request):
        return self._marked(self._model.generate_wrapper(request))

    def stream_wrapper(self, requests):
        return self._marked(self._model.stream_wrapper(requests))

    def _marked(self, responses):
        responses = iter(responses)
        for response in responses:
            response.runner_selector.runner.id = self._mark
            yield response
            break
        yield from responses


class Reloads:
    """The replica's end of the socket. ``hold`` once the model is loaded, then it serves by itself."""

    def __init__(self, sock, model_path, traceback_of):
        self.model_path = model_path
        self.traceback_of = traceback_of  # (error, model path) -> text, from the model's own first frame on
        self.sock = sock
        self.lines = sock.makefile("rb")
        self.writing = threading.Lock()
        self.runner = None
        self.model = None
        self.code = ""
        self.prepared = None

    def hold(self, model):
        """The model is loaded: wait until the emulator knows which code that was. Gives what the runner gets."""
        self.tell("loaded", signatures=signatures_of(type(model)))
        line = self.lines.readline()
        if not line:
            raise SystemExit(0)
        self.model, self.code = model, json.loads(line)["code"]
        return Behind(model, self.code)

    def serve(self, runner):
        """From now on do what the emulator asks for, in a thread."""
        self.runner = runner
        threading.Thread(target=self.listen, name="reloads", daemon=True).start()

    def listen(self):
        for line in self.lines:
            message = json.loads(line)
            try:
                getattr(self, message["op"])(message)
            except BaseException as error:
                self.refuse(error)

    def prepare(self, message):
        """Make the new class and instance; nothing is used of them yet."""
        self.prepared = None
        if message["before"] != self.code:
            self.tell("refused", kind="OtherCode", error="it has other code than the edit began with", traceback="")
            return
        file = os.path.join(self.model_path, message["file"])
        with open(file, "rb") as source:
            text = source.read()
        if hashlib.sha256(text).hexdigest() != message["content"]:
            self.tell("refused", kind="OtherCode", error=f"{message['file']} has changed again", traceback="")
            return
        new_class = class_of(text, file, message["class_name"], type(self.model))
        instance = new_class.__new__(new_class)
        instance.__dict__ = self.model.__dict__
        found = signatures_of(new_class)
        self.prepared = message["code"], new_class, instance
        self.tell("prepared", signatures=found)

    def commit(self, message):
        """Requests that begin from now on get the new code."""
        code, new_class, instance = self.prepared
        self.prepared = None
        namespace_of(new_class)[new_class.__name__] = new_class
        self.use(instance, code)
        self.tell("committed")

    def label(self, message):
        """The code is as it was, what stands around it is not."""
        self.use(self.model, message["code"])
        self.tell("committed")

    def use(self, instance, code):
        self.model, self.code = instance, code
        self.runner.set_model(Behind(instance, code))
        linecache.checkcache()

    def refuse(self, error):
        self.prepared = None
        trace = self.traceback_of(error, self.model_path)
        said = "".join(traceback.format_exception_only(error)).strip()
        self.tell("refused", kind=type(error).__name__, error=said, traceback=trace)

    def tell(self, event, **fields):
        with self.writing:
            self.sock.sendall(json.dumps({"event": event, **fields}).encode() + b"\n")


def class_of(text, file, name, old):
    """The class of that name, made by its own statement alone, in the namespace of the module as it was loaded."""
    module = ast.parse(text, file)
    module.body = [node for node in module.body if isinstance(node, ast.ClassDef) and node.name == name]
    made = {}
    code = compile(module, file, "exec", dont_inherit=True, flags=future_flags(text, file))
    exec(code, namespace_of(old), made)  # noqa: S102 - the user's own model, as the SDK runs it
    new = made[name]
    for attribute, value in vars(old).items():
        # What the class itself holds stays, with what was put into it since.
        is_state = attribute in vars(new) and not isinstance(value, _METHODS) and not attribute.startswith("__")
        if is_state and not attribute.startswith(("_cf_", "_abc_")):
            setattr(new, attribute, value)
    return new


def future_flags(text, file):
    """What ``from __future__ import …`` of the module says, which its other statements would have brought."""
    import __future__

    names = [
        alias.name
        for node in ast.parse(text, file).body
        if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        for alias in node.names
    ]
    flags = 0
    for name in names:
        flags |= getattr(__future__, name).compiler_flag
    return flags


def namespace_of(model_class):
    """The namespace of the class's module. Not by its name: another model's module may have that by now."""
    methods = (value for value in vars(model_class).values() if isinstance(value, types.FunctionType))
    return next(methods).__globals__


def signatures_of(model_class):
    """The method signatures, as the SDK tells them of the class."""
    infos = model_class._get_method_infos().values()
    return [base64.b64encode(i.signature.SerializeToString()).decode() for i in infos if i.signature is not None]


def capture(server, reloads):
    """Let the SDK's own server build its runner with ``reloads`` in between: the genuine runner is the same."""
    genuine = server.ModelRunner

    def make_runner(*, model, **options):
        runner = genuine(model=reloads.hold(model), **options)
        reloads.serve(runner)
        return runner

    server.ModelRunner = make_runner
