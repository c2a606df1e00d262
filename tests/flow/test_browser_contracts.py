"""People see in a browser what models promise, which methods nobody calls, what did not fit, and what a change
breaks."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clarifai_emulator.contracts.changes.lock import LOCK_FILE
from flow.driver import Client, inference_request, wait_for, write_model
from flow.page_driver import LIGHT_AND_DARK, PLANTED, deployed, opened, violations
from flow.processes import EmulatorProcess, command, environment
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")

GREETER = '''
from clarifai.runners.models.model_class import ModelClass
from clarifai.runners.utils.data_utils import Param


class Greeter(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str, times: int = Param(default=1, min_value=1, max_value=3)) -> str:
        """Greets whom the prompt names."""
        return f"Hello, {prompt}!" * times

    @ModelClass.method
    def unused(self, text: str) -> str:
        """Nobody calls it."""
        return text
'''
HOSTILE = f"""
from clarifai.runners.models.model_class import ModelClass


class Hostile(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str = {PLANTED!r}) -> str:
        '''Says {PLANTED}.'''
        return prompt
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("emulator")
    (folder / ".git").mkdir()
    return folder


@pytest.fixture(scope="module")
def emulator(folder: Path) -> Iterator[EmulatorProcess]:
    """Run a model that has changed since its lock was written, one without a lock, and a hostile one."""
    greeter = write_model(folder, "greeter", GREETER.replace("prompt", "name"))
    locked = command(folder, "contract", "lock", str(greeter), "-o", str(greeter / LOCK_FILE))
    assert locked.returncode == 0, locked.stderr
    (greeter / "1" / "model.py").write_text(GREETER)
    hostile = write_model(folder, "hostile", HOSTILE)
    with deployed(folder, "hello", greeter, hostile) as process:
        yield process


@pytest.fixture(scope="module")
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    client = Client(emulator.url)
    for count in (7, 8):
        client.call("PostModelOutputs", inference_request("greeter", prompt="you", times=count))
    yield client
    client.close()


@pytest.fixture
def page(browser: Any, emulator: EmulatorProcess, client: Client) -> Iterator[Any]:
    with opened(browser, emulator) as page:
        page.get_by_role("link", name="Contracts", exact=True).click()
        yield page


def shown(page: Any, model: str) -> Any:
    page.get_by_role("link", name=f"me/demo/{model}", exact=True).click()
    return page.get_by_role("region", name=f"me/demo/{model}")


def test_methods_are_shown_with_their_calls_and_those_that_nobody_called(page: Any, client: Client) -> None:
    row = page.get_by_role("row").filter(has_text="me/demo/greeter")
    row.get_by_text("1 never called").wait_for()
    detail = shown(page, "greeter")
    detail.get_by_text("def predict(prompt: str, times: int = 1) -> str").wait_for()
    predict, unused = (
        detail.get_by_role("listitem").filter(has_text=f"def {each}(") for each in ("predict", "unused")
    )
    assert "Greets whom the prompt names." in predict.inner_text()
    assert "times: 1 to 3" in predict.inner_text()
    assert "1/model.py:8" in predict.inner_text()
    predict.get_by_text("called twice").wait_for()
    unused.get_by_text("never called").wait_for()
    client.call("PostModelOutputs", inference_request("hello", prompt="x"))
    shown(page, "hello").get_by_text("called once").wait_for()


def test_a_finding_leads_to_the_last_request_that_did_not_fit(page: Any) -> None:
    detail = shown(page, "greeter")
    finding = detail.get_by_role("listitem").filter(has_text="out-of-range")
    finding.get_by_text("Found twice, last at").wait_for()
    finding.get_by_text("the method is at 1/model.py:8").wait_for()
    finding.get_by_role("link", name="request ").click()
    page.get_by_role("region", name="greeter.predict").get_by_text("out-of-range").first.wait_for()


def test_what_differs_from_the_lock_is_said_with_what_to_do_next(page: Any, folder: Path) -> None:
    detail = shown(page, "greeter")
    detail.get_by_text("What is deployed differs from what the lock file promises.").wait_for()
    change = detail.get_by_role("listitem").filter(has_text="which breaks all clients")
    said = change.inner_text()
    assert "argument 'name' (str) is gone, and 'prompt' of the same type is new" in said
    assert "was: predict(name: str" in said
    assert "now: predict(prompt: str" in said
    path = folder / "greeter"
    detail.get_by_text(f"clarifai-emulator contract verify {path} --lock {path / LOCK_FILE}").wait_for()
    detail.get_by_text(f"clarifai-emulator contract lock {path} -o {path / LOCK_FILE}").wait_for()


def test_a_model_without_a_lock_is_told_how_to_get_one(page: Any) -> None:
    detail = shown(page, "hello")
    detail.get_by_text("There is none. Write one and commit it").wait_for()
    detail.get_by_text("clarifai-emulator contract lock ").first.wait_for()


def test_html_and_script_in_signatures_are_shown_as_text(page: Any) -> None:
    detail = shown(page, "hostile")
    detail.get_by_text("</pre></script><script>").first.wait_for()
    assert "planted" not in page.title()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1


def test_models_are_found_by_name_and_each_has_an_address(page: Any) -> None:
    page.get_by_label("Find a model").fill("greet")
    wait_for(lambda: page.get_by_role("row").count() == 2)
    page.get_by_label("Find a model").fill("nothing-is-called-so")
    page.get_by_text("No model has this in its name.").wait_for()
    page.get_by_label("Find a model").fill("")
    shown(page, "greeter").wait_for()
    page.reload()
    page.get_by_role("region", name="me/demo/greeter").get_by_role("heading", name="Lock file").wait_for()
    other = page.context.new_page()  # whose console has that the address was not found
    other.goto(f"{page.url.partition('#')[0]}#/contracts/me/demo/gone")
    other.get_by_role("alert").get_by_text("There is no model 'me/demo/gone' any longer").wait_for()


def test_the_keyboard_is_enough(page: Any) -> None:
    page.get_by_label("Find a model").focus()
    page.keyboard.type("greet")
    wait_for(lambda: page.get_by_role("row").count() == 2)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_role("region", name="me/demo/greeter").wait_for()


def test_a_save_in_the_dev_loop_is_followed(page: Any, emulator: EmulatorProcess, folder: Path) -> None:
    page.get_by_text("No directory is reloaded as you save.").wait_for()
    path = write_model(folder, "edited", GREETER)
    words = ["-m", "clarifai_emulator", "dev", str(path), "--port", str(emulator.port)]
    with (folder / "dev.log").open("w") as log:
        dev = subprocess.Popen(
            [sys.executable, *words], env=environment(XDG_STATE_HOME=str(folder / "state")), stdout=log, stderr=log
        )
    try:
        item = page.get_by_role("listitem").filter(has_text="answers as deploy-edited")
        item.get_by_text("Nothing was saved since.").wait_for(timeout=30_000)
        source = path / "1" / "model.py"
        source.write_text(GREETER.replace("Hello", "Good morning"))
        item.get_by_text("it answers.").wait_for(timeout=30_000)
        item.get_by_text("put into the running model").wait_for()
        source.write_text(GREETER.replace("def predict(", "def predict(("))
        item.get_by_text("it is broken; the code before it answers.").wait_for(timeout=30_000)
        assert "1/model.py:8" in item.inner_text()
        assert violations(page) == []
    finally:
        dev.send_signal(signal.SIGINT)
        dev.wait(timeout=20)


def test_an_emulator_without_models_says_what_to_do_first(browser: Any, tmp_path: Path) -> None:
    process = EmulatorProcess(tmp_path)
    process.client().close()
    try:
        with opened(browser, process) as page:
            page.get_by_role("link", name="Contracts", exact=True).click()
            page.get_by_text("There is no model yet. Deploy one").wait_for()
            assert violations(page) == []
    finally:
        process.end(signal.SIGTERM)


@pytest.mark.parametrize(("scheme", "width"), LIGHT_AND_DARK)
def test_it_is_read_light_and_dark_on_small_and_large_screens(
    browser: Any, emulator: EmulatorProcess, client: Client, scheme: str, width: int
) -> None:
    with opened(browser, emulator, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        page.get_by_role("link", name="Contracts", exact=True).click()
        page.get_by_role("row").filter(has_text="greeter").wait_for()
        assert violations(page) == []
        for model in ("greeter", "hostile"):
            shown(page, model).get_by_role("heading", name="Lock file").wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page) == []
