"""An emulator that is found by its address, and one whose run file says that it runs elsewhere."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner

from clarifai_emulator.cli.main import cli
from clarifai_emulator.control import places
from clarifai_emulator.control.network import reach
from clarifai_emulator.control.running import Running, find_running, remove_state, running_emulators, write_state
from clarifai_emulator.errors import ControlError

TOKEN = "CLARIFAI_EMULATOR_TOKEN"


class Site(BaseHTTPRequestHandler):
    """Answers ``GET /health`` with ``body``."""

    body: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def site() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        Site.body = json.dumps({"status": "ok", "name": "clarifai-emulator", "run": "r1"}).encode()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def recorded(port: int, **changes: Any) -> Running:
    facts: dict[str, Any] = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid(), "token": "t", "user_id": "me"}
    return Running(**{**facts, "port": port, "started": 1.0, **changes})


ELSEWHERE = "another-host/another-boot/4026531836"


@pytest.mark.parametrize("url", ["http://localhost:{port}", "127.0.0.1:{port}/", "http://127.0.0.1:{port}"])
def test_an_emulator_of_this_machine_needs_no_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(TOKEN, raising=False)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        write_state(tmp_path / "clarifai-emulator", recorded(port))
        done = CliRunner().invoke(cli, ["env", "--control", "--json", "--url", url.format(port=port)])
    assert json.loads(done.output)["CLARIFAI_EMULATOR_TOKEN"] == "t"


def test_nothing_answers_there() -> None:
    with pytest.raises(ControlError, match=r"No emulator answers at http://127\.0\.0\.1:1\.") as caught:
        reach("127.0.0.1:1", {TOKEN: "t"})
    assert caught.value.reason == "not running"


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"name": "another"}', b""])
def test_something_else_answers_there_and_is_not_told_the_token(site: ThreadingHTTPServer, body: bytes) -> None:
    Site.body = body
    with pytest.raises(ControlError, match="is no emulator") as caught:
        reach(f"http://127.0.0.1:{site.server_port}", {TOKEN: "t"})
    assert "was not sent there" in caught.value.hint


def test_a_token_is_missing_or_not_one(site: ThreadingHTTPServer) -> None:
    url = f"http://127.0.0.1:{site.server_port}"
    with pytest.raises(ControlError, match="need its token, and CLARIFAI_EMULATOR_TOKEN is not set") as caught:
        reach(url, {})
    assert "`docker exec CONTAINER clarifai-emulator env --control`" in caught.value.hint
    with pytest.raises(ControlError, match="holds characters that no token has"):
        reach(url, {TOKEN: "a token\n"})


def test_a_port_that_an_emulator_without_a_file_answers_on(
    site: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(TOKEN, raising=False)
    with pytest.raises(
        ControlError, match=r"An emulator answers at .* its run file, .* is not in this user's"
    ) as caught:
        find_running(site.server_port)
    assert "prints CLARIFAI_EMULATOR_URL and CLARIFAI_EMULATOR_TOKEN" in caught.value.hint


# ── run files of other places ──────────────────────────────────────────────────────────────────────────────


def test_another_places_file_is_left_alone_though_its_process_number_is_nobody_here(tmp_path: Path) -> None:
    path = write_state(tmp_path, recorded(1, pid=2**22 + 1, place=ELSEWHERE, run="r1"))
    assert running_emulators(tmp_path) == []
    assert path.exists()


def test_another_places_emulator_is_found_where_it_is_the_one_that_answers(
    site: ThreadingHTTPServer, tmp_path: Path
) -> None:
    running = recorded(site.server_port, pid=2**22 + 1, place=ELSEWHERE, run="r1")
    write_state(tmp_path, running)
    assert running_emulators(tmp_path) == [running]
    assert not running.is_here
    Site.body = b'{"name": "clarifai-emulator", "run": "r2"}'  # the same port of another machine
    assert running_emulators(tmp_path) == []


def test_two_places_with_one_home_keep_a_file_each_for_the_same_port(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        theirs = write_state(tmp_path, recorded(port, place=ELSEWHERE))
        ours = write_state(tmp_path, recorded(port))
        assert theirs != ours
        assert running_emulators(tmp_path) == [recorded(port)]
        remove_state(tmp_path, port, os.getpid())
    assert theirs.exists()
    assert not ours.exists()


def test_a_file_from_before_this_machine_was_started_again_is_removed(tmp_path: Path) -> None:
    host, boot, numbers = places.this_place().rsplit("/", 2)
    if not boot:
        pytest.skip("this system does not tell which start of it this is")
    path = write_state(tmp_path, recorded(1, place=f"{host}/an-earlier-boot/{numbers}"))
    assert running_emulators(tmp_path) == []
    assert not path.exists()
