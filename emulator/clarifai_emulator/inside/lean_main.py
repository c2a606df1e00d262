"""Runs the lean runner: the SDK's own runner class does the work, handed to it over sockets, not a stream per item.

    emulator ──CHANNEL with a socket──► the main thread ──► a thread, which serves this socket
             ──ITEM, MORE …, END──────► that thread ──OUTPUT …, LAST or DONE──► emulator
             ──CANCEL─────────────────► the main thread
    emulator ◄─READY (so many threads), or ASKING and an ADMITS for each item that the model admits

A frame is a header (length of the payload, kind, number of the item) and the payload. A thread waits for its own
socket only, so nothing is queued for and no lock is waited for on an item's way.
"""

import collections
import contextlib
import importlib
import inspect
import itertools
import os
import signal
import socket
import struct
import sys
import threading
import time
import traceback

HEADER = struct.Struct("<IBQ")
ITEM, MORE, END, CANCEL, CHANNEL = 1, 2, 3, 4, 5
READY, OUTPUT, LAST, DONE, GENUINE, ASKING, ADMITS = 10, 11, 12, 13, 14, 15, 16
SOCKET_BUFFER = 4 * 1024 * 1024
_LARGE = 64 * 1024
_MOST_BYTES = 100 * 1024 * 1024  # of an output, on the platform
_CANCEL_CHECK_EVERY = 10  # chunks, as the genuine runner does
# So long the first output of a stream is under way alone: on a machine with few cores, a model that writes on at
# full speed would keep the emulator and the client from taking it.
HEAD_START = 0.0005
_INTERRUPTED = 130  # the exit code of the genuine runner after SIGINT
# What stands in the way of the lean runner, as messages say it.
_PARTS = ("runner_item_predict", "runner_item_generate", "runner_item_stream", "get_runner_item_output_for_status")


def why_not():
    """Say what this SDK lacks that the lean runner stands on; empty where it has everything."""
    try:
        from clarifai.runners.models.model_runner import ModelRunner
        from clarifai.utils.logging import clear_logger_context, set_logger_context  # noqa: F401
    except ImportError as error:
        return f"the SDK in the model's environment cannot be fed: {error}"
    missing = [name for name in _PARTS if not hasattr(ModelRunner, name)]
    if missing:
        return f"the SDK in the model's environment has no ModelRunner.{missing[0]}"
    return ""


def decline(fd, reason):
    """Tell the emulator that the genuine runner serves instead, and why."""
    with socket.socket(fileno=fd) as control:
        said = reason.encode()
        control.sendall(HEADER.pack(len(said), GENUINE, 0) + said)


def run(job, fd, sdk, reloads=None):
    """Load the model, then serve items until the emulator closes the socket or SIGTERM comes. ``sdk``: see
    ``sdk_main.py``."""
    sys.argv = ["clarifai.runners.server", "--model_path", job["model_path"]]  # as the genuine runner has it
    environ = {**os.environ, "CLARIFAI_PAT": job["pat"]}  # the model's own may be another one
    runner, threads = make_runner(job["model_path"], job["base_url"], environ, job["num_threads"], sdk, reloads)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    try:
        LeanRunner(runner, threads, socket.socket(fileno=fd)).serve()
    except KeyboardInterrupt:
        os._exit(_INTERRUPTED)
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
    """An item in this process, and whether its client went away."""

    def __init__(self, number, runner_item):
        self.number = number
        self.runner_item = runner_item
        self.cancelled = False
        self.ended = False


class ItemRunner:
    """Takes items through the SDK's runner class. Where they come from is a channel's matter: it can ``pack`` a
    response, which gives its size, too, and ``answer`` with it, and ``further`` gives the client's further
    messages."""

    def __init__(self, runner, threads):
        from clarifai.utils.logging import clear_logger_context, set_logger_context
        from clarifai_grpc.grpc.api.resources_pb2 import RunnerMethodType
        from clarifai_protocol import base_runner

        self.runner = runner
        self.threads = threads
        self.items = {}
        self.unary, self.generate = RunnerMethodType.UNARY_UNARY, RunnerMethodType.UNARY_STREAMING
        self.set_context, self.clear_context = set_logger_context, clear_logger_context
        # A model that wants to be asked before each item is taken, as the genuine runner asks it.
        self.is_asked = hasattr(getattr(runner, "model", None), "check_admission")
        self.has_free = threading.Semaphore(threads)
        self.has_ended = threading.Event()  # an item, since the model was asked last
        self.counting = threading.Lock()
        self.granted = 0  # items that the emulator was admitted and that have not ended
        self.current = getattr(base_runner, "_item_id_context", None)
        self.abort = getattr(base_runner, "_trigger_abort", None)

    def cancel(self, number):
        """The client of an item went away: tell the model."""
        item = self.items.get(number)
        if item is not None:
            item.cancelled = True
            if self.abort is not None:
                self.abort(self.runner, item.runner_item.id)

    def admit(self, say):
        """Say of each thread that has nothing to do that it may have an item, once the model admits one. As in the
        genuine runner, one thread is not held back, and one for which asking fails is lost."""
        while self.has_free.acquire() and self.is_asked:
            if self.is_admitted():
                with self.counting:
                    self.granted += 1
                say()

    def is_admitted(self):
        while self.is_asked and self.granted:
            self.has_ended.clear()
            try:
                if self.runner.check_admission():
                    break
            except Exception:
                traceback.print_exc()
                return False
            self.has_ended.wait(self.runner.admission_control_backoff)
        return self.is_asked

    def ask_no_more(self):
        """Let ``admit`` come to its end."""
        self.is_asked = False
        self.has_free.release()

    def execute(self, number, runner_item, channel):
        """Answer an item, to its end."""
        item = self.items[number] = Item(number, runner_item)
        token = self.current.set(runner_item.id) if self.current else None
        self.set_context(req_id=runner_item.description)
        try:
            last = self.run_item(item, channel)
        except Exception as error:
            last = self.packed(self.failure(error), channel)
        except SystemExit as stop:
            self.leave(stop)
            last = self.packed(self.failure(stop), channel)
        except BaseException:
            traceback.print_exc()
            last = None  # the genuine runner ends such an item without an output
        finally:
            if self.current:
                self.current.reset(token)
            self.clear_context()
            item.ended = True
            del self.items[number]
        channel.answer(number, LAST if last is not None else DONE, last)
        if self.is_asked:
            with self.counting:
                self.granted -= 1
            self.has_ended.set()
            self.has_free.release()

    def run_item(self, item, channel):
        """Answer the item, all but its last output, which is returned; None where there is none left."""
        method_type = item.runner_item.processing_info.runner_method_type
        if method_type == self.unary:
            return self.packed(self.runner.runner_item_predict(item.runner_item), channel)
        if method_type == self.generate:
            outputs = self.runner.runner_item_generate(item.runner_item)
        else:
            inputs = itertools.chain((item.runner_item,), channel.further(item))
            outputs = self.runner.runner_item_stream(inputs)
        stopped, began = False, 0.0
        for number, output in enumerate(outputs, 1):
            stopped = stopped or (item.cancelled and number % _CANCEL_CHECK_EVERY == 0)
            if not stopped:
                if number == 2:
                    time.sleep(max(0.0, began + HEAD_START - time.monotonic()))
                channel.answer(item.number, OUTPUT, self.packed(output, channel))
                if number == 1:
                    began = time.monotonic()
        return None

    def leave(self, stop):
        """A method has called ``sys.exit``, which is not a replica's to do where it shares its process."""

    def packed(self, output, channel):
        """The response of an output as the channel takes it; of one that is larger than the platform takes, as the
        SDK cuts it. Its size is known once it is packed: to ask for it takes as long as that."""
        size, packed = channel.pack(output.multi_output_response)
        if size > _MOST_BYTES and hasattr(self.runner, "_truncate_runner_item_output"):
            output, _ = self.runner._truncate_runner_item_output(output)
            _, packed = channel.pack(output.multi_output_response)
        return packed

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


class LeanRunner(ItemRunner):
    """Serves items from sockets, each with a thread of its own."""

    def __init__(self, runner, threads, control):
        super().__init__(runner, threads)
        self.control = control
        self.names = itertools.count()

    def leave(self, stop):
        """End the process, as ``sys.exit`` in a method does in the genuine runner."""
        if isinstance(stop.code, int) or stop.code is None:
            os._exit(stop.code or 0)
        print(stop.code, file=sys.stderr)
        os._exit(1)

    def serve(self):
        """Tell that the model is loaded; then do what the emulator says, until it closes the socket."""
        if self.is_asked:
            self.control.sendall(HEADER.pack(0, ASKING, self.threads))
            name = "admission"
            threading.Thread(target=self.admit, args=(self.say_admits,), name=name, daemon=True).start()
        else:
            self.control.sendall(HEADER.pack(0, READY, self.threads))
        received = b""
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self.control, HEADER.size - len(received), 1)
            except OSError:
                return
            if not data:
                return  # not waiting for what the threads still do: nobody could be told of it
            received += data
            if fds:
                sock = socket.socket(fileno=fds[0])
                # As the genuine runner names them. What a model starts in a thread is a daemon where that is one.
                name = f"ThreadPoolExecutor-2_{next(self.names)}"
                threading.Thread(target=self.work, args=(SocketOfThread(sock),), name=name).start()
            if len(received) == HEADER.size:
                _, kind, number = HEADER.unpack(received)
                received = b""
                if kind == CANCEL:
                    self.cancel(number)

    def say_admits(self):
        with contextlib.suppress(OSError):  # the emulator is gone, which ends this process
            self.control.sendall(HEADER.pack(0, ADMITS, 0))

    def work(self, channel):
        with channel.sock:
            while (item := channel.next_item()) is not None:
                self.execute(*item, channel)
                del item  # it may be large, and the next one may be long in coming


def parser_of(message_class):
    """Return what parses bytes that may still be changed; an older protobuf wants others."""
    try:
        message_class.FromString(bytearray())
    except TypeError:
        return lambda data: message_class.FromString(bytes(data))
    return message_class.FromString


class SocketOfThread:
    """Reads the frames for one thread, and writes what it answers."""

    def __init__(self, sock):
        from clarifai_grpc.grpc.api.service_pb2 import RunnerItem

        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, SOCKET_BUFFER)
        self.sock = sock
        self.parse = parser_of(RunnerItem)
        self.buffer = memoryview(bytearray(_LARGE))
        self.received = b""  # beyond the frame that was read last
        # A model may read its inputs in a thread of its own, which may still do so when the item has ended.
        self.reading = threading.Lock()
        self.kept = collections.deque()  # frames that such a thread has read, and that are not for it

    def further(self, item):
        """The client's further messages, until it sends no more, went away, or has its whole answer."""
        while True:
            with self.reading:
                frame = self.kept.popleft() if self.kept else self.read()
                if frame is None:
                    return
                kind, number, payload = frame
                if item.ended or number != item.number:
                    self.kept.append(frame)
                    return
            if kind != MORE:
                return
            yield self.parse(payload)

    def next_item(self):
        """The next item and its number; None when the emulator has closed the socket."""
        while True:
            with self.reading:
                frame = self.kept.popleft() if self.kept else self.read()
            if frame is None:
                return None
            kind, number, payload = frame
            if kind == ITEM:  # all else is left of an item that has ended
                return number, self.parse(payload)

    def pack(self, response):
        data = response.SerializeToString()
        return len(data), data

    def answer(self, number, kind, data):
        """Send an output of an item, or that there are no more. Waits while the client is far behind."""
        data = data or b""
        header = HEADER.pack(len(data), kind, number)
        try:
            if len(data) < _LARGE:
                self.sock.sendall(header + data)
            else:
                self.sock.sendall(header)
                self.sock.sendall(data)
        except OSError:
            pass  # the emulator is gone, which ends this process

    def read(self):
        try:
            while len(self.received) < HEADER.size:
                count = self.sock.recv_into(self.buffer)
                if not count:
                    return None
                self.received += self.buffer[:count]
            length, kind, number = HEADER.unpack_from(self.received)
            end = HEADER.size + length
            if len(self.received) >= end:
                payload, self.received = self.received[HEADER.size : end], self.received[end:]
                return kind, number, payload
            payload = bytearray(length)
            there = len(self.received) - HEADER.size
            payload[:there] = memoryview(self.received)[HEADER.size :]
            self.received = b""
            view = memoryview(payload)
            while there < length:
                count = self.sock.recv_into(view[there:])
                if not count:
                    return None
                there += count
            view.release()
            return kind, number, payload
        except OSError:
            return None
