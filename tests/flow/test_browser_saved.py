"""People look at a page that was saved to a file, without an emulator: that of a test run, or of an export."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.driver import MODELS, Client, inference_request, wait_for, write_model
from flow.page_driver import HOSTILE, LIGHT_AND_DARK, PLANTED, ask, violations
from flow.processes import EmulatorProcess, environment
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what is saved is the same for containers")

# A picture of one point.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010804000000b51c0c02"
    "0000000b4944415478da6364f80f00010501012718e3660000000049454e44ae426082"
)
TESTS = f'''
import pytest

PIXEL = {PIXEL!r}

PLANTED = {PLANTED!r}
HELLO, TYPES = {str(MODELS / "hello")!r}, {str(MODELS / "types")!r}


def test_asks_hello(clarifai):
    hello = clarifai.deploy(HELLO)
    clarifai.deployment("second", model=hello)
    assert hello.model.predict(prompt="you") == "Hello, you!"


def test_has_a_fault(clarifai):
    hello = clarifai.deploy(HELLO)
    clarifai.fault(id="planned", status="MODEL_DEPLOYMENT_FAILED")
    hello.model.predict(prompt="x")


@pytest.mark.parametrize("text", [pytest.param(PLANTED, id=PLANTED)])
def test_hostile(clarifai, text):
    """{PLANTED}"""
    clarifai.deploy("hostile").model.predict(prompt=text)


def test_finds(clarifai):
    clarifai.deploy(TYPES).model.echo_params(prompt="x", temperature=99.0)


def test_sends_an_image(clarifai):
    from clarifai.runners.utils.data_types import Image

    clarifai.deploy(TYPES).model.echo_image(value=Image(bytes=PIXEL))


def test_is_alone():
    assert True


@pytest.mark.skip(reason="not today " + PLANTED)
def test_waits():
    assert True
'''


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    write_model(folder, "hostile", HOSTILE)
    (folder / "test_it.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    words = ("-q", "-p", "no:schemathesis", "-p", "no:cacheprovider", "--clarifai-html", "out/run.html")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert "wrote" in done.stdout, done.stdout
    return folder / "out" / "run.html"


@pytest.fixture(scope="module")
def export_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emulator")
    hostile = write_model(folder, "hostile", HOSTILE)
    process = EmulatorProcess(folder, "hello", str(hostile))
    client = process.client()
    ask(client, "hello", "you " + PLANTED)
    ask(client, "hostile")
    refuse(client)
    client.close()
    file = folder / "page.html"
    done = subprocess.run(
        [sys.executable, "-m", "clarifai_emulator", "export", "--format", "html", str(file)],
        env=environment(XDG_STATE_HOME=str(folder / "state")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    process.end(signal.SIGTERM)
    assert done.returncode == 0, done.stderr
    return file


def refuse(client: Client) -> None:
    client.call("PostModelOutputs", inference_request("hello", prompt="x", deployment="none"))


class saved:
    """Opens a file in a context of its own; fails if a script of it fails or is blocked, or asks for anything."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self._context = browser.new_context(**options)
        self._address = file.as_uri()
        self.said: list[str] = []
        self.asked: list[str] = []

    def __enter__(self) -> Any:
        page = self._context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(self._address)
        page.get_by_role("complementary", name="About this file").wait_for()
        return page

    def __exit__(self, *_: object) -> None:
        self._context.close()
        assert self.said == []
        assert [each for each in self.asked if not each.startswith((self._address, "data:"))] == []


@pytest.fixture
def run(browser: Any, run_file: Path) -> Iterator[Any]:
    with saved(browser, run_file) as page:
        yield page


@pytest.fixture
def export(browser: Any, export_file: Path) -> Iterator[Any]:
    with saved(browser, export_file) as page:
        yield page


# ── a test run ──────────────────────────────────────────────────────────────────────────────────────────


def test_it_says_what_it_is_and_lists_every_test(run: Any) -> None:
    notice = run.get_by_role("complementary", name="About this file").inner_text()
    assert "Tests of project" in notice
    assert "run the tests again" in notice
    assert "7 of 7 tests" in run.get_by_role("status").inner_text()
    row = run.get_by_role("row").filter(has_text="test_asks_hello")
    assert "passed" in row.inner_text()
    row = run.get_by_role("row").filter(has_text="test_waits")
    assert "skipped" in row.inner_text()


def test_tests_are_filtered_by_outcome_and_text(run: Any) -> None:
    rows = run.get_by_role("row")
    run.get_by_label("Outcome").select_option(label="failed (3)")
    assert rows.count() == 4
    run.get_by_label("Filter tests").fill("MODEL_DEPLOYMENT_FAILED")
    assert rows.count() == 2
    run.get_by_label("Filter tests").fill("nothing-is-called-so")
    run.get_by_text("No test matches the filter.").wait_for()


def test_a_test_shows_its_calls_with_the_way_they_went_and_logs(run: Any) -> None:
    run.get_by_role("link", name="test_asks_hello").click()
    detail = run.get_by_role("region", name=re.compile("test_asks_hello"))
    detail.get_by_text("'Hello, you!'").wait_for()
    detail.get_by_text("owner_default").wait_for()
    detail.get_by_text("deployment me/second").wait_for()
    detail.get_by_text("10000 SUCCESS").wait_for()
    detail.get_by_text("model_predict").first.wait_for()
    detail.get_by_role("link", name=re.compile(r"hello\.predict")).click()
    run.get_by_role("region", name="hello.predict").get_by_text("owner_default").first.wait_for()
    run.get_by_role("link", name="Show its way on the map").click()
    taken = run.get_by_role("listitem").filter(has_text="taken").filter(has_text="deploy-hello").last
    assert "answered" in taken.text_content()
    run.get_by_text("passed over").first.wait_for()


def test_a_request_of_a_test_shows_what_it_was_asked_and_answered_pictures_as_such(run: Any) -> None:
    run.get_by_role("link", name="test_sends_an_image").click()
    detail = run.get_by_role("region", name=re.compile("test_sends_an_image"))
    detail.get_by_role("link", name=re.compile(r"types\.echo_image")).click()
    picture = run.get_by_role("region", name="types.echo_image").get_by_role("img").first
    picture.scroll_into_view_if_needed()
    wait_for(lambda: picture.evaluate("each => each.naturalWidth") == 1)
    assert run.get_by_role("button", name="Again").count() == 0


def test_a_failure_shows_what_pytest_said_its_fault_and_its_findings(run: Any) -> None:
    run.get_by_role("link", name="test_has_a_fault").click()
    detail = run.get_by_role("region", name=re.compile("test_has_a_fault"))
    detail.get_by_text("planned", exact=True).first.wait_for()
    run.go_back()
    run.get_by_role("link", name="test_finds").click()
    detail = run.get_by_role("region", name=re.compile("test_finds"))
    detail.get_by_role("heading", name="Contract findings").wait_for()
    assert "out-of-range" in detail.inner_text()


def test_a_test_without_the_emulator_is_there_by_name(run: Any) -> None:
    run.get_by_role("link", name="test_is_alone").click()
    run.get_by_text("It did not use the emulator.").wait_for()


def test_a_replica_of_a_test_has_its_log(run: Any) -> None:
    run.get_by_role("link", name="test_hostile").click()
    detail = run.get_by_role("region", name=re.compile("test_hostile"))
    detail.get_by_role("link", name=re.compile("^[0-9a-f]{8}$")).first.click()
    run.get_by_role("region", name=re.compile("Replica ")).get_by_text(f"printed {PLANTED}").first.wait_for()


def test_html_and_script_in_names_outputs_and_logs_of_tests_are_text(run: Any) -> None:
    run.get_by_role("link", name="test_hostile").click()
    run.get_by_text(f"raised {PLANTED}").first.wait_for()
    run.get_by_role("link", name="test_waits").click()
    run.get_by_text(f"not today {PLANTED}").first.wait_for()
    run.wait_for_timeout(300)
    assert "planted" not in run.title()
    assert run.locator("img").count() == 0
    assert run.locator("script").count() == 2


# ── an export ───────────────────────────────────────────────────────────────────────────────────────────


def test_an_export_shows_requests_the_map_and_logs(export: Any) -> None:
    notice = export.get_by_role("complementary", name="About this file").inner_text()
    assert "Clarifai emulator at http://127.0.0.1" in notice
    assert export.get_by_role("link", name="Tests").count() == 0
    assert export.get_by_role("link", name="Try it").count() == 0
    export.get_by_role("link", name="hostile.predict").click()
    detail = export.get_by_role("region", name="hostile.predict")
    detail.get_by_text(f"raised {PLANTED}").first.wait_for()
    detail.get_by_text(f"printed {PLANTED}").first.wait_for()
    detail.get_by_role("link", name="Show its way on the map").click()
    export.get_by_text("The way of").wait_for()
    assert export.get_by_role("form", name="Where would a request go?").count() == 0
    assert "planted" not in export.title()


def test_a_word_of_an_argument_finds_its_request_in_an_export(export: Any) -> None:
    box, rows = export.get_by_label("Filter requests"), export.get_by_role("row")
    box.fill("nobody-said-this")
    export.get_by_text("No request matches the filter.").wait_for()
    box.fill("onerror")  # of what is planted in an argument
    export.get_by_role("link", name="hostile.predict").first.wait_for()
    assert rows.count() == 2
    box.fill("")


def test_what_acts_is_not_there(export: Any) -> None:
    for panel in ("Requests", "Map", "Replicas", "Traffic", "Faults", "Contracts", "Resources"):
        export.get_by_role("navigation").get_by_role("link", name=panel).click()
        export.get_by_role("heading", name=panel).first.wait_for()
        export.wait_for_timeout(200)
        assert export.get_by_role("alert").count() == 0, panel


def test_a_script_that_was_put_in_all_the_same_would_not_run(
    browser: Any, export_file: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.html"
    planted = "<script>document.title='planted'</script><img src=x onerror=\"document.title='planted'\">"
    broken.write_text(export_file.read_text().replace('<div id="page">', f'{planted}<div id="page">'))
    page = browser.new_page()
    page.goto(broken.as_uri())
    page.get_by_role("complementary", name="About this file").wait_for()
    assert "planted" not in page.title()
    page.close()


def test_no_secret_is_in_the_file(export_file: Path) -> None:
    text = export_file.read_text()
    for file in (export_file.parent / "state").rglob("*"):
        if file.suffix == ".json":
            assert json.loads(file.read_text())["token"] not in text
        if file.name == "page.key":
            assert file.read_text() not in text


# ── for everybody ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("scheme", "width"), LIGHT_AND_DARK)
def test_everybody_can_read_it(browser: Any, run_file: Path, scheme: str, width: int) -> None:
    with saved(browser, run_file, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        assert violations(page) == []
        page.get_by_role("link", name="test_has_a_fault").click()
        page.get_by_role("heading", name="Calls").wait_for()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
