"""Runs the warm parent of replicas: imports the SDK once, then forks the genuine runner in some 40 ms. Between it
and the emulator stands its keeper (``keeper_main.py``), whose children the replicas are."""

import contextlib
import functools
import gc
import importlib
import importlib.util
import json
import os
import signal
import socket
import sys
import threading
import time
import traceback

_PACKET = 1 << 20
_MOST_FDS = 8
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
    job["asked"] = beside("withheld_main").WithheldVariables(job.get("withheld", ()), job["model_path"])
    job["asked"].watch()
    if job.get("refuse_platform"):
        beside("platform_guard_main").PlatformRefusals().install()
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
        said = what_it_asked_for(job, answer["error"])
        answer["hint"] = " ".join(filter(None, [said.removeprefix("[emulator] "), answer["hint"]]))
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
    fds = list(fds)
    if job.get("probed"):
        beside("probes_main").begin(socket.socket(fileno=fds.pop()))
    reloads = reloads_of(job, fds)
    beside("withheld_main").tell_in_answers(job["asked"])
    if base := os.environ.get("CLARIFAI_API_BASE"):
        beside("call_chain_main").CallChain(base).install()
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
        lambda error, path: with_what_it_asked_for(as_seen_outside(traceback_of(error, path), job), job),
        beside("sdk_main"),
    )


def as_seen_outside(trace, job):
    """A traceback with the model's files where its author has them: a container sees them elsewhere."""
    return trace.replace(f'"{job["model_path"]}/', f'"{job.get("seen_as", job["model_path"])}/')


def what_it_asked_for(job, failure):
    """The sentence about withheld variables that the model asked for before it failed with these words; mostly
    empty."""
    return job["asked"].tell(failure) if "asked" in job else ""


def with_what_it_asked_for(text, job):
    """A traceback, and beneath it what was withheld."""
    return "\n".join(filter(None, [text, what_it_asked_for(job, text)]))


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
        if code and (said := what_it_asked_for(job, str(stop))):
            print(said, file=sys.stderr)
    except BaseException as error:
        trace = beside("inspect_main").model_traceback(error, job["model_path"])
        trace = trace if "Traceback" in trace else traceback.format_exc().rstrip()
        print(with_what_it_asked_for(as_seen_outside(trace, job), job), file=sys.stderr)
        code = 1
    with contextlib.suppress(Exception):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


class Forge:
    """Forks the processes that a keeper keeps (``keeper_main.py``)."""

    def prepare(self):
        """Import everything that replicas need; what the keeper is told where that fails."""
        try:
            import_sdk()
        except BaseException:
            return {"event": "failed", "error": traceback.format_exc(), "packages": beside("sdk_main").packages()}
        beside("inspect_main").warm()
        for name in ("lean_main", "item_steps_main", "probes_main", "call_chain_main"):
            if os.path.exists(path_beside(name)):  # who only reads signatures has none of them
                beside(name)
        return None

    def serve(self, sock, keeper):
        """Be the warm parent: fork for the jobs that come over the socket, until it closes."""
        # Next to nothing of what imports make can be collected: to look at all of it would take a tenth of their
        # time, and as long again before the first fork, which somebody may wait for.
        gc.disable()
        problem = self.prepare()
        gc.freeze()
        gc.enable()
        tell(sock, problem or {"event": "ready"})
        if problem:
            return
        while True:
            data, fds, _, _ = socket.recv_fds(sock, _PACKET, _MOST_FDS)
            if not data:
                return
            job = json.loads(data)
            if job.get("reloadable"):  # so that its children need not
                beside("reload_main")
                beside("inspect_main")
            for name in ("debug_main", "withheld_main"):
                beside(name)
            try:
                self.fork(job, fds, sock, keeper)
            except OSError as error:
                self.tell_unforked(job, error, sock)
            for fd in fds:
                os.close(fd)

    def fork(self, job, fds, sock, keeper):
        """Fork a process whose own parent ends at once, so that it becomes a child of the keeper."""
        middle = os.fork()
        if middle:
            os.waitpid(middle, 0)
            return
        try:
            own = os.getpid()
            pid = os.fork()
            if pid == 0:
                sock.close()
                wait_until_parted_from(own)
                self.become(job, fds, keeper)
            tell(sock, {"event": "started", "id": job["id"], "pid": pid})
        except OSError as error:
            self.tell_unforked(job, error, sock)
        finally:
            os._exit(0)

    def left(self, pid):
        """See to what a process has left that has ended; whether nothing is left."""
        return beside("process_limit_main").remove(pid)

    def sweep(self):
        """See to what processes have left whose keeper was killed."""
        beside("process_limit_main").sweep()

    def tell_unforked(self, job, error, sock):
        said = f"No process could be made: {error.strerror}. This machine, or this user, has too many of them."
        tell(sock, {"event": "unforked", "id": job["id"], "error": said})

    def become(self, job, fds, keeper):
        """In the child: cut every tie to the parent but its life to the keeper's, then do the job."""
        try:
            self.part_from(keeper, fds, job)
            if job.get("network") == "own" and beside("own_loopback_main").enter(socket.socket(fileno=fds.pop())):
                job["network"] = "watched"
            do(job, fds)
        finally:
            os._exit(1)  # it never returns as the parent that it was forked from

    def part_from(self, keeper, fds, job):
        os.setsid()
        kept = beside("keeper_main")
        kept.let_go_of_children()
        kept.end_with(keeper)
        kept.adopt_orphans()
        if job.get("processes"):
            beside("process_limit_main").limit(job["processes"])
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.dup2(fds[0], 1)
        os.dup2(fds[0], 2)


def wait_until_parted_from(parent):
    """Wait until the process of this id has ended, which is the parent of this one."""
    while os.getppid() == parent:
        time.sleep(0.0002)


def tell(sock, message):
    with contextlib.suppress(OSError):  # nobody is there any more, which ends this process
        sock.send(json.dumps(message).encode())


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
    keeper = beside("keeper_main")
    if sys.argv[1] == "--once":
        run_once(keeper, [int(number) for number in sys.argv[2].split(",")], int(sys.argv[3]))
    control = control_of(sys.argv[1])
    # An image has the model on Python's path; what the SDK imports must be no file that will be edited.
    sys.path[:] = [folder for folder in sys.path if folder not in sys.argv[2:]]
    keeper.Keeper(control, Forge(), loopbacks()).serve()


def loopbacks():
    """Return what gives replicas loopbacks of their own; None where models are only looked at."""
    if os.path.exists(path_beside("own_loopback_main")):
        return beside("own_loopback_main").OwnLoopbacks
    return None


def run_once(keeper, fds, emulator):
    """Do the one job that comes over standard input; end with the emulator, whose process id is given."""
    job = json.loads(sys.stdin.read())

    def run():
        # What goes wrong here goes wrong again in the job, which says so.
        with contextlib.suppress(Exception):
            import_sdk()
        if job.get("processes"):
            beside("process_limit_main").limit(job["processes"])
        do(job, [1, *fds])

    if keeper.adopt_orphans():
        keeper.keep_one(run, emulator, [fd for fd in fds if fd > 2])
    threading.Thread(target=end_with_parent, args=[emulator], daemon=True).start()
    run()


def end_with_parent(parent):
    """End this process and what it started when the emulator is gone."""
    while os.getppid() == parent:
        time.sleep(_LOOK_AFTER_PARENT_SECONDS)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
