"""Gives tests the page of a running emulator in a real browser, at the address that `up` printed."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from flow.driver import Client, inference_request, write_model
from flow.processes import EmulatorProcess

AXE = Path(__file__).parents[2] / "emulator" / "page" / "node_modules" / "axe-core" / "axe.min.js"
# Sets a mark wherever one of these is taken for more than text.
PLANTED = (
    "</pre></script><script>document.title='planted'</script>"
    '<img src=x onerror="document.title=\'planted\'">"onmouseover="document.title=\'planted\'"{{7*7}}javascript:0//'
)
HOSTILE = f"""
from clarifai.runners.models.model_class import ModelClass

PLANTED = {PLANTED!r}

class Hostile(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str) -> str:
        print("printed " + PLANTED, flush=True)
        raise ValueError("raised " + PLANTED)
"""
LIGHT_AND_DARK = [(scheme, width) for scheme in ("light", "dark") for width in (400, 1440, 2560)]


@contextmanager
def deployed(
    folder: Path, *models: str | Path, deployments: int | None = None, options: Sequence[str] = ()
) -> Iterator[EmulatorProcess]:
    """Run an emulator until the block ends, which begins once these models are deployed, or so many deployments
    are there."""
    process = EmulatorProcess(folder, *map(str, models), options=options)
    try:
        process.client(deployments).close()
        yield process
    finally:
        process.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    folder = tmp_path_factory.mktemp("emulator")
    hostile = write_model(folder, "hostile", HOSTILE)
    with deployed(folder, "hello", "crash_method", hostile) as process:
        yield process


@pytest.fixture(scope="module")
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    client = Client(emulator.url)
    ask(client, "hello")
    ask(client, "crash_method", "a planted failure")
    planted = [("authorization", "Key any"), ("x-clarifai-request-id-prefix", PLANTED)]
    ask(client, "hostile", metadata=planted)
    client.call("PostModelOutputs", inference_request("hello", prompt="x", deployment="none"))
    yield client
    client.close()


@pytest.fixture
def page(browser: Any, emulator: EmulatorProcess, client: Client) -> Iterator[Any]:
    """Open the page as a person would who read what `up` printed; fail if a script of it fails or is blocked, or
    asks another address for anything."""
    with opened(browser, emulator) as page:
        yield page


class opened:
    """Opens the page in a context of its own."""

    def __init__(self, browser: Any, emulator: EmulatorProcess, **options: Any) -> None:
        self._context = browser.new_context(**options)
        self._emulator = emulator
        self.said: list[str] = []
        self.asked: list[str] = []

    def __enter__(self) -> Any:
        page = self._context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(printed_address(self._emulator))
        page.get_by_role("heading", name="Requests").wait_for()
        return page

    def __exit__(self, *_: object) -> None:
        self._context.close()
        assert [each for each in self.said if "ERR_" not in each] == []
        assert [each for each in self.asked if not each.startswith((self._emulator.url, "data:", "blob:"))] == []


def printed_address(emulator: EmulatorProcess) -> str:
    found = re.findall(r"Look at it in a browser: +(\S+)", emulator.printed())
    assert found, emulator.printed()
    return str(found[-1])


def ask(client: Client, model: str, prompt: str = "x", **options: Any) -> Any:
    return client.call("PostModelOutputs", inference_request(model, prompt=prompt), **options)


def violations(page: Any) -> list[str]:
    """Return what axe-core finds wrong for people who use no mouse, or no eyes."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")["violations"]
    return [f"{each['id']}: {each['nodes'][0]['html']}" for each in found]
