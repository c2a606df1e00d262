"""Runs the checks of ``doctor``: what was found, how bad it is, what to do."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from clarifai_emulator.backends.process.parent import NOWHERE
from clarifai_emulator.cli.env import is_behind_proxy
from clarifai_emulator.config import default_cache_dir
from clarifai_emulator.control.running import Running, run_dir, running_emulators
from clarifai_emulator.errors import EmulatorError, ModelError
from clarifai_emulator.inside import own_loopback_main
from clarifai_emulator.machine.inventory import take_inventory
from clarifai_emulator.models.own_sdk import reasons_against_own_sdk
from clarifai_emulator.models.uv_runs import uv_program

Level = Literal["ok", "warn", "fail"]
_SLOW_IMPORT_SECONDS = 5.0
_IMPORT = "import time; t = time.perf_counter(); import clarifai.runners.server; print(time.perf_counter() - t)"


@dataclass(frozen=True, slots=True)
class Check:
    """The result of one check. ``advice``: what to do, empty when nothing is."""

    name: str
    level: Level
    found: str
    advice: str = ""

    def as_dict(self) -> dict[str, str]:
        return asdict(self)


def all_checks(port: int, environ: Mapping[str, str] = os.environ) -> Iterator[Check]:
    """Run every check, in the order in which a problem would show."""
    running = running_emulators(run_dir())
    yield check_python()
    yield from check_packages()
    yield check_runner(environ)
    yield check_uv()
    yield check_fork()
    yield check_network()
    yield check_port(port, running)
    yield check_emulators(running)
    yield from check_fidelity(running)
    yield check_gpus(environ)
    yield from check_containers(environ)
    yield check_folder("cache", default_cache_dir(environ), "XDG_CACHE_HOME")
    yield check_folder("state", run_dir(), "XDG_STATE_HOME")
    yield check_variables(running, environ)
    yield check_proxy(environ)
    yield check_context(environ)


def check_python() -> Check:
    return Check("python", "ok", f"{platform.python_version()} at {sys.executable}")


def check_packages() -> Iterator[Check]:
    for name in ("clarifai", "clarifai-grpc", "clarifai-protocol"):
        try:
            yield Check(name, "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            yield Check(name, "fail", "not installed", f"pip install {name}")


def check_runner(environ: Mapping[str, str]) -> Check:
    """Import the genuine runner in a fresh process, as a replica does, unless models have environments anyway."""
    reasons = reasons_against_own_sdk(())
    if reasons:
        return Check("runner", "ok", f"models run in environments of their own: {'; '.join(reasons)}")
    alone = {**environ, "CLARIFAI_API_BASE": NOWHERE}  # otherwise the SDK would ask the real platform
    done = subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, text=True, env=alone)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        return Check(
            "runner", "fail", f"clarifai.runners.server cannot be imported: {last}", "Reinstall `clarifai`."
        )
    seconds = float(done.stdout.strip().splitlines()[-1])
    found = f"clarifai.runners.server imports in {seconds:.1f} s"
    if seconds > _SLOW_IMPORT_SECONDS:
        return Check(
            "runner", "warn", found, "Importing the SDK asks the package index; an unreachable one is slow."
        )
    return Check("runner", "ok", found)


def check_uv() -> Check:
    try:
        command = [uv_program(), "--version"]
        version = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except ModelError:
        advice = "pip install uv; it builds the environments of models with requirements of their own."
        return Check("uv", "fail", "neither the package uv nor a program uv on the PATH is here", advice)
    except (OSError, subprocess.CalledProcessError) as error:
        advice = "pip install uv; it builds the environments of models with requirements of their own."
        return Check("uv", "fail", f"cannot be run: {error}", advice)
    return Check("uv", "ok", version)


def check_fork() -> Check:
    if sys.platform.startswith("linux"):
        return Check("fork", "ok", "replicas are forked from a warm parent, in milliseconds")
    return Check(
        "fork", "warn", f"not used on {sys.platform}", "Each replica imports the SDK by itself: about 1 s."
    )


def check_network() -> Check:
    """Check whether replicas can be given loopbacks of their own."""
    if not sys.platform.startswith("linux"):
        because = f"there is none on {sys.platform}"
    else:
        command = [sys.executable, own_loopback_main.__file__]
        because = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    if not because:
        return Check("network", "ok", "each replica has a loopback of its own: a model's server may have any port")
    advice = "Two models with a server at one port cannot run at once (docs/backends.md); in containers they can."
    return Check("network", "warn", f"replicas share this machine's ports: {because}", advice)


def check_port(port: int, running: list[Running]) -> Check:
    ours = next((each for each in running if each.port == port), None)
    if ours is not None:
        return Check("port", "ok", f"{port} is taken by an emulator of yours (process {ours.pid})")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            who = _holder(port) if error.errno == errno.EADDRINUSE else error.strerror
            return Check("port", "warn", f"{port} is not free: {who}", "Start with `up --port 0`, or another port.")
    return Check("port", "ok", f"{port} is free")


def _holder(port: int) -> str:
    """Name the program that listens on a port, as far as the system tells this user."""
    ss = shutil.which("ss")
    if ss is not None:
        done = subprocess.run([ss, "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, check=False)
        if "users:" in done.stdout:
            return "taken by " + done.stdout.partition("users:")[2].strip()
    return "another program listens there"


def check_emulators(running: list[Running]) -> Check:
    if not running:
        return Check("emulators", "ok", "none is running")
    now = time.time()
    listed = (f"{each.url} (process {each.pid}, for {(now - each.started) / 60:.0f} min)" for each in running)
    return Check("emulators", "ok", ", ".join(listed))


def check_fidelity(running: list[Running]) -> Iterator[Check]:
    """Say which refusals of running emulators stood on what nobody has seen the platform do."""
    from clarifai_emulator.cli.connection import client_of
    from clarifai_emulator.conformance.unverified import unverified_rows

    for each in running:
        try:
            with client_of(each) as client:
                answers = client.answers("Events", prefix="request.finished")
                events = [answer.get("event", {}) for answer in answers]
        except EmulatorError:
            continue  # it ends, or wants a token: other checks say so
        rows = [event["row"] for event in events if event.get("row")]
        for row, count in unverified_rows(rows):
            found = (
                f"{count} refusal{'' if count == 1 else 's'} at {each.url} stood on row {row.id}: {row.how_sure}"
            )
            advice = f"{row.what} `clarifai-emulator conform --only {row.id} --target …` asks the platform."
            yield Check("fidelity", "ok", found, advice)


def check_gpus(environ: Mapping[str, str]) -> Check:
    found = take_inventory(visible=environ.get("CUDA_VISIBLE_DEVICES"))
    if found.accelerators:
        return Check("gpus", "ok", ", ".join(map(str, found.accelerators)))
    return Check(
        "gpus", "warn", f"none: {found.reason}", "Models that ask for a GPU cannot be placed on this machine."
    )


def check_containers(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check the container engine, and whether this machine's GPUs reach it."""
    from clarifai_emulator.cli.engine_checks import driver_findings, engine_findings, torch_findings

    accelerators = take_inventory(visible=environ.get("CUDA_VISIBLE_DEVICES")).accelerators
    findings = [*driver_findings(), *engine_findings(accelerators, environ)]
    with contextlib.suppress(metadata.PackageNotFoundError):
        findings += torch_findings(accelerators, metadata.version("torch"))
    for each in findings:
        yield Check(each.name, each.level, each.found, each.advice)


def check_ways(
    engines: Sequence[str], topologies: Sequence[Path], advertise: Sequence[str], base_image: str | None
) -> Iterator[Check]:
    """Try the way to each of these engines, and to those that topology files name, and back. Raises
    ``ConfigError``."""
    from clarifai_emulator.cli.way_checks import engines_of, way_findings
    from clarifai_emulator.config import DEFAULT_BASE_IMAGE, DockerSettings

    for engine in dict.fromkeys((*engines, *engines_of(topologies))):
        settings = DockerSettings(
            engine=engine, advertise=tuple(advertise), base_image=base_image or DEFAULT_BASE_IMAGE
        )
        yield Check("to", "ok", engine)
        for each in way_findings(settings, os.environ):
            yield Check(each.name, each.level, each.found, each.advice)


def check_folder(name: str, folder: Path, variable: str) -> Check:
    nearest = next(each for each in (folder, *folder.parents) if each.exists())
    if nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK):
        return Check(name, "ok", str(folder))
    return Check(name, "fail", f"{folder} cannot be written", f"Set {variable} to a folder that can be.")


def check_variables(running: list[Running], environ: Mapping[str, str]) -> Check:
    """Check whether CLARIFAI_* variables send clients somewhere else."""
    base = environ.get("CLARIFAI_API_BASE", "")
    urls = [each.url for each in running]
    advice = 'eval "$(clarifai-emulator env)" in the shell that runs your client'
    if base and base.rstrip("/") not in urls:
        where = "no emulator that runs" if urls or "127.0.0.1" in base or "localhost" in base else "not an emulator"
        return Check("variables", "warn", f"CLARIFAI_API_BASE is {base}: {where}", advice)
    if not base and urls:
        return Check("variables", "warn", "CLARIFAI_API_BASE is not set: clients use api.clarifai.com", advice)
    names = sorted(name for name in environ if name.startswith("CLARIFAI_"))
    return Check("variables", "ok", f"set: {', '.join(names)}" if names else "no CLARIFAI_* variable is set")


def check_proxy(environ: Mapping[str, str]) -> Check:
    if is_behind_proxy("127.0.0.1", environ):
        return Check(
            "proxy",
            "warn",
            "a proxy is set and no_proxy does not name 127.0.0.1: gRPC clients would ask the proxy",
            "`clarifai-emulator env` also sets no_proxy.",
        )
    return Check("proxy", "ok", "nothing between clients and 127.0.0.1")


def check_context(environ: Mapping[str, str]) -> Check:
    """Check the context of the Clarifai CLI, which clients use if a variable is not set."""
    file = Path(environ.get("HOME") or Path.home()) / ".config" / "clarifai" / "config"
    if not file.is_file():
        return Check("context", "ok", f"no {file}")
    import yaml

    try:
        config: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        name = config["current_context"]
        base = config["contexts"][name].get("env", {}).get("CLARIFAI_API_BASE", "https://api.clarifai.com")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        return Check("context", "warn", f"{file} cannot be read: {error}", "The SDK may not be able to either.")
    return Check("context", "ok", f"'{name}' of {file} ({base}); variables that are set come first")
