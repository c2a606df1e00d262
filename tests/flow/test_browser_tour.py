"""A person walks through the page of the tour (``fixtures/tour``) with nothing but what is visible there: each of five
questions is answered in at most four clicks, from the address that ``up`` printed."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.driver import write_model
from flow.page_driver import opened
from flow.processes import EmulatorProcess
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")

MOST_CLICKS = 4
MY_MODEL = """
from clarifai.runners.models.model_class import ModelClass

class MyModel(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str, times: int = 2) -> str:
        if prompt == "a planted failure":
            raise ValueError("planted in my-model")
        return " ".join([prompt] * times)
"""


class Person:
    """Looks at a page and uses it by roles and labels, counting clicks. Typing is none."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.clicks = 0

    def click(self, role: str, name: str | re.Pattern[str], **more: Any) -> None:
        """Click the first thing with a role and a name."""
        self.page.get_by_role(role, name=name, **more).first.click()
        self.clicks += 1

    def sees(self, text: str | re.Pattern[str]) -> None:
        """Wait until a text is there to be seen."""
        self.page.get_by_text(text).first.wait_for()


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    folder = tmp_path_factory.mktemp("tour")
    model = write_model(folder, "my-model", MY_MODEL)
    process = EmulatorProcess(folder, str(model))
    process.client().close()
    yield process
    process.end(signal.SIGTERM)


@pytest.fixture
def person(browser: Any, emulator: EmulatorProcess) -> Iterator[Person]:
    with opened(browser, emulator) as page:
        person = Person(page)
        yield person
    assert person.clicks <= MOST_CLICKS
