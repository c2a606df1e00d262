"""Sets up the environment for tests and the SDK: our address, our token, an empty home; restores it afterwards.

The SDK keeps the base URL that it finds when it is imported. So the address is chosen, and set, before any test
file or conftest is imported; the emulator itself starts at that address when the first test asks for it.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import socket
import sys
import threading
from collections.abc import Generator, MutableMapping
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pytest_clarifai_emulator.guard import Guard, is_platform
from pytest_clarifai_emulator.import_hooks import ImportHooks
from pytest_clarifai_emulator.old_sdk import OldSdk, ignores_base
from pytest_clarifai_emulator.sdk_calls import CLIENT_MODULE, CallWatch
from pytest_clarifai_emulator.sdk_clock import SDK_MODULES, SdkClock
from pytest_clarifai_emulator.temp_homes import make_home, remove_home

# Where the emulator cannot tell whose a connection is, nobody can guess the token; workers are told it.
_SHOWN, _TOKEN = "local-emulator-token", "CLARIFAI_EMULATOR_PYTEST_TOKEN"
_CHOSEN = {} if sys.platform.startswith("linux") else {_TOKEN: f"{_SHOWN}-{secrets.token_hex(16)}"}
PAT = os.environ.setdefault(_TOKEN, _CHOSEN[_TOKEN]) if _CHOSEN else _SHOWN
USER_ID = "me"
_MARK = "CLARIFAI_EMULATOR_PYTEST"  # tells the processes of this run (xdist's workers) that the address is theirs
_EMULATOR_THREAD = "clarifai-emulator"  # see clarifai_emulator.control.thread, which is not imported for a name
_SHARED = "CLARIFAI_EMULATOR_PYTEST_SHARED"  # where xdist's workers find the emulator that they share
_LOWEST_PORT, _TRIES = 20_000, 50  # of ports to reserve
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_CLEARED = ("CLARIFAI_SESSION_TOKEN", "CLARIFAI_APP_ID", "CLARIFAI_GRPC_BASE")
# Folders below the real home that are no settings of Clarifai's are still found.
_BELOW_HOME = {"XDG_CACHE_HOME": ".cache", "PYENV_ROOT": ".pyenv", "DOCKER_CONFIG": ".docker"}


class Environment:
    """The environment of one pytest process. ``active``: a test that uses the emulator runs. ``keeps_home``: HOME
    stays its user's during such tests too, because models run in this process."""

    def __init__(self, *, allow_real: bool, record_real: bool = False, keeps_home: bool = False) -> None:
        self.allow_real = allow_real
        self.record_real = record_real
        self.active = False
        self.running = ""  # the test that runs now, whether it uses the emulator or not
        self.hooks = ImportHooks()
        self.old_sdk = OldSdk()
        self.hooks.around("clarifai", self.old_sdk.around)
        self.calls = CallWatch(lambda: self.active)
        self.hooks.after(CLIENT_MODULE, self.calls.watch)
        self.clock = SdkClock(lambda: self.active)
        for name in SDK_MODULES:
            self.hooks.after(name, self.clock.watch)
        self.guard = Guard(self._refusal, self.hooks, home=self.home)
        self._reserved: socket.socket | None = None
        self._home = ""
        self._keeps_home = keeps_home
        self._away: dict[str, str] = {}  # variables of tests that use the emulator, in place of the real ones
        self._at_home: dict[str, str | None] = {}
        self._saved: dict[str, str | None] = {}
        self.port = 0
        self.shared = _shared_address()  # the socket of the emulator that this worker joins
        self.user_id = user_of(os.environ["PYTEST_XDIST_WORKER"]) if self.shared else USER_ID
        self.pat = token_of(self.user_id)
        # The user's own token, for recordings of the real platform; xdist's controller tells it to its workers.
        self.given_pat = os.environ.get("CLARIFAI_PAT", "")

    @property
    def url(self) -> str:
        """Return the base URL of the emulator of this process."""
        return f"http://127.0.0.1:{self.port}"

    def prepare(self) -> None:
        """Choose the address, and set it for whoever imports the SDK from now on."""
        if self.shared:
            self.port, self.shared = int(self.shared.partition(":")[0]), self.shared.partition(":")[2]
        else:
            self._reserved = reserve_port()
            self.port = self._reserved.getsockname()[1]
        self.guard.address = f"127.0.0.1:{self.port}"
        if self.allow_real:
            return
        given = os.environ.get("CLARIFAI_API_BASE", "")
        foreign = given != os.environ.get(_MARK) and urlsplit(given).hostname in _LOOPBACK
        if not foreign:  # tests that do not use this emulator find the one that their user started
            self._set(CLARIFAI_API_BASE=self.url, CLARIFAI_PAT=self.pat, CLARIFAI_USER_ID=self.user_id)
            self._set(**{_MARK: self.url})
        self.guard.install()
        self.hooks.install()

    def share(self, address: str) -> None:
        """Tell the workers that start from now on where their shared emulator is."""
        self._set(**{_SHARED: address})

    def restore(self) -> None:
        """Restore everything as it was."""
        self.hooks.remove()
        self.old_sdk.restore()
        self.calls.remove()
        self.clock.remove()
        self.guard.remove()
        for name, value in self._saved.items():
            _assign(name, value)
        self._saved.clear()
        if self._reserved is not None:
            self._reserved.close()
        if self._home:
            remove_home(self._home)

    def home(self) -> str:
        """Return an empty folder to be at home in."""
        if not self._home:
            self._home = make_home()
        return self._home

    @contextlib.contextmanager
    def of_test(self, name: str, *, uses_emulator: bool) -> Generator[None]:
        """Set the environment of one test, its fixtures included."""
        self.running = name
        before = {each: os.environ.get(each) for each in _VARIABLES}
        if uses_emulator:
            self.use()
        try:
            yield
        finally:
            self.active, self.running = False, ""
            for each, value in before.items():
                _assign(each, value)

    def use(self) -> None:
        """Note that the test that runs uses the emulator: by its arguments, or because it asked for a fixture
        itself."""
        if self.active:
            return
        self.active = True
        os.environ.update(CLARIFAI_API_BASE=self.url, CLARIFAI_PAT=self.pat, CLARIFAI_USER_ID=self.user_id)
        if not self._keeps_home:
            self._leave_home()
        for each in _CLEARED:
            os.environ.pop(each, None)

    def of_models(self) -> dict[str, str]:
        """Return the environment that models and the client of the container engine inherit: this one, but with the
        user's home. The empty home is for the SDK's settings only: models have their weights below the real one."""
        environ = dict(os.environ)
        for name, value in self._away.items():
            if environ.get(name) == value:
                _assign(name, self._at_home[name], environ)
        return environ

    def _leave_home(self) -> None:
        """Make an empty folder the home, in which what the real home has is still found."""
        real = os.path.expanduser("~")
        found = {name: os.path.join(real, folder) for name, folder in _BELOW_HOME.items() if name not in os.environ}
        self._away = {**found, "HOME": self.home()}
        self._at_home = {name: os.environ.get(name) for name in self._away}
        os.environ.update(self._away)

    def require_usable_sdk(self) -> None:
        """Fail, with the reason, when the SDK of this process calls somebody else."""
        base = _base_of_imported_sdk()
        if base and base != self.url:
            reason = _left_alone(base, self.url) if self.allow_real else _too_early(base, self.url)
            pytest.fail(reason, pytrace=False)

    def _set(self, **values: str) -> None:
        for name, value in values.items():
            self._saved.setdefault(name, os.environ.get(name))
            os.environ[name] = value

    def _refusal(self, host: str) -> str | None:
        if is_platform(host):
            return None if self.allow_real or self._is_recording() else self._no_real(host)
        if host == self.guard.address and not self.active:
            return self._no_fixture()
        return None

    def _is_recording(self) -> bool:
        """Tell whether the emulator itself passes a call on, not a test."""
        return self.record_real and threading.current_thread().name == _EMULATOR_THREAD

    def _no_real(self, host: str) -> str:
        who = f"{self.running or 'A module'} would have called the real Clarifai platform ({host})."
        if self.active:
            told = ignores_base()
            if told:
                return f"{who} {told} `--clarifai-allow-real` lets calls through."
            return (
                f"{who} The test uses the emulator, but this client was told another base URL, or none and does "
                "not look at CLARIFAI_API_BASE (clarifai before 11.4.3): leave `base_url` out, or pass "
                "`clarifai.url`. `--clarifai-allow-real` lets calls through."
            )
        return (
            f"{who} Add the fixture `clarifai` to the test, and the call goes to the emulator; "
            "`--clarifai-allow-real` lets it through."
        )

    def _no_fixture(self) -> str:
        if not self.running:
            return (
                "The Clarifai platform was called while tests were being collected. Call it inside a test, or in a "
                "fixture that uses `clarifai` or `clarifai_emulator`."
            )
        return (
            f"{self.running} calls the Clarifai platform, but uses none of its fixtures. Add `clarifai` to its "
            "arguments (or `clarifai_emulator`, for a longer-lived fixture); `--clarifai-allow-real` lets it call "
            "the real platform."
        )


_VARIABLES = ("CLARIFAI_API_BASE", "CLARIFAI_PAT", "CLARIFAI_USER_ID", "HOME", *_CLEARED, *_BELOW_HOME)


def user_of(worker: str) -> str:
    """Return the user of an xdist worker that shares an emulator."""
    return f"{USER_ID}-{worker}"


def token_of(user_id: str) -> str:
    """Return the token of a test's account."""
    return PAT if user_id == USER_ID else f"{PAT}-{user_id}"


def _shared_address() -> str:
    """Return PORT:SOCKET if this process is a worker of the session that shares an emulator; a session that a test
    of that worker starts does not share it."""
    pid, _, address = os.environ.get(_SHARED, "").partition(":")
    is_worker = "PYTEST_XDIST_WORKER" in os.environ and pid == str(os.getppid())
    return address if is_worker else ""


def _assign(name: str, value: str | None, environ: MutableMapping[str, str] = os.environ) -> None:
    if value is None:
        environ.pop(name, None)
    else:
        environ[name] = value


def reserve_port() -> socket.socket:
    """Reserve a free port. It is bound and does not listen: the emulator still can.

    Whoever asks the system for any port may be given one that is only bound, if that allows others (SO_REUSEADDR).
    So it is one below those that the system gives away; where none is free there, one of them."""
    below = range(_LOWEST_PORT, _first_given_port())
    for port in (*random.sample(below, min(len(below), _TRIES)), 0):
        reserved = socket.socket()
        try:
            reserved.bind(("127.0.0.1", port))
        except OSError:
            reserved.close()
            if not port:
                raise
        else:
            reserved.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
            )  # from now on the emulator can bind it, too
            return reserved
    raise AssertionError("the last port is any")


def _first_given_port() -> int:
    """Return the first port that the system gives to those who ask for any."""
    try:
        return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return 32_768


def _base_of_imported_sdk() -> str:
    """Return the base URL that an SDK in this process keeps; empty when it is not imported."""
    constants = sys.modules.get("clarifai.utils.constants")
    return str(getattr(constants, "DEFAULT_BASE", "")) if constants is not None else ""


def _left_alone(base: str, url: str) -> str:
    return (
        f"--clarifai-allow-real leaves the environment alone: the clarifai SDK was imported with the base URL "
        f"{base}, keeps it, and does not find this test's emulator at {url}. Run the tests that use the emulator "
        "without that option. To record a cassette from the real platform: --clarifai-record-real."
    )


def _too_early(base: str, url: str) -> str:
    return (
        f"The clarifai SDK was imported too early: it keeps the base URL that it found then, {base}, and this "
        f"test's emulator is at {url}. Something imported it before this plugin was loaded (a plugin given with "
        "-p, sitecustomize), or under another CLARIFAI_API_BASE. Import it in tests or in conftest.py, or unset "
        "CLARIFAI_API_BASE."
    )
