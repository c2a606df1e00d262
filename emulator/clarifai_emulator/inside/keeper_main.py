"""Keeps the replicas of one Python environment: ends them with all that they started, and tells how each has ended.

    emulator ──job──► keeper ──job──► warm parent, which imports the SDK and forks twice
       ▲     ─signal──► │ ▲                     └──► a replica, which thereby becomes a child of the keeper
       └──started, exited──┘ └── in its place another one, where a parent has ended or stands still

Runs in the *model's* environment, beside ``zygote_main.py``; the standard library only. The keeper imports nothing
of the SDK, so it is small, and has nothing to do in which it could hang. A replica takes up what its own
descendants let go of, in whatever session; when it has ended, that falls to the keeper, which ends it.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import socket
import time

PACKET = 1 << 20
MOST_FDS = 8
# A parent that has not forked by then hangs. It takes milliseconds, on a machine short of processor time seconds.
PATIENCE_SECONDS = 10.0
# A job that ends its parent so often is given up.
_TRIES = 2
_LOOK_AFTER_EMULATOR_SECONDS = 0.5
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def control_process(option, value):
    """Set an option of this process, where the system has it; tell whether it has."""
    with contextlib.suppress(Exception):
        return ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0
    return False


def adopt_orphans():
    """Let what descendants of this process let go of become children of it. Tells whether the system can."""
    return control_process(_PR_SET_CHILD_SUBREAPER, 1)


def end_with(parent):
    """Let the system end this process when its parent ends, which has this id."""
    control_process(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it had ended before that could be asked for


class Keeper:
    """Keeps what a forge forks: ``forge.serve(sock)`` in a process of its own, the warm parent. Over its socket
    that says "ready" or "failed", and for each job that comes there "started" with the pid, or "unforked". Where
    the system hands nobody over to the keeper, the keeper is the parent itself."""

    def __init__(self, control, forge, loopbacks=None):
        self.control = control
        self.forge = forge
        self.loopbacks = (loopbacks or NoLoopbacks)(self.tell)
        self.pid = os.getpid()
        self.is_parent = not adopt_orphans()
        self.parent = 0
        self.sock = None  # to the parent
        self.is_ready = False
        self.was_ready = False  # one of the parents was
        self.killed_because = ""
        self.jobs = []  # that no child was forked for yet, the oldest first
        self.given = None  # the one of them that the parent has
        self.deadline = 0.0
        self.children = {}  # pid -> job id
        self.ended_early = {}  # pid -> status of a child that has not been told of yet
        self.leaving = []  # pids of children that have ended, of which something is left
        self.doomed = {}  # job id -> the signals that came before it had a child

    def serve(self):
        wake = wake_on_children()
        self.forge.sweep()
        if self.is_parent:
            self.be_parent()
        else:
            self.begin_parent()
        while True:
            waits = [self.control, wake, *self.loopbacks.waiting] + ([self.sock] if self.sock else [])
            ready, _, _ = select.select(waits, [], [], self.time_left())
            for fd in self.loopbacks.waiting.keys() & ready:
                self.loopbacks.handle(fd)
            if wake in ready:
                drain(wake)
                self.reap()
            if self.sock in ready:
                self.hear_parent()
            if self.control in ready:
                self.hear_emulator()
            if self.given is not None and time.monotonic() > self.deadline:
                self.kill_parent(f"did not fork within {PATIENCE_SECONDS:g} s")
            self.give_next()

    def time_left(self):
        return None if self.given is None else max(0.0, self.deadline - time.monotonic()) + 0.01

    # What the emulator says.

    def hear_emulator(self):
        data, fds = b"", []
        with contextlib.suppress(OSError):
            data, fds, _, _ = socket.recv_fds(self.control, PACKET, MOST_FDS)
        if not data:
            self.end()
        job = json.loads(data)
        if job["op"] == "ping":
            self.tell({"event": "pong"})
        elif job["op"] == "signal":
            self.signal(job)
        else:
            self.jobs.append(Job(job["id"], data, fds, wants_loopback=job.get("network") == "own"))

    def signal(self, order):
        pid = next((pid for pid, job_id in self.children.items() if job_id == order["id"]), 0)
        if pid:
            deliver(pid, order["signal"], whole_group=order["group"])
        elif any(job.id == order["id"] for job in self.jobs):
            self.doomed.setdefault(order["id"], []).append(order)

    def tell(self, message):
        try:
            self.control.send(json.dumps(message).encode())
        except OSError:
            self.end()

    # The parent.

    def be_parent(self):
        problem = self.forge.prepare()
        self.tell(problem or {"event": "ready"})
        if problem:
            os._exit(1)
        self.was_ready = True

    def begin_parent(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.killed_because, self.is_ready = "", False
        self.parent = os.fork()
        if self.parent == 0:
            ours.close()
            self.control.close()
            self.loopbacks.forget()
            let_go_of_children()
            end_with(self.pid)
            self.forge.serve(theirs, self.pid)
            os._exit(0)
        theirs.close()
        self.sock = ours

    def kill_parent(self, why):
        """End it for a reason; its end is seen to as any is."""
        self.killed_because = why
        self.deadline = time.monotonic() + PATIENCE_SECONDS
        os.kill(self.parent, signal.SIGKILL)

    def hear_parent(self):
        data = b""
        with contextlib.suppress(OSError):  # of a parent that was ended before it took a job
            data = self.sock.recv(PACKET)
        if not data:
            self.forget_socket()  # its end comes in a moment
            return
        message = json.loads(data)
        if message["event"] == "ready":
            self.is_ready = True
            if not self.was_ready:
                self.was_ready = True
                self.tell(message)
        elif message["event"] == "failed":
            if not self.was_ready:
                self.tell(message)
                os._exit(1)
            self.give_up(message["error"])
        elif message["event"] == "started":
            self.begun(self.done_with_job(message["id"]), message["pid"])
        else:
            job = self.done_with_job(message["id"])
            self.report(job, message["error"])

    def forget_socket(self):
        if self.sock is not None:
            self.sock.close()
            self.sock = None

    def parent_ended(self, status):
        """Put another one in its place, unless it is one that never came to be."""
        code = os.waitstatus_to_exitcode(status)
        how = self.killed_because or (f"was ended by signal {-code}" if code < 0 else f"exited with code {code}")
        was_ready, self.parent, self.is_ready = self.is_ready, 0, False
        self.forget_socket()
        if not self.was_ready and not self.killed_because:
            self.end_left()
            end_as(code)
        if self.given is not None or (self.jobs and not was_ready):
            job, self.given = self.jobs[0], None
            job.tries += 1
            if job.tries >= _TRIES:
                self.report(self.done_with_job(job.id), f"The interpreter that was to fork this process {how}.")
        self.end_left()
        if was_ready:
            self.tell({"event": "replaced", "why": how})
        if was_ready or not self.was_ready:
            self.begin_parent()  # else with the next job: one that cannot be had is not begun again and again

    def give_next(self):
        while self.is_parent and self.jobs:
            job, pid = self.jobs[0], os.fork()
            if pid == 0:
                self.control.close()
                self.loopbacks.forget()
                self.forge.become(json.loads(job.data), job.fds, self.pid)
            self.begun(self.done_with_job(job.id), pid)
        if self.given is not None or not self.jobs:
            return
        if not self.parent:
            self.begin_parent()
        if self.is_ready and self.sock is not None:
            self.given = self.jobs[0]
            self.deadline = time.monotonic() + PATIENCE_SECONDS
            with contextlib.suppress(OSError):  # it has ended, which is heard in a moment
                socket.send_fds(self.sock, [self.given.data], self.given.fds)

    def give_up(self, error):
        """Report all jobs that wait for a parent that cannot be had again."""
        while self.jobs:
            self.report(self.done_with_job(self.jobs[0].id), error)

    # The children.

    def done_with_job(self, job_id):
        job = next(job for job in self.jobs if job.id == job_id)
        self.jobs.remove(job)
        self.given = None
        return job

    def begun(self, job, pid):
        if job.loopback:
            self.loopbacks.expect(job.loopback, pid, job.id)
            job.loopback = None
        job.close()
        self.children[pid] = job.id
        self.tell({"event": "started", "id": job.id, "pid": pid})
        if pid in self.ended_early:
            self.child_ended(pid, self.ended_early.pop(pid))
        for order in self.doomed.pop(job.id, ()):
            if pid in self.children:
                deliver(pid, order["signal"], whole_group=order["group"])
        self.end_left()

    def report(self, job, error):
        """Tell that no process came of a job, and what the reason is where it would have printed."""
        with contextlib.suppress(OSError):
            os.write(job.fds[0], error.rstrip().encode("utf-8", "replace") + b"\n")
        job.close()
        self.doomed.pop(job.id, None)
        self.tell({"event": "exited", "id": job.id, "code": 1})

    def reap(self):
        is_over = False
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if os.WIFSTOPPED(status):
                if pid == self.parent:
                    self.kill_parent("was stopped")
                continue
            is_over = True
            if pid == self.parent:
                self.parent_ended(status)
            elif pid in self.children:
                self.child_ended(pid, status)
            elif self.given is not None:
                self.ended_early[pid] = status
        if is_over:
            self.end_left()
            self.leaving = [pid for pid in self.leaving if not self.forge.left(pid)]

    def child_ended(self, pid, status):
        signal_group(pid, signal.SIGKILL)  # what the replica itself had started
        code = os.waitstatus_to_exitcode(status)
        ended = {"code": code} if code >= 0 else {"signal": -code}
        self.leaving.append(pid)
        self.tell({"event": "exited", "id": self.children.pop(pid), **ended})

    def end_left(self):
        """End what replicas have left. Each that ends may leave more, which is seen to when it is reaped."""
        if self.given is None:  # else it may be the one that is about to be told of
            self.ended_early.clear()
            for pid in children_of(self.pid):
                if pid != self.parent and pid not in self.children:
                    deliver(pid, signal.SIGKILL, whole_group=True)

    def end(self):
        """The emulator is gone: so is everything that it started."""
        end_all(self.pid, self.children)
        for pid in (*self.children, *self.leaving):
            self.forge.left(pid)
        os._exit(0)


class NoLoopbacks:
    """Stands where no replica is given a loopback of its own."""

    def __init__(self, tell):
        self.waiting = {}

    def forget(self):
        """Forget nothing."""


class Job:
    """A process that the emulator wants, with the descriptors for it: the first is where it prints, the last where
    it asks for a loopback of its own (``own_loopback_main.py``), if it is to."""

    def __init__(self, job_id, data, fds, *, wants_loopback=False):
        self.id = job_id
        self.data = data
        self.fds = fds
        self.tries = 0
        self.loopback = None
        if wants_loopback:
            self.loopback, theirs = socket.socketpair()
            self.fds.append(theirs.detach())

    def close(self):
        if self.loopback:
            self.loopback.close()
        for fd in self.fds:
            os.close(fd)


def keep_one(run, emulator, fds):
    """Run ``run`` in a child, and end as that does, or with the emulator, whose process id is given. ``fds`` are
    for the child alone."""
    pid, wake = os.getpid(), wake_on_children()
    child = os.fork()
    if child == 0:
        let_go_of_children()
        os.setsid()
        end_with(pid)
        adopt_orphans()
        run()
    for fd in fds:
        os.close(fd)
    signal.signal(signal.SIGTERM, lambda *_: deliver(child, signal.SIGTERM, whole_group=False))
    while os.getppid() == emulator:
        ready, _, _ = select.select([wake], [], [], _LOOK_AFTER_EMULATOR_SECONDS)
        if ready:
            drain(wake)
        while True:
            try:
                ended, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                ended = 0
            if ended == 0:
                break
            if ended == child:
                signal_group(child, signal.SIGKILL)
                end_all(pid)
                end_as(os.waitstatus_to_exitcode(status))
    end_all(pid)
    os._exit(1)


def end_as(code):
    """End this process as another one has."""
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with contextlib.suppress(OSError, ValueError):  # of one that cannot be handled
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def wake_on_children():
    """Return a descriptor that can be read from when a child has ended."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read


def let_go_of_children():
    """In a child: handle signals as a process does that nobody has told otherwise."""
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def drain(fd):
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass


def children_of(pid):
    """The processes whose parent this is, where the system tells. It has one thread."""
    with contextlib.suppress(OSError, ValueError):
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(each) for each in file.read().split()]
    return []


def end_all(pid, known=()):
    """End all children of this process, these among them, and what they leave."""
    deadline = time.monotonic() + PATIENCE_SECONDS  # one that the system does not let go of is not waited for
    while time.monotonic() < deadline:
        for each in {*known, *children_of(pid)}:
            deliver(each, signal.SIGKILL, whole_group=True)
        known = ()
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.001)
        except ChildProcessError:
            return


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
