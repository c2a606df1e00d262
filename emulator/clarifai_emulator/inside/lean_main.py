"""Runs the lean runner: the SDK's own runner class does the work, fed over one socket, not a stream per item."""

import contextlib
import importlib
import inspect
import itertools
import os
import queue
import signal
import socket
import struct
import threading
import traceback

HEADER = struct.Struct("<IBQ")
ITEM, MORE, END, CANCEL, HOLD, GO = 1, 2, 3, 4, 5, 6
READY, OUTPUT, LAST, DONE = 10, 11, 12, 13
_READ_AHEAD = 64 * 1024
_SOCKET_BUFFER = 4 * 1024 * 1024
_CANCEL_CHECK_EVERY = 10  # chunks, as the genuine runner does


def is_available():
    """Tell whether this SDK has everything that the lean runner needs; without, the genuine runner serves."""
    from clarifai.runners.models.model_runner import ModelRunner

    return all(hasattr(ModelRunner, f"runner_item_{name}") for name in ("predict", "generate", "stream"))


def run(job, fd, sdk, reloads=None):
    """Load the model, then serve items until the emulator closes the socket or SIGTERM comes. ``sdk``: see
    ``sdk_main.py``."""
    runner, threads = make_runner(job["model_path"], job["base_url"], os.environ, job["num_threads"], sdk, reloads)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    LeanRunner(runner, threads, socket.socket(fileno=fd)).serve()
    os._exit(0)


def builder_for(model_path, base_url, environ):
    """The SDK's loader, told whose model it loads. Else it asks the platform that this process's variables name,
    which in the emulator's own process may be any."""
    from clarifai.runners.models.model_builder import ModelBuilder

    told = {"user_id": environ["CLARIFAI_USER_ID"], "pat": environ["CLARIFAI_PAT"], "base_url": base_url}
    known = inspect.signature(ModelBuilder).parameters
    options = {name: value for name, value in told.items() if name in known}
    return ModelBuilder(model_path, download_validation_only=True, **options)


def make_runner(model_path, base_url, environ, num_threads, sdk, reloads=None):
    """Load the model into the SDK's runner class: the runner, and how many items it takes at once. ``reloads`` puts
    edited code behind it (``reload_main.py``)."""
    from clarifai.runners.models.model_runner import ModelRunner

    sdk.complete_config()
    threads = num_threads or ModelThreads.of(model_path)
    options = {
        "user_id": environ["CLARIFAI_USER_ID"],
        "compute_cluster_id": environ["CLARIFAI_COMPUTE_CLUSTER_ID"],
        "nodepool_id": environ["CLARIFAI_NODEPOOL_ID"],
        "runner_id": environ["CLARIFAI_RUNNER_ID"],
        "base_url": base_url,
        "pat": environ["CLARIFAI_PAT"],
        "num_parallel_polls": threads,
        "health_check_port": None,
    }
    if sdk.is_its_own_runner():
        runner = sdk.load_model_class(model_path)(**options)
        if reloads is not None:
            reloads.hold_runner(runner)
    else:
        model, server = load(model_path, builder_for(model_path, base_url, environ))
        runner = ModelRunner(model=model if reloads is None else reloads.hold(model), **options)
        if server is not None:
            server._runner = runner  # so that changed secrets reload the model
    if reloads is not None:
        reloads.serve(runner)
    return runner, threads


def load(model_path, builder):
    """The model, loaded by this builder, and the server that loads it again when its secrets change; None in its
    place for an SDK that has none."""
    server = importlib.import_module("clarifai.runners.server")
    if not hasattr(server, "ModelServer"):
        return builder.create_model_instance(), None
    if "model_builder" in inspect.signature(server.ModelServer).parameters:
        made = server.ModelServer(model_path, model_builder=builder)
        return made._current_model, made
    genuine, server.ModelBuilder = server.ModelBuilder, lambda *_, **__: builder
    try:
        made = server.ModelServer(model_path)
    finally:
        server.ModelBuilder = genuine
    return made._current_model, made


class ModelThreads:
    """The number of items a model takes at once when nobody else says: its config.yaml's, else the SDK's
    default."""

    DEFAULT = 16

    @classmethod
    def of(cls, model_path):
        import yaml

        with open(os.path.join(model_path, "config.yaml"), encoding="utf-8") as file:
            said = (yaml.safe_load(file) or {}).get("num_threads")
        return int(said or os.environ.get("CLARIFAI_NUM_THREADS", cls.DEFAULT))


class Item:
    """An item in this process: its further inputs, and whether its client went away."""

    def __init__(self, number, runner_item):
        self.number = number
        self.runner_item = runner_item
        self.more = queue.SimpleQueue()  # noqa: TID251 - it is waited for without a timeout, and made for each item
        self.cancelled = False
        self.may_answer = threading.Event()  # cleared while its client is far behind
        self.may_answer.set()


class LeanRunner:
    """Serves items from one socket with a fixed number of workers."""

    def __init__(self, runner, threads, sock):
        self.runner = runner
        self.sock = sock
        self.threads = threads
        self.items = {}
        self.reading = threading.Lock()
        self.writing = threading.Lock()
        self.closed = threading.Event()
        self.received = bytearray()  # beyond the frame that was read last
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _SOCKET_BUFFER)

    def serve(self):
        from clarifai_grpc.grpc.api.resources_pb2 import RunnerMethodType
        from clarifai_grpc.grpc.api.service_pb2 import RunnerItem

        self.parse = RunnerItem.FromString
        self.unary, self.generate = RunnerMethodType.UNARY_UNARY, RunnerMethodType.UNARY_STREAMING
        self.send(self.threads, READY)
        for _ in range(self.threads + 1):
            threading.Thread(target=self.work, daemon=True).start()
        # Not for what the workers still do: nobody could be told of it.
        self.closed.wait()

    def work(self):
        while True:
            with self.reading:
                frame = self.read()
                if frame is None:
                    self.closed.set()
                    return
                item = self.take(*frame)
            if item is not None:
                self.execute(item)

    def take(self, kind, number, payload):
        """Act on a frame; return an item that is to be run now, or None."""
        if kind == ITEM:
            item = self.items[number] = Item(number, self.parse(payload))
            return item
        item = self.items.get(number)
        if item is None:
            return None
        if kind == MORE:
            item.more.put(self.parse(payload))
        elif kind == END:
            item.more.put(None)
        elif kind == HOLD:
            item.may_answer.clear()
        elif kind == GO:
            item.may_answer.set()
        elif kind == CANCEL:
            item.cancelled = True
            item.more.put(None)
            from clarifai_protocol import base_runner

            if hasattr(base_runner, "_trigger_abort"):
                base_runner._trigger_abort(self.runner, item.runner_item.id)
        return None

    def execute(self, item):
        from clarifai.utils.logging import clear_logger_context, set_logger_context
        from clarifai_protocol import base_runner

        current = getattr(base_runner, "_item_id_context", None)
        token = current.set(item.runner_item.id) if current else None
        set_logger_context(req_id=item.runner_item.description)
        try:
            end = self.run_item(item)
        except BaseException as error:
            end = LAST, self.encode(self.failure(error))
        finally:
            if current:
                current.reset(token)
            clear_logger_context()
            del self.items[item.number]
        self.send(item.number, *end)

    def run_item(self, item):
        """Answer the item, all but its end, which is returned: kind and payload of the frame."""
        method_type = item.runner_item.processing_info.runner_method_type
        if method_type == self.unary:
            return LAST, self.encode(self.runner.runner_item_predict(item.runner_item))
        if method_type == self.generate:
            outputs = self.runner.runner_item_generate(item.runner_item)
        else:
            inputs = itertools.chain((item.runner_item,), iter(item.more.get, None))
            outputs = self.runner.runner_item_stream(inputs)
        stopped = False
        for number, output in enumerate(outputs, 1):
            stopped = stopped or (item.cancelled and number % _CANCEL_CHECK_EVERY == 0)
            if not stopped:
                item.may_answer.wait()
                self.send(item.number, OUTPUT, self.encode(output))
        return DONE, b""

    def encode(self, output):
        data = output.multi_output_response.SerializeToString()
        if len(data) > 100 * 1024 * 1024 and hasattr(self.runner, "_truncate_runner_item_output"):
            output, _ = self.runner._truncate_runner_item_output(output)
            data = output.multi_output_response.SerializeToString()
        return data

    def failure(self, error):
        from clarifai_grpc.grpc.api.status import status_code_pb2, status_pb2

        traceback.print_exc()
        status = status_pb2.Status(
            code=status_code_pb2.RUNNER_PROCESSING_FAILED,
            description="Runner Processing Failed",
            details=str(error),
            stack_trace=traceback.format_exc().split("\n"),
        )
        return self.runner.get_runner_item_output_for_status(status)

    def send(self, number, kind, data=b""):
        header = HEADER.pack(len(data), kind, number)
        with self.writing, contextlib.suppress(OSError):
            if len(data) < 65536:
                self.sock.sendall(header + data)
            else:
                self.sock.sendall(header)
                self.sock.sendall(data)

    def read(self):
        """The next frame, or None when the emulator has closed the socket."""
        header = self.read_exactly(HEADER.size)
        if header is None:
            return None
        length, kind, number = HEADER.unpack(header)
        payload = self.read_exactly(length) if length else b""
        return None if payload is None else (kind, number, payload)

    def read_exactly(self, size):
        try:
            if size <= _READ_AHEAD:
                while len(self.received) < size:
                    data = self.sock.recv(_READ_AHEAD)
                    if not data:
                        return None
                    self.received += data
                data = bytes(self.received[:size])
                del self.received[:size]
                return data
            data = bytearray(size)
            got = len(self.received)
            data[:got] = self.received
            self.received.clear()
            view = memoryview(data)
            while got < size:
                count = self.sock.recv_into(view[got:])
                if not count:
                    return None
                got += count
            return bytes(data)
        except OSError:
            return None
