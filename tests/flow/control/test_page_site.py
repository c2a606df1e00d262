"""The page and its data are sent to the browsers that were let in, and to nobody else."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from clarifai_emulator.config import EmulatorConfig
from clarifai_emulator.control.page.page_address import page_token
from clarifai_emulator.control.page.page_admission import NO_COOKIE, OTHER_PAGE
from clarifai_emulator.control.page.page_mount import page_mount
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator
from flow.driver import MODELS, Client, figure, inference_request, wait_for

CONTROL = "control-token-of-this-test"
PAT = "a-pat-that-nobody-sees"
SECRET = "a-secret-that-nobody-sees"
DATA = (
    "state",
    "events",
    "request?id=x",
    "log?replica=x",
    "build?model=x",
    "lives",
    "route?model=me/demo/hello",
    "resources",
)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorThread]:
    folder = tmp_path_factory.mktemp("run")
    with serving(folder, cors=("*",), pats={PAT: "me"}) as thread:
        yield thread


def serving(folder: Path, control: str = CONTROL, **settings: Any) -> EmulatorThread:
    """Return an emulator with the page, not started."""
    config = EmulatorConfig(**{"port": 0, "run_dir": folder, "stop_seconds": 0.5, **settings})
    thread = EmulatorThread(config)
    thread.before_start(lambda emulator: emulator.mount(page_mount(emulator, control)))
    return thread


def get(
    emulator: EmulatorThread, path: str, method: str = "GET", **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=10)
    connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer, body


def enter(emulator: EmulatorThread, control: str = CONTROL) -> str:
    """Return the cookie that a browser gets."""
    answer, _ = get(emulator, f"/?token={page_token(control)}", accept="text/html")
    assert answer.status == 200
    return str(answer.headers["set-cookie"]).partition(";")[0]


def data(emulator: EmulatorThread, what: str, cookie: str = "") -> Any:
    answer, body = get(emulator, f"/_page/{what}", cookie=cookie or enter(emulator))
    assert answer.status == 200, body
    return json.loads(body)


class Stream:
    """Reads the messages of an event stream, one at a time."""

    def __init__(self, emulator: EmulatorThread, last_id: str = "") -> None:
        self.connection = http.client.HTTPConnection(urlsplit(emulator.url).netloc, timeout=10)
        headers = {"cookie": enter(emulator), **({"last-event-id": last_id} if last_id else {})}
        self.connection.request("GET", "/_page/events", headers=headers)
        self.answer = self.connection.getresponse()
        assert self.answer.status == 200
        assert self.answer.headers["content-type"].startswith("text/event-stream")

    def message(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while line := self.answer.readline().decode().rstrip("\n"):
            name, _, value = line.partition(": ")
            found[name] = json.loads(value) if name == "data" else value
        return found

    def events_until(self, kind: str) -> tuple[list[dict[str, Any]], str]:
        """Return the events up to one of a kind, and the id of the last message."""
        events: list[dict[str, Any]] = []
        while True:
            message = self.message()
            if "event" in message:
                continue
            events += message["data"]
            if any(each["kind"] == kind for each in events):
                return events, message["id"]

    def close(self) -> None:
        self.answer.close()
        self.connection.close()


def emit(emulator: EmulatorThread, *kinds: str) -> None:
    emulator.run(lambda each: [each.events.emit(kind) for kind in kinds])


# ── who gets in ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_address_of_this_run_lets_a_browser_in(emulator: EmulatorThread) -> None:
    answer, body = get(emulator, f"/?token={page_token(CONTROL)}", accept="text/html")
    cookie = answer.headers["set-cookie"]
    assert cookie.endswith("; Path=/; HttpOnly; SameSite=Strict")
    assert "url=/" in body, "the token does not stay in the address bar"
    assert page_token(CONTROL) not in body
    answer, body = get(emulator, "/", accept="text/html", cookie=cookie.partition(";")[0])
    assert answer.status == 200
    assert '<script src="/_page/app.js" defer></script>' in body


@pytest.mark.parametrize("path", ["/", "/?token=wrong", "/?token=", f"/?token={CONTROL}"])
def test_without_it_a_browser_is_told_how_to_get_in_and_nothing_else(emulator: EmulatorThread, path: str) -> None:
    answer, body = get(emulator, path, accept="text/html")
    assert answer.status == 401
    assert f"clarifai-emulator page --port {emulator.run(lambda each: each.port)}" in body
    assert answer.headers["set-cookie"] is None
    assert "script" not in body


@pytest.mark.parametrize("what", DATA)
@pytest.mark.parametrize("cookie", ["", "clarifai-emulator-1=x", "clarifai-emulator-{port}=x", '"; =;\\'])
def test_its_data_is_for_browsers_that_were_let_in(emulator: EmulatorThread, what: str, cookie: str) -> None:
    port = emulator.run(lambda each: each.port)
    answer, body = get(emulator, f"/_page/{what}", cookie=cookie.replace("{port}", str(port)))
    assert answer.status == 401
    assert json.loads(body)["status"]["details"] == NO_COOKIE


@pytest.mark.parametrize("what", DATA)
@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://127.0.0.1:1"},  # browsers send the cookie to each port of a host
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "same-site"},
        {"sec_fetch_site": "cross-site"},
    ],
)
def test_other_pages_get_nothing_whatever_cors_says(
    emulator: EmulatorThread, what: str, headers: dict[str, str]
) -> None:
    answer, body = get(emulator, f"/_page/{what}", cookie=enter(emulator), **headers)
    assert answer.status == 403
    assert json.loads(body)["status"]["details"] == OTHER_PAGE


@pytest.mark.parametrize("cors", [(), ("*",), ("localhost",)])
def test_the_page_itself_may_act_and_no_other_page(tmp_path: Path, cors: tuple[str, ...]) -> None:
    """Browsers name the origin in what a page sends, also where it is the page's own."""
    with serving(tmp_path, cors=cors) as thread:
        cookie, port = enter(thread), thread.run(lambda each: each.port)
        own = {"content-type": "application/json", "cookie": cookie, "sec-fetch-site": "same-origin"}

        def sent(origin: str) -> tuple[int, str | None]:
            connection = http.client.HTTPConnection(urlsplit(thread.url).netloc, timeout=10)
            connection.request("POST", "/_page/faults", "{}", {**own, "origin": origin})
            answer = connection.getresponse()
            answer.read()
            connection.close()
            return answer.status, answer.headers["access-control-allow-origin"]

        assert sent(thread.url) == (200, None)
        for other in (f"http://127.0.0.1:{port + 1}", f"http://localhost:{port}", "https://evil.example", "null"):
            assert sent(other) == (403, None)


def test_a_name_that_was_made_to_point_here_gets_nothing(emulator: EmulatorThread) -> None:
    assert get(emulator, "/", accept="text/html", host="rebound.example")[0].status == 403
    assert get(emulator, "/_page/state", cookie=enter(emulator), host="rebound.example")[0].status == 403


def test_a_cookie_lasts_over_a_restart_and_an_address_does_not(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        cookie, port = enter(first), first.run(lambda each: each.port)
    with serving(tmp_path, "the token of the next run", port=port) as second:
        assert get(second, "/_page/state", cookie=cookie)[0].status == 200
        assert get(second, f"/?token={page_token(CONTROL)}", accept="text/html")[0].status == 401
    assert (tmp_path / "page.key").stat().st_mode & 0o077 == 0
    with serving(tmp_path / "of-another-user", port=port) as third:
        assert get(third, "/_page/state", cookie=cookie)[0].status == 401


def test_where_no_key_can_be_kept_the_page_works_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with serving(tmp_path / "file") as thread:
        assert get(thread, "/_page/state", cookie=enter(thread))[0].status == 200


# ── what is sent ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("path", ["/", "/_page/app.js", "/_page/app.css", "/_page/state"])
def test_its_policy_allows_nothing_but_its_own_files(emulator: EmulatorThread, path: str) -> None:
    answer, body = get(emulator, path, accept="text/html", cookie=enter(emulator))
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob: data:;" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    if path == "/":
        assert re.findall(r"<script[^>]*>(.*?)</script>", body) == [""], "no script stands in the page itself"


def test_what_a_browser_has_already_is_not_sent_again(emulator: EmulatorThread) -> None:
    mark = get(emulator, "/_page/app.js")[0].headers["etag"]
    answer, body = get(emulator, "/_page/app.js", if_none_match=mark)
    assert (answer.status, body) == (304, "")


def test_state_and_route_are_those_of_the_command_line(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    told = data(emulator, "state")["state"]
    assert told["deployments"] == emulator.status()["deployments"]
    assert told["deployments"][0]["nodepools"] == ["me/local/cpu"]
    decision = data(emulator, "route?model=me/demo/hello")["decision"]
    assert (decision["rule"], decision["deployment"]) == ("owner_default", "me/deploy-hello")
    refusal = data(emulator, "route?model=me/demo/hello&nodepool=me/local/none")["refusal"]
    assert "none" in refusal["details"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("route", "Name a model or a deployment to ask about."),
        ("route?model=hello", "'hello' is no model's name: USER/APP/MODEL, as the list of models has it."),
        ("route?model=me/demo/hello&nodepool=cpu", "'cpu' is no nodepool's name: USER/CLUSTER/NODEPOOL"),
        ("log?replica=x&since=soon", "'since' is a number, not 'soon'."),
        ("log?replica=x&since=nan", "'since' is a number, not 'nan'."),
        ("log?replica=x&since=inf", "'since' is a number, not 'inf'."),
    ],
)
def test_a_question_that_makes_no_sense_is_told_so(emulator: EmulatorThread, query: str, said: str) -> None:
    answer, body = get(emulator, f"/_page/{query}", cookie=enter(emulator))
    assert answer.status == 400
    assert said in json.loads(body)["status"]["details"]


def test_a_read_is_no_act(emulator: EmulatorThread) -> None:
    answer, body = get(emulator, "/_page/state", "POST", cookie=enter(emulator))
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
    assert json.loads(body)["status"]["details"] == "There is no POST /_page/state; the page sends GET there."
    assert get(emulator, "/_page/nothing", cookie=enter(emulator))[0].status == 404


def test_no_token_key_or_secret_is_ever_sent(emulator: EmulatorThread) -> None:
    client = Client(emulator.url, PAT)
    client.call("PostSecrets", secrets=[{"id": "mine", "value": SECRET}])
    emulator.deploy(MODELS / "hello")
    client.call("PostModelOutputs", inference_request("hello", prompt="x"))
    client.close()
    stream = Stream(emulator)
    events, _ = stream.events_until("request.finished")
    stream.close()
    replica = next(each["replica_id"] for each in events if each["kind"] == "replica.live")
    request = next(each["request_id"] for each in events if each["kind"] == "request.finished")
    answers = [data(emulator, each) for each in ("state", f"log?replica={replica}", f"request?id={request}")]
    sent = json.dumps([events, *answers])
    key = emulator.run(lambda each: (each.config.run_dir / "page.key").read_text())
    pat = emulator.run(lambda each: each.pat)
    for secret in (CONTROL, PAT, SECRET, key, pat, page_token(CONTROL)):
        assert secret not in sent


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_reader_that_comes_again_gets_what_it_missed(emulator: EmulatorThread) -> None:
    emit(emulator, "test.one", "test.two")
    stream = Stream(emulator)
    assert stream.message()["data"]["missed"] == 0
    _, last = stream.events_until("test.two")
    stream.close()
    emit(emulator, "test.three", "test.four")
    again = Stream(emulator, last)
    assert again.message()["data"]["missed"] == 0
    events, _ = again.events_until("test.four")
    assert [each["kind"] for each in events] == ["test.three", "test.four"]
    emit(emulator, "test.five")
    assert [each["kind"] for each in again.events_until("test.five")[0]] == ["test.five"]
    again.close()


@pytest.mark.parametrize("last", ["x", ":", "another-run:3", "{run}:-1", "{run}:99999999999999999999", "{run}:²"])
def test_an_id_that_this_run_never_gave_begins_anew(emulator: EmulatorThread, last: str) -> None:
    emit(emulator, "test.begun")
    run = emulator.run(lambda each: each.run_id)
    stream = Stream(emulator, last.replace("{run}", run).encode().decode("latin-1"))
    assert stream.message()["data"] == {"run": run, "missed": 0}
    assert stream.events_until("test.begun")
    stream.close()


def test_a_reader_learns_how_many_events_are_no_longer_kept(tmp_path: Path) -> None:
    with serving(tmp_path) as thread:
        emit(thread, *["test.old"] * 12_000)
        run = thread.run(lambda each: each.run_id)
        newest = thread.run(lambda each: each.events.last_seq)
        stream = Stream(thread, f"{run}:5")
        assert stream.message()["data"]["missed"] == newest - 10_000 - 5
        stream.close()


def test_a_reader_that_does_not_read_costs_its_queue_only_and_is_told_what_it_missed(tmp_path: Path) -> None:
    with serving(tmp_path) as thread:
        stream = Stream(thread)
        stream.message()
        text = "x" * 1000
        for _ in range(40):
            thread.run(lambda each: [each.events.emit("test.much", text=text) for _ in range(1000)])
            time.sleep(0.02)
        thread.run(lambda each: each.events.emit("test.last"))
        messages: list[dict[str, Any]] = []
        while not any("id" in each and each["data"][-1]["kind"] == "test.last" for each in messages):
            messages.append(stream.message())
        missed = sum(each["data"] for each in messages if each.get("event") == "missed")
        shown = sum(len(each["data"]) for each in messages if "id" in each)
        assert missed > 0
        assert missed + shown == 40_001
        stream.close()


def test_the_emulator_stops_at_once_while_browsers_read(tmp_path: Path) -> None:
    thread = serving(tmp_path)
    with thread:
        streams = [Stream(thread) for _ in range(3)]
        before = time.monotonic()
    assert time.monotonic() - before < 5
    for stream in streams:
        stream.close()


def test_a_browser_that_leaves_is_forgotten(emulator: EmulatorThread) -> None:
    def readers(each: Emulator) -> int:
        return len(each.events._listeners.subscribers)

    before = emulator.run(readers)
    stream = Stream(emulator)
    stream.message()
    assert emulator.run(readers) == before + 1
    stream.close()
    emit(emulator, "test.after")
    wait_for(lambda: emulator.run(readers) == before)


# ── logs ────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_a_long_log_the_newest_lines_are_sent_and_the_rest_is_counted(emulator: EmulatorThread) -> None:
    def write(each: Emulator) -> None:
        for number in range(4_000):
            each.logbook.append("runner", f"\x1b[31mline {number}\x1b[0m", replica_id="r1", user_id="me")
        each.logbook.append("runner", "y" * 100_000, replica_id="r1", user_id="me")
        each.logbook.append("runner", "of another", replica_id="r2", user_id="me")

    emulator.run(write)
    told = data(emulator, "log?replica=r1")
    assert (len(told["lines"]), told["left_out"]) == (2_000, 2_001)
    assert told["lines"][-2]["text"] == "line 3999"
    assert (len(told["lines"][-1]["text"]), told["lines"][-1]["cut"]) == (4_000, 96_000)
    since = told["lines"][-2]["seq"]
    assert len(data(emulator, f"log?replica=r1&since={since}")["lines"]) == 1


def test_a_version_shows_what_its_build_printed(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    (deployed,) = (each for each in emulator.status()["deployments"] if each["model"] == "me/demo/hello")
    version = deployed["versions"][0]["version_id"]
    ids = {"user_id": "me", "app_id": "demo", "model_id": "hello", "model_version_id": version}
    emulator.run(lambda each: each.logbook.append("builder", "installing", **ids))
    told = data(emulator, f"build?model=me/demo/hello&version={version}")
    assert [line["text"] for line in told["lines"]] == ["installing"]
    assert told["environment"]
    assert told["code"]
    assert data(emulator, "build?model=me/demo/hello&version=none") == {"lines": [], "left_out": 0}
    answer, body = get(emulator, "/_page/build?model=hello", cookie=enter(emulator))
    assert (answer.status, "'hello' is no model's name" in body) == (400, True)


def test_new_lines_of_a_full_log_are_found_without_a_look_at_the_old_ones(tmp_path: Path) -> None:
    with serving(tmp_path) as thread:

        def fill(each: Emulator) -> int:
            for number in range(1_000_000):
                runner = f"r{number % 200}"
                each.logbook.append("runner", "x", runner_id=runner, replica_id=runner, user_id="me")
            newest = next(reversed(list(each.logbook.of_replica("r0", ("runner",))))).seq
            each.logbook.append("runner", "new", runner_id="r0", replica_id="r0", user_id="me")
            return newest

        def look(each: Emulator) -> float:
            began = time.perf_counter()
            assert [line.message for line in each.logbook.of_replica("r0", ("runner",), since=newest)] == ["new"]
            return time.perf_counter() - began

        newest = thread.run(fill)
        took = min(thread.run(look) for _ in range(20))
        figure(f"new lines of a replica among 1,000,000 kept: {took * 1e6:.0f} µs")
        assert took < 0.005


def test_lives_of_replicas_outlast_their_events(emulator: EmulatorThread) -> None:
    emulator.deploy(MODELS / "hello")
    emit(emulator, *["test.much"] * 10_001)
    assert list(emulator.events("replica.")) == []
    steps = data(emulator, "lives")["steps"]
    (replica,) = emulator.status()["deployments"][0]["versions"][0]["replicas"]
    own = [each for each in steps if each["replica_id"] == replica["replica_id"]]
    assert [each["kind"] for each in own] == ["replica.starting", "replica.loading", "replica.live"]
    assert {(each["deployment_id"], each["nodepool"], each["model_id"]) for each in own} == {
        ("deploy-hello", "me/local/cpu", "hello")
    }
