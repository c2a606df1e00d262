"""People get to the page from the command line: `up` prints its address, `page` opens that of a running one."""

from __future__ import annotations

import http.client
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from flow.driver import wait_for
from flow.processes import EmulatorProcess, environment


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    process = EmulatorProcess(tmp_path_factory.mktemp("emulator"))
    process.client().close()
    yield process
    process.end(signal.SIGTERM)


def command(emulator: EmulatorProcess, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    state = str(emulator.temporary.parent / "state")
    return subprocess.run(
        [sys.executable, "-m", "clarifai_emulator", *words],
        env=environment(XDG_STATE_HOME=state, **variables),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def status_of(address: str) -> int:
    split = urlsplit(address)
    connection = http.client.HTTPConnection(split.netloc, timeout=10)
    connection.request("GET", f"{split.path}?{split.query}", headers={"accept": "text/html"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_up_and_page_print_the_same_address_and_it_lets_a_browser_in(emulator: EmulatorProcess) -> None:
    (printed,) = re.findall(r"Look at it in a browser: +(\S+)", emulator.printed())
    done = command(emulator, "page", "--no-open")
    assert (done.returncode, done.stdout) == (0, f"{printed}\n")
    assert status_of(printed) == 200
    assert status_of(printed[:-1]) == 401


def test_the_browser_is_given_a_file_because_everybody_sees_the_arguments_of_a_process(
    emulator: EmulatorProcess, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\necho "$@" > {told}.new && mv {told}.new {told}\n')
    program.chmod(0o755)
    done = command(emulator, "page", BROWSER=str(program))
    assert done.returncode == 0, done.stderr
    address = wait_for(lambda: told.exists() and told.read_text().strip())
    assert address.startswith("file://")
    assert "token" not in address
    file = Path(address.removeprefix("file://"))
    assert file.stat().st_mode & 0o077 == 0
    assert done.stdout.strip() in file.read_text()


def test_without_its_page_there_is_none_and_the_api_shows_its_own(tmp_path: Path) -> None:
    process = EmulatorProcess(tmp_path, options=["--no-page"])
    process.client().close()
    try:
        assert "in a browser" not in process.printed()
        done = command(process, "page")
        assert done.returncode == 1
        assert f"The emulator at {process.url} was started without its page." in done.stderr
        assert "Start it with `clarifai-emulator up`, without --no-page." in done.stderr
        assert status_of(f"{process.url}/") == 200
        assert status_of(f"{process.url}/_page/state") == 404
    finally:
        process.end(signal.SIGTERM)


def test_to_open_what_is_switched_off_is_refused(emulator: EmulatorProcess) -> None:
    done = command(emulator, "up", "--open", "--no-page")
    assert done.returncode == 2
    assert "--open and --no-page exclude each other: there is no page to open." in done.stderr


def test_detached_it_prints_the_address_too(emulator: EmulatorProcess) -> None:
    done = command(emulator, "up", "--detach", "--port", "0")
    assert done.returncode == 0, done.stderr
    (address,) = re.findall(r"page: +(\S+)", done.stdout)
    try:
        assert status_of(address) == 200
    finally:
        port = str(urlsplit(address).port)
        assert command(emulator, "down", "--port", port).returncode == 0
