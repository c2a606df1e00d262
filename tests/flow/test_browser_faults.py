"""People set faults in a browser, see them strike, and take them away again, with nothing but what is visible."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from flow.driver import Client, inference_request, wait_for
from flow.page_driver import LIGHT_AND_DARK, PLANTED, ask, deployed, opened, violations
from flow.processes import EmulatorProcess, command
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emulator")


@pytest.fixture(scope="module")
def emulator(folder: Path) -> Iterator[EmulatorProcess]:
    with deployed(folder, "hello", "crash_method") as process:
        yield process


@pytest.fixture
def client(emulator: EmulatorProcess, folder: Path) -> Iterator[Client]:
    client = Client(emulator.url)
    yield client
    client.close()
    command(folder, "fault", "clear", "--port", str(emulator.port))


@pytest.fixture
def page(browser: Any, emulator: EmulatorProcess, client: Client) -> Iterator[Any]:
    with opened(browser, emulator) as page:
        yield page


def form_of(page: Any) -> Any:
    return page.get_by_role("form", name="Add a fault")


def items(page: Any) -> Any:
    return page.get_by_role("list", name="Faults that are set").get_by_role("listitem")


def add(page: Any, **texts: str) -> None:
    """Open the panel and add a fault whose fields have these texts."""
    page.get_by_role("link", name="Faults", exact=True).click()
    for label, text in texts.items():
        form_of(page).get_by_label(label.replace("_", " "), exact=True).fill(text)
    form_of(page).get_by_role("button", name="Add the fault").click()
    page.get_by_role("status").get_by_text("is injected from now on").wait_for()


def test_a_fault_is_added_strikes_and_is_removed_in_four_clicks(page: Any, client: Client) -> None:
    page.get_by_role("link", name="Faults", exact=True).click()
    page.get_by_text("No fault is set: every request is answered").wait_for()
    form_of(page).get_by_label("Throttle", exact=True).check()
    page.get_by_text("It would be: inference: status 11005 CONN_THROTTLED").wait_for()
    form_of(page).get_by_role("button", name="Add the fault").click()
    fault = items(page).filter(has_text="fault-1")
    fault.get_by_text("Injected into 0 of 0 requests it concerned").wait_for()
    assert ask(client, "hello").status.code == StatusCode.CONN_THROTTLED
    fault.get_by_text("Injected into 1 of 1 request it concerned").wait_for()
    fault.get_by_role("link", name="PostModelOutputs").wait_for()  # it ended before anybody looked for a model
    page.get_by_role("button", name="Remove fault-1").click()
    page.get_by_role("status").get_by_text("Removed fault-1, injected into 1 of 1 requests.").wait_for()
    assert ask(client, "hello").status.code == StatusCode.SUCCESS


def test_what_was_removed_is_put_back_with_the_keyboard(page: Any, client: Client) -> None:
    add(page, Status="MODEL_DEPLOYING", Times="2", Model="hello")
    ask(client, "hello")
    page.get_by_role("button", name="Remove fault-").click()
    page.get_by_role("button", name="Put back").wait_for()
    wait_for(lambda: page.evaluate("document.activeElement.textContent") == "Put back")
    page.keyboard.press("Enter")
    items(page).get_by_text("Injected into 1 of 1 request it concerned").wait_for()
    assert ask(client, "hello").status.code == StatusCode.MODEL_DEPLOYING
    items(page).get_by_text("used up").wait_for()
    assert ask(client, "hello").status.code == StatusCode.SUCCESS


def test_a_request_leads_to_the_fault_that_struck_it_and_back(page: Any, client: Client) -> None:
    page.get_by_role("link", name="Faults", exact=True).click()
    form_of(page).get_by_text("More: seed, name").click()
    form_of(page).get_by_label("Name", exact=True).fill("busy")
    form_of(page).get_by_label("Model", exact=True).fill("hello")
    form_of(page).get_by_label("Status", exact=True).fill("21354")
    page.keyboard.press("Enter")
    page.get_by_text("busy is injected from now on: inference of model hello: status 21354").wait_for()
    ask(client, "hello")
    items(page).filter(has_text="busy").get_by_role("link", name="hello.predict").wait_for()  # the page has it
    page.get_by_role("link", name="Requests").click()
    row = page.get_by_role("row").filter(has_text="fault injected").first
    row.get_by_role("link", name="hello.predict").click()
    page.get_by_role("region", name="hello.predict").get_by_role("link", name="busy").click()
    items(page).filter(has_text="busy").get_by_role("link", name="hello.predict").first.click()
    page.get_by_role("region", name="hello.predict").get_by_text("(injected by fault 'busy')").first.wait_for()


def test_from_a_request_the_form_is_filled_with_whom_it_asked(page: Any, client: Client) -> None:
    ask(client, "hello")
    page.get_by_role("link", name="hello.predict").first.click()
    page.get_by_role("link", name="Set a fault for requests like this").click()
    form = form_of(page)
    wait_for(lambda: form.get_by_label("Model", exact=True).input_value() == "me/demo/hello")
    assert form.get_by_label("Deployment", exact=True).input_value() == "me/deploy-hello"
    assert form.get_by_label("RPC", exact=True).input_value() == "PostModelOutputs"
    form.get_by_label("Lose the replica").check()
    form.get_by_label("Times", exact=True).fill("1")
    rule = "PostModelOutputs of model me/demo/hello of deployment me/deploy-hello: replica lost, once"
    page.get_by_text(f"It would be: {rule}").wait_for()
    assert violations(page) == []


def test_every_problem_stands_beside_its_field(page: Any) -> None:
    page.get_by_role("link", name="Faults", exact=True).click()
    form = form_of(page)
    form.get_by_role("button", name="Add the fault").click()
    page.get_by_role("alert").get_by_text("Choose under “What” what should go wrong.").wait_for()
    form.get_by_label("Status", exact=True).fill("MODEL_NOWHERE")
    form.get_by_label("Times", exact=True).fill("often")
    form.get_by_label("Probability", exact=True).fill("2")
    form.get_by_text("expected a whole number, found 'often'").wait_for()
    form.get_by_label("Times", exact=True).fill("0")
    form.get_by_text("must be at least 1, got 0").wait_for()
    form.get_by_text("must be above 0 and at most 1, got 2").wait_for()
    status = form.get_by_label("Status", exact=True)
    assert status.get_attribute("aria-invalid") == "true"
    assert "is no status code of the platform" in form.inner_text()
    form.get_by_role("button", name="Add the fault").click()
    page.get_by_role("alert").get_by_text("The fault cannot be added as it is").wait_for()
    assert page.evaluate("document.activeElement.id") == status.get_attribute("id")
    assert violations(page) == []
    assert items(page).count() == 0


def test_a_name_that_nothing_has_is_told_with_the_nearest(page: Any) -> None:
    page.get_by_role("link", name="Faults", exact=True).click()
    form = form_of(page)
    form.get_by_label("Throttle", exact=True).check()
    form.get_by_label("Model", exact=True).fill("helo")
    said = "There is no model 'helo'. Did you mean 'hello'? The fault waits for it."
    form.get_by_text(said).wait_for()
    form.get_by_role("button", name="Add the fault").click()
    page.get_by_role("status").filter(has_text="is injected from now on").get_by_text(said).wait_for()


def test_choices_are_those_of_the_emulator(page: Any) -> None:
    page.get_by_role("link", name="Faults", exact=True).click()
    form = form_of(page)
    offered = "list => [...document.getElementById(list).options].map(each => each.value)"
    for label, expected in (
        ("Model", "me/demo/hello"),
        ("Deployment", "me/deploy-hello"),
        ("Nodepool", "me/local/cpu"),
        ("Status", "MODEL_DEPLOYING"),
    ):
        field = form.get_by_label(label, exact=True)
        field.focus()
        wait_for(lambda field=field: field.get_attribute("list") is not None)
        assert expected in page.evaluate(offered, field.get_attribute("list"))


def test_hostile_ids_and_messages_are_text(page: Any, client: Client) -> None:
    planted = PLANTED.replace(" ", "_").replace("/", "!").replace("'", "`")
    page.get_by_role("link", name="Faults", exact=True).click()
    form = form_of(page)
    form.get_by_text("More: seed, name").click()
    form.get_by_text("More: gRPC status, message").click()
    form.get_by_label("Name", exact=True).fill(planted)
    form.get_by_label("Message", exact=True).fill(PLANTED)
    form.get_by_label("Model", exact=True).fill("hello")
    form.get_by_label("Status", exact=True).fill("21351")
    form.get_by_role("button", name="Add the fault").click()
    page.get_by_role("status").get_by_text(f"{planted} is injected").wait_for()
    ask(client, "hello")
    items(page).get_by_text("Injected into 1 of 1 request").wait_for()
    items(page).get_by_role("link", name=planted).click()
    items(page).get_by_role("link", name="hello.predict").click()
    page.get_by_role("region", name="hello.predict").get_by_role("link", name=planted).click()
    page.get_by_role("button", name=f"Remove {planted}").click()
    page.get_by_role("button", name="Put back").click()
    page.get_by_text(f"{planted} is back.").wait_for()
    assert "planted" not in page.title()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1


def test_of_two_pages_each_sees_what_the_other_does(page: Any, client: Client) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("link", name="Faults", exact=True).click()
    add(page, Latency="0.01")
    items(other).get_by_text("latency 0.01 s").wait_for()
    add(page, Latency="0.02")
    other.get_by_role("button", name="Remove all faults").click()
    other.get_by_text("Removed fault-").wait_for()
    page.get_by_text("No fault is set").wait_for()
    page.evaluate("location.hash = '#/faults/never'")
    page.get_by_text("There is no fault never any longer").wait_for()


def test_where_the_emulator_is_gone_it_says_so(browser: Any, tmp_path: Path) -> None:
    process = EmulatorProcess(tmp_path)
    process.client().close()
    with opened(browser, process) as page:
        page.get_by_role("link", name="Faults", exact=True).click()
        form_of(page).get_by_label("Throttle", exact=True).check()
        process.end(signal.SIGTERM)
        form_of(page).get_by_role("button", name="Add the fault").click()
        page.get_by_role("alert").get_by_text("Try again when it is there.").wait_for()
        assert form_of(page).get_by_label("Throttle", exact=True).is_checked()


def test_many_faults_are_shown_in_parts(page: Any, emulator: EmulatorProcess, client: Client) -> None:
    page.get_by_role("link", name="Faults", exact=True).click()
    page.evaluate(
        """async () => {
            const headers = {'content-type': 'application/json'};
            for (let at = 0; at < 250; at++) {
                const body = JSON.stringify({add: {id: 'f' + at, latency: 0}});
                await fetch('/_page/faults', {method: 'POST', headers, body});
            }
        }"""
    )
    page.get_by_role("button", name="Show 100 more of 250 faults").click()
    assert items(page).count() == 200
    page.get_by_role("button", name="Remove all faults").click()
    page.get_by_text("Removed 250 faults.").wait_for()


@pytest.mark.parametrize(("scheme", "width"), LIGHT_AND_DARK)
def test_it_is_read_light_and_dark_on_small_and_large_screens(
    browser: Any, emulator: EmulatorProcess, client: Client, scheme: str, width: int
) -> None:
    with opened(browser, emulator, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        page.get_by_role("link", name="Faults", exact=True).click()
        assert violations(page) == []
        add(page, Status="21351", Model="hello", Times="1")
        client.call("PostModelOutputs", inference_request("hello", prompt="x"))
        items(page).get_by_text("used up").wait_for()
        form_of(page).get_by_label("Times", exact=True).fill("none")
        form_of(page).get_by_text("expected a whole number").wait_for()
        items(page).get_by_role("link", name="fault-").click()
        items(page).get_by_text("As a topology file has it").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
