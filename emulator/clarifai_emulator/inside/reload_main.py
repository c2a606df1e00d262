"""Puts edited code behind a loaded model, inside its replica: a new class, the same instance state.

Runs in the *model's* environment, beside ``zygote_main.py``; the standard library and the SDK only. A replica that
is reloadable has a socket of its own for it, each message one line of JSON:

    replica ──loaded──► emulator ──go (which code that was)──► the runner begins to take work
    emulator ──prepare──► the class statement of the new model.py runs in the namespace of the loaded module, and
                          functions of other modules in theirs
             ◄─prepared (its signatures) or refused (its traceback)──
    emulator ──commit──► requests from here on get the new instance ──committed──►
    emulator ──label──► the same code under another hash (a comment in another file)

Nothing of the module but its model class runs again, so what the module and its helpers hold stays; the plan
(``reload/plan.py``) asks for it only where all else is unchanged. A request in flight keeps the instance, and with
it the class, that it began with. Every first answer of a request tells which code gave it (``Behind``).
"""

import ast
import base64
import contextlib
import hashlib
import json
import linecache
import os
import sys
import threading
import traceback
import types

# In a field of the answer that the platform leaves empty; the emulator takes it off again (dispatch/code_mark.py).
MARK = "clarifai-emulator-code:"
# The numbers of that field: runner_selector, in it runner, in it id.
MARK_PATH = (3, 2, 1)
# So long a swap of functions beside the model waits for requests to end, and holds up new ones.
REST_SECONDS = 0.5
_METHODS = (types.FunctionType, staticmethod, classmethod, property)


class OtherCode(Exception):
    """This replica cannot take the edit, or cannot now; a fresh one can."""


class RunningRequests:
    """The requests that are at work, so that code under them changes only while there are none."""

    def __init__(self):
        self.changed = threading.Condition()
        self.count = 0

    def __enter__(self):
        with self.changed:
            self.count += 1

    def __exit__(self, *_):
        with self.changed:
            self.count -= 1
            self.changed.notify_all()

    @contextlib.contextmanager
    def at_rest(self):
        """A moment at which no request is at work, nor begins."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.count == 0, REST_SECONDS):
                raise OtherCode("a request is still at work with the code it began with")
            yield


def put_mark(response, mark):
    """Put the mark on an answer; messages that are older than its field carry it as one that they do not know."""
    with contextlib.suppress(AttributeError):
        response.runner_selector.runner.id = mark
        return
    packed = mark.encode()
    for number in reversed(MARK_PATH):
        assert len(packed) < 128  # one byte says how long it is
        packed = bytes([number << 3 | 2, len(packed)]) + packed
    response.MergeFromString(packed)


class Behind:
    """The object that the runner takes for its model: the model, and a mark of its code on what it answers."""

    def __init__(self, model, code, work=None):
        self.__dict__.update(_model=model, _mark=MARK + code, _work=work or RunningRequests())

    def __getattr__(self, name):
        return getattr(self._model, name)

    def __setattr__(self, name, value):
        setattr(self._model, name, value)

    def predict_wrapper(self, request):
        with self._work:
            response = self._model.predict_wrapper(request)
        put_mark(response, self._mark)
        return response

    def generate_wrapper(self, request):
        return self._marked(self._model.generate_wrapper(request))

    def stream_wrapper(self, requests):
        return self._marked(self._model.stream_wrapper(requests))

    def _marked(self, responses):
        with self._work:
            responses = iter(responses)
            for response in responses:
                put_mark(response, self._mark)
                yield response
                break
            yield from responses


def mark_runner(runner, model_class, code, work):
    """Let a model that is its own runner answer by this class, with a mark of its code on what it answers."""

    class Marked(model_class):
        def predict_wrapper(self, request):
            return Behind(super(), code, work).predict_wrapper(request)

        def generate_wrapper(self, request):
            return Behind(super(), code, work).generate_wrapper(request)

        def stream_wrapper(self, requests):
            return Behind(super(), code, work).stream_wrapper(requests)

    Marked.__name__, Marked.__qualname__ = model_class.__name__, model_class.__qualname__
    runner.__class__ = Marked


class Reloads:
    """The replica's end of the socket. ``hold`` once the model is loaded, then it serves by itself."""

    swaps_helpers = True

    def __init__(self, sock, model_path, traceback_of, sdk):
        self.sdk = sdk  # see sdk_main.py
        self.model_path = model_path
        self.traceback_of = traceback_of  # (error, model path) -> text, from the model's own first frame on
        self.sock = sock
        self.lines = sock.makefile("rb")
        self.writing = threading.Lock()
        self.runner = None
        self.model = None
        self.code = ""
        self.prepared = None
        self.own_class = None  # of a model that is its own runner
        self.work = RunningRequests()

    def hold(self, model):
        """The model is loaded: wait until the emulator knows which code that was. Gives what the runner gets."""
        self.take_up(model)
        return Behind(model, self.code, self.work)

    def hold_runner(self, runner):
        """Hold a model that is its own runner, as ``hold`` does."""
        self.take_up(runner)
        self.own_class = type(runner)
        mark_runner(runner, self.own_class, self.code, self.work)

    def take_up(self, model):
        self.tell("loaded", signatures=self.signatures_of(type(model)))
        line = self.lines.readline()
        if not line:
            raise SystemExit(0)
        self.model, self.code = model, json.loads(line)["code"]

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
        """Make the new class, instance and functions; nothing is used of them yet."""
        self.prepared = None
        if message["before"] != self.code:
            raise OtherCode("it has other code than the edit began with")
        old_class = self.own_class or type(self.model)
        new_class, helpers = old_class, []
        for edit in message["edits"]:
            file = os.path.join(self.model_path, edit["file"])
            text = self.text_of(file, edit)
            if edit.get("class_name"):
                new_class = class_of(text, file, edit["class_name"], old_class)
            else:
                helpers.append(self.helper_of(text, file, edit))
        instance = self.model
        if new_class is not old_class and not self.own_class:
            instance = new_class.__new__(new_class)
            instance.__dict__ = self.model.__dict__
        found = self.signatures_of(new_class)
        self.prepared = message["code"], new_class, instance, helpers
        self.tell("prepared", signatures=found)

    def text_of(self, file, edit):
        with open(file, "rb") as source:
            text = source.read()
        if hashlib.sha256(text).hexdigest() != edit["content"]:
            raise OtherCode(f"{edit['file']} has changed again")
        return text

    def helper_of(self, text, file, edit):
        if not self.swaps_helpers:
            raise OtherCode("modules beside model.py are loaded anew here")
        holders = {each: self.namespace_at(each) for each, _, _ in edit["names"]}
        return Helper(text, file, edit, holders)

    def namespace_at(self, file):
        own = namespace_of(self.own_class or type(self.model))
        path = os.path.realpath(os.path.join(self.model_path, file))
        return own if os.path.realpath(own.get("__file__", "")) == path else module_at(path)

    def commit(self, message):
        """Requests that begin from now on get the new code."""
        code, new_class, instance, helpers = self.prepared
        self.prepared = None
        # A request that is at work would go on with some functions of the old code and some of the new.
        with self.work.at_rest() if helpers or self.own_class else contextlib.nullcontext():
            for helper in helpers:
                helper.apply()
            namespace_of(new_class)[new_class.__name__] = new_class
            self.use(instance, code, new_class)
        self.tell("committed")

    def label(self, message):
        """The code is as it was, what stands around it is not."""
        self.use(self.model, message["code"], self.own_class)
        self.tell("committed")

    def use(self, instance, code, new_class):
        self.model, self.code = instance, code
        if self.own_class:
            self.own_class = new_class
            mark_runner(instance, new_class, code, self.work)
        else:
            self.sdk.set_model(self.runner, Behind(instance, code, self.work))
        linecache.checkcache()

    def refuse(self, error):
        self.prepared = None
        if isinstance(error, OtherCode):
            self.tell("refused", kind="OtherCode", error=str(error), traceback="")
            return
        trace = self.traceback_of(error, self.model_path)
        said = "".join(traceback.format_exception_only(error)).strip()
        self.tell("refused", kind=type(error).__name__, error=said, traceback=trace)

    def signatures_of(self, model_class):
        """The method signatures, as the SDK tells them of the class."""
        infos = self.sdk.method_infos(model_class).values()
        return [
            base64.b64encode(i.signature.SerializeToString()).decode() for i in infos if i.signature is not None
        ]

    def capture(self, server):
        """Let the SDK's own server build its runner with this in between: the genuine runner is the same."""
        if self.sdk.is_its_own_runner():
            genuine_start = self.sdk.base_class().start

            def start(runner):
                self.hold_runner(runner)
                self.serve(runner)
                genuine_start(runner)

            self.sdk.base_class().start = start
            return
        genuine = server.ModelRunner

        def make_runner(*, model, **options):
            runner = genuine(model=self.hold(model), **options)
            self.serve(runner)
            return runner

        server.ModelRunner = make_runner

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


class Helper:
    """An edit of a module beside the model's: what it holds gets other code, and stays what it is to everybody who
    holds it."""

    def __init__(self, text, file, edit, holders):
        self.namespace = module_at(file)
        wanted = {*edit["functions"], *edit["constants"], *(each.partition(".")[0] for each in edit["methods"])}
        module = ast.parse(text, file)
        module.body = [node for node in module.body if name_of(node) in wanted]
        self.made = {}
        code = compile(module, file, "exec", dont_inherit=True, flags=future_flags(text, file))
        exec(code, self.namespace, self.made)  # noqa: S102 - the user's own model
        self.constants = edit["constants"]
        self.names = [(holders[each], there, name) for each, there, name in edit["names"]]
        self.bodies = [*self.functions_of(edit["functions"]), *self.methods_of(edit["methods"])]
        self.new = [name for name in edit["functions"] if name not in self.namespace]

    def functions_of(self, names):
        return [pair(self.namespace[name], self.made[name]) for name in names if name in self.namespace]

    def methods_of(self, names):
        for each in names:
            owner, _, name = each.partition(".")
            olds, news = vars(self.namespace[owner])[name], vars(self.made[owner])[name]
            for part in ("fget", "fset", "fdel"):
                if getattr(olds, part, None) is not None and getattr(news, part, None) is not None:
                    yield pair(getattr(olds, part), getattr(news, part))
            if not isinstance(olds, property):
                yield pair(getattr(olds, "__func__", olds), getattr(news, "__func__", news))

    def apply(self):
        for old, new in self.bodies:
            take_over(old, new)
        for name in (*self.new, *self.constants):
            self.namespace[name] = self.made[name]
        for namespace, there, name in self.names:
            namespace[there] = self.made[name]


def take_over(old, new):
    """Give a function the code of another, and what belongs to it."""
    for part in ("__code__", "__defaults__", "__kwdefaults__", "__doc__"):
        setattr(old, part, getattr(new, part))
    # Python 3.14 makes annotations when they are first asked for: asking now could fail where the model never asks.
    made_later = getattr(new, "__annotate__", None) is not None
    part = "__annotate__" if made_later else "__annotations__"
    setattr(old, part, getattr(new, part))


def pair(old, new):
    """Two functions of which one can take the other's code. Raises ``OtherCode``."""
    plain = isinstance(old, types.FunctionType) and isinstance(new, types.FunctionType)
    if not plain or old.__code__.co_freevars or new.__code__.co_freevars:
        raise OtherCode(f"{getattr(new, '__qualname__', new)} is no plain function")
    return old, new


def name_of(node):
    """The name that a statement gives; None for statements that give none, or several."""
    if isinstance(node, ast.Assign):
        return node.targets[0].id if isinstance(node.targets[0], ast.Name) else None
    if isinstance(node, ast.AnnAssign):
        return node.target.id if isinstance(node.target, ast.Name) else None
    return getattr(node, "name", None)


def module_at(file):
    """The namespace of the module that was imported from this file. Raises ``OtherCode``."""
    wanted = os.path.realpath(file)
    for module in tuple(sys.modules.values()):
        if os.path.realpath(getattr(module, "__file__", None) or "") == wanted:
            return vars(module)
    raise OtherCode(f"{os.path.basename(file)} is not imported")


def future_flags(text, file):
    """Return the flags of the module's ``from __future__ import …``, which its other statements would have
    brought."""
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
