"""Runs the warm parent of replicas: imports the SDK once, then forks the genuine runner in some 40 ms."""

import contextlib
import ctypes
import functools
import gc
import importlib
import importlib.util
import json
import os
import select
import signal
import socket
import sys
import threading
import time
import traceback

_PACKET = 1 << 20
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LOOK_AFTER_PARENT_SECONDS = 0.5
# The SDK decides when these are imported where its user's settings are, tokens among them: below HOME.
_SDK_SETTINGS = ("clarifai.utils.constants", "clarifai.utils.misc")
_NO_HOME = os.devnull  # nothing is below it, and nothing can be written there


def import_sdk():
    """Import everything a runner needs.

    Importing the SDK asks the package index for its newest version, twice; a proxy that refuses at once keeps
    that from costing seconds, or anything from leaving this machine. The account that this machine's user has on
    the real platform is none of a model's business: the SDK's settings are looked for where there are none.
    """
    names = [name + "_PROXY" for name in ("HTTP", "HTTPS", "ALL", "NO")]
    none = dict.fromkeys([*names, *map(str.lower, names)])
    with environ_with({**none, **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")}):
        import_settings()
        importlib.import_module("clarifai.runners.server")
    beside("sdk_main").follow_api_base()


def import_settings():
    """Import what keeps the place of the SDK's settings, and nothing that keeps another folder below HOME."""
    with environ_with({"HOME": _NO_HOME}):
        for name in _SDK_SETTINGS:
            with contextlib.suppress(ImportError):  # of an SDK that has it elsewhere
                importlib.import_module(name)


@contextlib.contextmanager
def environ_with(changes):
    """Change variables of this process for the block (None takes one away), and put them back."""
    saved = {name: os.environ.get(name) for name in changes}
    set_variables(changes)
    try:
        yield
    finally:
        set_variables(saved)


def set_variables(values):
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def prepare(job):
    """Make this process look like the model's container: its environment, folder and import path."""
    if not job.get("contained"):  # a container's own environment stays
        os.environ.clear()
    os.environ.update(job["environ"])
    os.chdir(job["model_path"])
    sys.path.insert(0, job["model_path"])
    sys.dont_write_bytecode = True
    # Each child draws its own numbers. Where the parent has not imported it, importing it seeds it.
    if "numpy.random" in sys.modules:
        sys.modules["numpy.random"].seed()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")


def inspect(job, result_fd):
    """Import the model and write what it is, or why it cannot be used, as one JSON object."""
    own = os.getpid()
    answer = beside("inspect_main").examine(job["model_path"], **job.get("how", {}))
    if os.getpid() != own:  # the model forked: the other one answers
        os._exit(0)
    if "traceback" in answer:
        answer["traceback"] = as_seen_outside(answer["traceback"], job)
    with os.fdopen(result_fd, "w") as result:
        json.dump(answer, result)


def path_beside(name):
    return os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{name}.py")


@functools.cache
def beside(name):
    """A module beside this one; its folder is not importable, see ``main``."""
    spec = importlib.util.spec_from_file_location(f"clarifai_emulator_{name}", path_beside(name))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def serve(job, fds):
    """Be a replica: with the lean runner if that is asked for and this SDK has what it stands on, else with the
    genuine one."""
    reloads = reloads_of(job, fds)
    if job.get("lean"):
        lean = beside("lean_main")
        reason = lean.why_not()
        if not reason:
            beside("item_steps_main").spare()
            lean.run(job, fds[1], beside("sdk_main"), reloads)
        lean.decline(fds[1], reason)
    beside("sdk_main").serve(job, reloads)


def reloads_of(job, fds):
    """The replica's end of the reloads, where it is reloadable: over its last socket."""
    if not job.get("reloadable"):
        return None
    sock = socket.socket(fileno=fds[-1])
    traceback_of = beside("inspect_main").model_traceback
    return beside("reload_main").Reloads(
        sock,
        job["model_path"],
        lambda error, path: as_seen_outside(traceback_of(error, path), job),
        beside("sdk_main"),
    )


def as_seen_outside(trace, job):
    """A traceback with the model's files where its author has them: a container sees them elsewhere."""
    return trace.replace(f'"{job["model_path"]}/', f'"{job.get("seen_as", job["model_path"])}/')


def do(job, fds):
    """Run one job in this process and leave it."""
    code = 0
    try:
        prepare(job)
        if job.get("network") == "watched":
            beside("port_watch_main").watch()
        if job.get("debug"):
            beside("debug_main").listen(job["debug"])
        else:
            beside("debug_main").pass_breakpoints()
        if job["op"] == "inspect":
            inspect(job, fds[1])
        else:
            serve(job, fds)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    except BaseException as error:
        trace = beside("inspect_main").model_traceback(error, job["model_path"])
        trace = trace if "Traceback" in trace else traceback.format_exc().rstrip()
        print(as_seen_outside(trace, job), file=sys.stderr)
        code = 1
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


class ZygoteLoop:
    """The loop of the warm parent."""

    def __init__(self, control):
        self.control = control
        self.children = {}  # pid -> job id
        self.loopbacks = beside("own_loopback_main").OwnLoopbacks(self.send) if can_have_loopbacks() else None
        self.looks = set()  # of these, the ids of jobs that only look at a model
        self.pid = os.getpid()

    def serve(self):
        with contextlib.suppress(Exception):  # what a model starts and lets go of is left to this process
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_read, False)
        os.set_blocking(wake_write, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self.send({"event": "ready"})
        gc.collect()
        gc.freeze()
        while True:
            theirs = list(self.loopbacks.waiting) if self.loopbacks else []
            ready, _, _ = select.select([self.control, wake_read, *theirs], [], [])
            for fd in theirs:
                if fd in ready:
                    self.loopbacks.handle(fd)
            if wake_read in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(wake_read, 4096)
                self.reap()
            if self.control in ready:
                data, fds, _, _ = socket.recv_fds(self.control, _PACKET, 4)
                if not data:
                    self.end()
                self.handle(json.loads(data), fds)

    def handle(self, job, fds):
        if job["op"] == "signal":
            for pid, job_id in self.children.items():
                if job_id == job["id"]:
                    deliver(pid, job["signal"], whole_group=job["group"])
            return
        if job.get("reloadable"):  # so that its children need not
            beside("reload_main")
            beside("inspect_main")
        beside("debug_main")
        ours = theirs = None
        if self.loopbacks and job.get("network") == "own":
            ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            self.become(job, fds, ours, theirs)
        self.children[pid] = job["id"]
        if ours:
            theirs.close()
            self.loopbacks.expect(ours, pid, job["id"])
        if job["op"] == "inspect":
            self.looks.add(job["id"])
        for fd in fds:
            os.close(fd)
        self.send({"event": "started", "id": job["id"], "pid": pid})

    def become(self, job, fds, parents_end=None, loopback=None):
        """In the child: cut every tie to the parent but its life, then do the job."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler)
        self.control.close()
        with contextlib.suppress(Exception):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self.pid:
            os._exit(1)  # the parent died before its death could be asked to end this
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(fds[0], 1)
        os.dup2(fds[0], 2)
        if self.loopbacks:
            self.loopbacks.forget()
        if loopback:
            parents_end.close()
            if beside("own_loopback_main").enter(loopback):
                job["network"] = "watched"
        do(job, fds)

    def reap(self):
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid not in self.children:
                continue  # left by a model
            signal_group(pid, signal.SIGKILL)  # what the replica itself had started
            code = os.waitstatus_to_exitcode(status)
            job_id = self.children.pop(pid)
            if job_id in self.looks:
                self.looks.discard(job_id)
                if len(self.looks) == len(self.children):  # else it may be what a replica has started
                    self.end_left()
            ended = {"code": code} if code >= 0 else {"signal": -code}
            self.send({"event": "exited", "id": job_id, **ended})

    def send(self, message):
        try:
            self.control.send(json.dumps(message).encode())
        except OSError:
            self.end()

    def end(self):
        """The emulator is gone: so is everything it started."""
        for pid in self.children:
            deliver(pid, signal.SIGKILL, whole_group=True)
        self.children.clear()
        self.end_left()
        os._exit(0)

    def end_left(self):
        """End what models started in sessions of its own and let go of."""
        for _ in range(8):  # each may have let go of more
            left = [pid for pid in children_of(self.pid) if pid not in self.children]
            for pid in left:
                deliver(pid, signal.SIGKILL, whole_group=True)
            if not left:
                return
            time.sleep(0.005)
            for pid in left:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def can_have_loopbacks():
    """Tell whether replicas can be given loopbacks here; who only reads signatures has none."""
    return os.path.exists(path_beside("own_loopback_main")) and sys.platform.startswith("linux")


def children_of(pid):
    """The processes whose parent this is, where the system tells."""
    with contextlib.suppress(OSError, ValueError):
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(each) for each in file.read().split()]
    return []


def deliver(pid, number, whole_group):
    """Signal a child that was not reaped yet. In its first moments it leads no group: then it is alone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if not whole_group or not signal_group(pid, number):
            os.kill(pid, number)


def signal_group(pid, number):
    try:
        os.killpg(pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def end_with_parent(parent):
    """End this process and what it started when the emulator is gone."""
    while os.getppid() == parent:
        time.sleep(_LOOK_AFTER_PARENT_SECONDS)
    os.killpg(0, signal.SIGKILL)


def control_of(named):
    """The socket to the emulator: one that was inherited, by its number, or the path of one in a container."""
    if named.isdecimal():
        return socket.socket(fileno=int(named))
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.connect(named)
    return control


def main():
    # The script's own folder must not be importable: its modules would hide packages of the same name.
    sys.path.pop(0)
    if sys.argv[1] == "--once":
        fds, parent = [int(number) for number in sys.argv[2].split(",")], int(sys.argv[3])
        threading.Thread(target=end_with_parent, args=[parent], daemon=True).start()
        job = json.loads(sys.stdin.read())
        # What goes wrong here goes wrong again in the job, which says so.
        with contextlib.suppress(Exception):
            import_sdk()
        do(job, [1, *fds])
    control = control_of(sys.argv[1])
    # An image has the model on Python's path; what the SDK imports must be no file that will be edited.
    sys.path[:] = [folder for folder in sys.path if folder not in sys.argv[2:]]
    try:
        import_sdk()
    except BaseException:
        told = {"event": "failed", "error": traceback.format_exc(), "packages": beside("sdk_main").packages()}
        control.send(json.dumps(told).encode())
        os._exit(1)
    beside("inspect_main").warm()
    for name in ("lean_main", "item_steps_main"):
        if os.path.exists(path_beside(name)):  # who only reads signatures has none of them
            beside(name)
    ZygoteLoop(control).serve()


if __name__ == "__main__":
    main()
