"""Names, in the calls that a model makes to the emulator, the item that the model was working on when it made them.

    item ─► context variable of the runner ─► threads, pools and tasks that the model starts
                                           ─► gRPC metadata, HTTP header of calls to the emulator's own address

Runs in the *model's* interpreter, beside ``lean_main.py``; the standard library and the SDK only. A call outside an
item and a call to any other address stay as they are. What is named proves nothing: the emulator believes it only
of the replica that has the item.
"""

import concurrent.futures
import concurrent.futures.thread
import contextvars
import functools
import http.client
import importlib
import importlib.util
import sys
import threading
from urllib.parse import urlsplit

HEADER = "x-clarifai-emulator-parent"
_LOOPBACKS = frozenset(("127.0.0.1", "localhost", "::1", "0.0.0.0"))  # noqa: S104 - compared, not listened at
_PORTS = {"https": 443}
_OPENERS = ("secure_channel", "insecure_channel")
_METHODS = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
_POOL_WORKER = getattr(concurrent.futures.thread, "_worker", None)

# The item for which a thread of the model works or a message is sent, empty for none; the runner's own variable is
# that of the thread that has the item.
lent_item = contextvars.ContextVar("clarifai_emulator_item", default=None)


def place_of(url):
    """Return the host and port of a URL, one name for all that mean this machine."""
    parts = urlsplit(url if "//" in url else f"//{url}")
    return _place(parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 80))


def _place(host, port):
    host = host.strip("[]").rstrip(".").lower()
    return ("localhost" if host in _LOOPBACKS else host, port)


class CallChain:
    """Sees to the calls of one process. ``base_url``: the emulator, as the model's clients know it. ``also``: more
    variables of the context that threads of the model have from who starts them."""

    def __init__(self, base_url, *also):
        self.also = also
        self.own = place_of(base_url)
        self.own_item = own_variable()
        self.undo = []

    def item(self):
        """Return the id of the item that is being worked on here; None outside of one."""
        lent = lent_item.get()
        return (self.own_item.get() if lent is None else lent) or None

    def is_own(self, host, port):
        return _place(host, port) == self.own

    def install(self):
        """Name items from now on; the function that is returned ends that."""
        self.lend_to_threads()
        for module in filter(None, map(sys.modules.get, ("grpc", "grpc.aio"))):
            self.wrap_channels(module)
        self.put(http.client.HTTPConnection, "endheaders", self.endheaders)
        later = {"httpx": self.wrap_httpx, "httpx2": self.wrap_httpx, "aiohttp": self.wrap_aiohttp}
        later |= {"mcp.shared.message": self.wrap_messages, "mcp.client.streamable_http": self.wrap_sending}
        for name, wrap in later.items():
            if name in sys.modules:
                wrap(sys.modules[name])
        missing = {name: wrap for name, wrap in later.items() if name not in sys.modules}
        finder = LateImports(missing)
        sys.meta_path.insert(0, finder)
        self.undo.append(lambda: sys.meta_path.remove(finder))
        return self.uninstall

    def uninstall(self):
        while self.undo:
            self.undo.pop()()

    def put(self, owner, name, make):
        """Put in the place of a function what ``make`` makes of it."""
        genuine = getattr(owner, name, None)
        if genuine is None:
            return
        replaced = functools.wraps(genuine)(make(genuine))
        setattr(owner, name, replaced)
        self.undo.append(lambda: getattr(owner, name) is replaced and setattr(owner, name, genuine))

    # Threads that the model starts: they begin without any context.

    def lend_to_threads(self):
        self.put(threading.Thread, "start", self.thread_start)
        self.put(concurrent.futures.ThreadPoolExecutor, "submit", self.submit)

    def thread_start(self, genuine):
        def start(thread):
            # A thread of a pool works for whoever submits, not for whoever made the pool grow.
            if (item := self.item()) is not None and getattr(thread, "_target", None) is not _POOL_WORKER:
                thread.run = functools.partial(_lend, self.lent(item), thread.run)
            return genuine(thread)

        return start

    def lent(self, item):
        return ((lent_item, item), *((each, each.get()) for each in self.also))

    def submit(self, genuine):
        def submit(pool, function, /, *args, **named):
            item = self.item()
            if item is None:
                return genuine(pool, function, *args, **named)
            return genuine(pool, _lend, self.lent(item), function, *args, **named)

        return submit

    # gRPC.

    def wrap_channels(self, module):
        """Let the channels of a grpc module to the emulator name the item in each call."""
        kind = _channel_class(module)
        for name in _OPENERS:
            self.put(module, name, functools.partial(self.opener, kind))

    def opener(self, kind, genuine):
        def open_channel(target, *args, **named):
            channel = genuine(target, *args, **named)
            try:
                is_own = place_of(str(target).rpartition("/")[2]) == self.own
            except ValueError:  # no address with a port
                is_own = False
            return kind(channel, self.item) if is_own else channel

        return open_channel

    # HTTP.

    def endheaders(self, genuine):
        """Of ``http.client``, over which requests, urllib3 and urllib send."""

        def endheaders(connection, *args, **named):
            if (item := self.item()) is not None and self.is_own(connection.host, connection.port):
                connection.putheader(HEADER, item)
            return genuine(connection, *args, **named)

        return endheaders

    def wrap_httpx(self, module):
        def of(genuine):
            def send(client, request, *args, **named):
                self.name_in(request)
                return genuine(client, request, *args, **named)

            return send

        # Of each request by itself, so that a redirect takes nothing elsewhere.
        for name in ("Client", "AsyncClient"):
            self.put(getattr(module, name), "_send_single_request", of)

    def name_in(self, request):
        item = self.item()
        if item is not None and self.is_own(
            request.url.host, request.url.port or _PORTS.get(request.url.scheme, 80)
        ):
            request.headers[HEADER] = item
        elif HEADER in request.headers:
            del request.headers[HEADER]

    def wrap_aiohttp(self, module):
        def of(genuine):
            def send(request, *args, **named):
                if (item := self.item()) is not None and self.is_own(request.url.host or "", request.url.port):
                    request.headers[HEADER] = item
                return genuine(request, *args, **named)

            return send

        self.put(getattr(module, "ClientRequest", None), "send", of)

    # MCP: a connection's own task sends what is put into it, in the context of who made the connection.

    def wrap_messages(self, module):
        """Let messages keep the item for which they are made."""

        def of(genuine):
            def made(message, /, *args, **named):
                genuine(message, *args, **named)
                message._clarifai_emulator_item = self.item()

            return made

        if (kind := getattr(module, "SessionMessage", None)) is not None:
            self.put(kind, "__init__", of)

    def wrap_sending(self, module):
        """Let a connection send a message for the item that the message keeps, not for that of the connection."""

        def of(genuine):
            async def send(transport, context, *args, **named):
                before, message = lent_item.get(), getattr(context, "session_message", None)
                if hasattr(message, "_clarifai_emulator_item"):
                    lent_item.set(message._clarifai_emulator_item or "")
                try:
                    return await genuine(transport, context, *args, **named)
                finally:
                    lent_item.set(before)

            return send

        if (kind := getattr(module, "StreamableHTTPTransport", None)) is not None:
            self.put(kind, "_handle_post_request", of)


def own_variable():
    """Return the variable in which the SDK's runner keeps the id of its item; one of ours where it has none."""
    try:
        importlib.import_module("clarifai.runners.models.model_runner")  # the two import each other, it first
        runner = importlib.import_module("clarifai_protocol.base_runner")
    except ImportError:  # an SDK of before it
        return contextvars.ContextVar("item_id", default=None)
    if not hasattr(runner, "_item_id_context"):
        runner._item_id_context = contextvars.ContextVar("item_id", default=None)  # ``lean_main.py`` sets it
    return runner._item_id_context


def _lend(lent, function, /, *args, **named):
    tokens = [(variable, variable.set(value)) for variable, value in lent]
    try:
        return function(*args, **named)
    finally:
        for variable, token in tokens:
            variable.reset(token)


@functools.cache
def _channel_class(module):
    """Make a class of channels that name the item in each call, of the kind that ``module`` opens."""

    class NamingChannel(module.Channel):
        def __init__(self, channel, item):
            self._channel = channel
            self._item = item

        def __enter__(self):
            self._channel.__enter__()
            return self

        def __exit__(self, *error):
            return self._channel.__exit__(*error)

        async def __aenter__(self):
            await self._channel.__aenter__()
            return self

        async def __aexit__(self, *error):
            return await self._channel.__aexit__(*error)

        def __getattr__(self, name):
            return getattr(self._channel, name)

    methods = {name: _naming(module, name) for name in _METHODS}
    for name in module.Channel.__abstractmethods__ - {"__enter__", "__exit__", "__aenter__", "__aexit__"}:
        setattr(NamingChannel, name, methods.get(name) or _passing(name))
    NamingChannel.__abstractmethods__ = frozenset()
    return NamingChannel


def _passing(name):
    def call(self, *args, **named):
        return getattr(self._channel, name)(*args, **named)

    return call


def _naming(module, name):
    """Return a channel's method that makes the callables of stubs. Stubs are told apart by their classes."""
    base = getattr(module, f"{''.join(word.title() for word in name.split('_'))}MultiCallable")
    kind = type(f"Naming{base.__name__}", (NamingCall, base), {})
    kind.__abstractmethods__ = frozenset()

    def make(self, *args, **named):
        return kind(getattr(self._channel, name)(*args, **named), self._item)

    return make


class NamingCall:
    """The callable of a stub; names the item in each call."""

    def __init__(self, call, item):
        self._call = call
        self._item = item

    def __call__(self, *args, **named):
        return self._call(*self._naming(args, named), **named)

    def with_call(self, *args, **named):
        return self._call.with_call(*self._naming(args, named), **named)

    def future(self, *args, **named):
        return self._call.future(*self._naming(args, named), **named)

    def _naming(self, args, named):
        """Put the item into the metadata, the third argument where it is given by place; return those by place."""
        item = self._item()
        if item is None:
            return args
        if len(args) > 2:
            return (*args[:2], (*(args[2] or ()), (HEADER, item)), *args[3:])
        named["metadata"] = (*(named.get("metadata") or ()), (HEADER, item))
        return args

    def __getattr__(self, name):
        return getattr(self._call, name)


class LateImports:
    """Wraps a module once it has been imported. ``wraps``: what wraps it, by name."""

    def __init__(self, wraps):
        self._wraps = wraps

    def find_spec(self, name, path=None, target=None):
        wrap = self._wraps.pop(name, None) if name in self._wraps else None
        if wrap is None:
            return None
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            self._wraps[name] = wrap
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            execute(module)
            wrap(module)

        spec.loader.exec_module = exec_module
        return spec
