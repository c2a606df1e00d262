"""A person walks through the page with nothing but what is visible there, from the address that ``up`` printed:
each of five wishes takes at most four clicks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flow.driver import write_model
from flow.page_driver import deployed, opened
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


CANARY = """
compute_clusters:
  - {id: aws-west, cloud_provider: {id: aws}, region: us-west-2, managed_by: clarifai, cluster_type: dedicated}
nodepools:
  - id: box
    compute_cluster: {id: aws-west}
    instance_types: [{id: t3a.medium}]
    node_capacity_type: {capacity_types: [1]}
    min_instances: 0
    max_instances: 1
deployments:
  - id: my-canary
    nodepools: [{id: box, compute_cluster: {id: aws-west}}]
    autoscale_config: {min_replicas: 0, max_replicas: 1}
    worker: {model: {id: my-model, app_id: demo}}
"""


class Person:
    """Looks at a page and uses it by roles and labels, counting clicks for each wish."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self._clicks = 0

    def wishes(self) -> None:
        """Begin with another wish."""
        self._clicks = 0

    def clicks(self, role: str, name: str) -> None:
        """Click the first thing with a role and a name."""
        self.page.get_by_role(role, name=name).first.click()
        self._count()

    def chooses(self, label: str, option: str) -> None:
        """Choose one of several."""
        self.page.get_by_label(label, exact=True).select_option(option)
        self._count()

    def writes(self, label: str, text: str) -> None:
        """Write into a field; the keyboard is no mouse."""
        self.page.get_by_label(label, exact=True).fill(text)

    def sees(self, text: str) -> None:
        """Wait until a text is there to be seen."""
        self.page.get_by_text(text).first.wait_for()

    def _count(self) -> None:
        self._clicks += 1
        assert self._clicks <= MOST_CLICKS


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    folder = tmp_path_factory.mktemp("tour")
    model = write_model(folder, "my-model", MY_MODEL)
    canary = folder / "canary.yaml"
    canary.write_text(CANARY)
    with deployed(folder, model, options=["--topology", str(canary)], deployments=2) as process:
        yield process


@pytest.fixture
def person(browser: Any, emulator: EmulatorProcess) -> Iterator[Person]:
    with opened(browser, emulator) as page:
        yield Person(page)


def test_five_wishes_take_four_clicks_each(person: Person) -> None:
    page = person.page
    person.clicks("link", "Map")
    page.get_by_role("listitem").filter(has_text="deploy-my-model").first.wait_for()  # it is there

    person.wishes()  # to call it
    person.clicks("link", "Try it")
    person.chooses("Model", "me/demo/my-model")
    person.writes("prompt", "hello")
    person.clicks("button", "Send")
    page.get_by_role("region", name="Answer").get_by_text("hello hello").wait_for()

    person.wishes()  # to know where the call went, and why nowhere else
    person.clicks("link", "Why it went there")
    person.clicks("link", "Show its way on the map")
    page.get_by_role("listitem").filter(has_text="deploy-my-model").filter(has_text="taken").first.wait_for()
    canary = page.get_by_role("listitem").filter(has_text="my-canary")
    canary.get_by_text("passed over: ").first.wait_for()

    person.wishes()  # to see why one failed, whoever made it
    person.clicks("link", "Try it")
    person.writes("prompt", "a planted failure")
    person.clicks("button", "Send")
    page.get_by_role("region", name="Answer").get_by_text("planted in my-model").first.wait_for()
    person.wishes()
    person.clicks("link", "Requests")
    row = page.get_by_role("row").filter(has_text="planted in my-model")
    person.clicks("link", "my-model.predict")
    assert row.count() == 1
    person.sees("Traceback (most recent call last):")
    person.sees('raise ValueError("planted in my-model")')

    person.wishes()  # to make it fail on purpose
    person.clicks("link", "Faults")
    person.writes("Model", "my-model")
    person.writes("Status", "MODEL_DEPLOYING")
    person.clicks("button", "Add the fault")
    person.sees("inference of model my-model: status 21")
    person.wishes()  # and to have it well again
    person.clicks("button", "Remove")
    page.get_by_text("inference of model my-model: status 21").first.wait_for(state="hidden")
