"""People look at a running emulator in a browser: Debian's Chromium, driven by Playwright, at the address that `up`
printed, with nothing but what is visible there."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import ComputeCluster, InstanceType, NodeCapacityType, Nodepool
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from flow.driver import Client, figure, inference_request, wait_for
from flow.page_driver import LIGHT_AND_DARK, PLANTED, ask, opened, printed_address, violations
from flow.page_driver import client as client
from flow.page_driver import emulator as emulator
from flow.page_driver import page as page
from flow.processes import EmulatorProcess
from flow.served_files import serving_files
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")


# ── getting in ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_browser_without_the_address_is_told_how_to_get_in(browser: Any, emulator: EmulatorProcess) -> None:
    page = browser.new_page()
    page.goto(emulator.url)
    assert f"clarifai-emulator page --port {emulator.port}" in page.inner_text("body")
    assert "hello" not in page.inner_text("body")
    assert violations(page) == []
    page.close()


def test_the_token_does_not_stay_in_the_address_and_no_script_reads_the_cookie(page: Any) -> None:
    assert "token" not in page.url
    assert page.evaluate("document.cookie") == ""
    page.reload()
    page.get_by_role("heading", name="Requests").wait_for()


def test_a_page_of_another_origin_cannot_frame_it(
    browser: Any, emulator: EmulatorProcess, client: Client, tmp_path: Path
) -> None:
    """The other page is on the same host, to which browsers send the cookie at any port."""
    (tmp_path / "index.html").write_text(f"<title>other</title><iframe src='{emulator.url}'></iframe>")
    context = browser.new_context()
    page = context.new_page()
    page.goto(printed_address(emulator))
    page.get_by_role("heading", name="Requests").wait_for()
    with serving_files(tmp_path) as address:
        other = context.new_page()
        other.goto(address)
        wait_for(lambda: other.frames[-1].url.startswith("chrome-error:"))
    context.close()


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_appears_as_it_comes_with_the_reason_of_its_way(page: Any, client: Client) -> None:
    rows = page.get_by_role("row")
    page.get_by_role("link", name="crash_method.predict").wait_for()
    before = rows.count()
    ask(client, "hello")
    wait_for(lambda: rows.count() == before + 1 and "ok" in rows.nth(1).inner_text())
    rows.nth(1).get_by_role("link", name="hello.predict").click()
    detail = page.get_by_role("region", name="hello.predict")
    detail.get_by_text("owner_default: The model's owner has deployment 'me/deploy-hello'").wait_for()
    steps = detail.get_by_role("table").inner_text()
    assert [each for each in ("routed", "sent to a replica", "answer sent") if each in steps] == [
        *("routed", "sent to a replica", "answer sent")
    ]
    detail.get_by_role("link", name="Show its way on the map").click()
    page.get_by_role("heading", name="Map").wait_for()
    taken = page.get_by_role("listitem").filter(has_text="taken").filter(has_text="deploy-hello").last
    assert "answered" in taken.inner_text()


def test_a_failure_leads_to_its_traceback_in_two_clicks(page: Any) -> None:
    page.get_by_role("link", name="crash_method.predict").click()
    detail = page.get_by_role("region", name="crash_method.predict")
    detail.get_by_text("ValueError: cannot answer 'a planted failure'").first.wait_for()
    detail.get_by_text("Traceback (most recent call last):").first.wait_for()
    detail.get_by_text("raise ValueError(").first.wait_for()


def test_a_refusal_says_what_was_expected_and_the_map_shows_it_too(page: Any) -> None:
    page.get_by_label("Filter requests").fill("rule:refused")
    page.get_by_role("link", name="hello.predict").first.click()
    said = page.get_by_role("region", name="hello.predict").inner_text()
    assert "Deployment with ID 'none'" in said


def test_requests_are_filtered_and_paused(page: Any, client: Client) -> None:
    box, rows = page.get_by_label("Filter requests"), page.get_by_role("row")
    box.fill("status:failed model:crash")
    wait_for(lambda: rows.count() == 2)
    box.fill("nothing-is-called-so")
    page.get_by_text("No request matches the filter.").wait_for()
    box.fill("")
    page.get_by_role("button", name="Pause").click()
    before = rows.count()
    ask(client, "hello")
    page.wait_for_timeout(700)
    assert rows.count() == before
    page.get_by_role("button", name="Go on").click()
    wait_for(lambda: rows.count() == before + 1)
    client.call("ListModels")
    page.get_by_label("look-ups too").check()
    page.get_by_role("link", name="ListModels").first.wait_for()


def test_a_word_of_an_argument_or_an_answer_finds_its_request(page: Any, client: Client) -> None:
    box, rows = page.get_by_label("Filter requests"), page.get_by_role("row")
    box.fill("narwhals")
    page.get_by_text("No request matches the filter.").wait_for()
    client.call("PostModelOutputs", inference_request("hello", prompt="the Narwhals"))
    wait_for(lambda: rows.count() == 2)  # it came after the word was typed
    box.fill("narwhals status:failed")
    page.get_by_text("No request matches the filter.").wait_for()


def test_the_keyboard_is_enough(page: Any) -> None:
    page.get_by_role("link", name="crash_method.predict").wait_for()
    page.get_by_label("Filter requests").focus()
    for _ in range(3):  # pause, look-ups, the first request
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    name = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    page.get_by_role("region", name=name).wait_for()


def test_each_panel_and_what_is_shown_in_it_has_an_address(browser: Any, page: Any) -> None:
    page.get_by_role("link", name="crash_method.predict").click()
    again = page.context.new_page()
    again.goto(page.url)
    again.get_by_role("region", name="crash_method.predict").wait_for()
    again.goto(f"{page.url.partition('#')[0]}#/requests/gone")
    again.get_by_text("The emulator no longer keeps this request, or never had it.").wait_for()
    page.go_back()
    page.get_by_role("region", name="Requests").wait_for()


# ── map and replicas ────────────────────────────────────────────────────────────────────────────────────


def test_the_map_answers_where_a_request_would_go(page: Any) -> None:
    page.get_by_role("link", name="Map").click()
    form = page.get_by_role("form", name="Where would a request go?")
    form.get_by_label("Where would a request for").select_option("me/demo/hello")
    form.get_by_role("button", name="go?").click()
    page.get_by_text("It would go to me/deploy-hello.").wait_for()
    form.get_by_label("of user").fill("somebody-else")
    form.get_by_role("button", name="go?").click()
    page.get_by_role("status").get_by_text("refused").wait_for()


def test_what_was_passed_over_stands_on_the_map_with_its_reason(page: Any, client: Client) -> None:
    nodepool = Nodepool(
        id="other",
        instance_types=[InstanceType(id="t3a.medium")],
        node_capacity_type=NodeCapacityType(capacity_types=[1]),
        max_instances=1,
    )
    client.call("PostNodepools", compute_cluster_id="local", nodepools=[nodepool])
    deployed = client.call("GetDeployment", deployment_id="deploy-hello").deployment
    deployed.id = "second"
    deployed.nodepools[0].CopyFrom(nodepool)
    deployed.nodepools[0].compute_cluster.CopyFrom(ComputeCluster(id="local", user_id="me"))
    deployed.autoscale_config.min_replicas = 0
    made = client.call("PostDeployments", deployments=[deployed])
    assert made.status.code == StatusCode.SUCCESS, made.status
    rows = page.get_by_role("row")
    page.get_by_role("link", name="crash_method.predict").wait_for()
    before = rows.count()
    ask(client, "hello", "with a choice")
    wait_for(lambda: rows.count() == before + 1)
    page.get_by_role("link", name="hello.predict").first.click()
    page.get_by_role("link", name="Show its way on the map").click()
    passed = page.get_by_role("listitem").filter(has_text="second").last
    passed.get_by_text("passed over: has no free slot before a replica starts").wait_for()
    answered = page.get_by_role("listitem").filter(has_text=re.compile("^deploy-hello")).last
    answered.get_by_text("answered").wait_for()


def test_a_replica_shows_its_life_and_its_log_as_it_comes(page: Any, client: Client) -> None:
    page.get_by_role("link", name="Replicas").click()
    row = page.get_by_role("row").filter(has_text="deploy-crash_method")
    row.get_by_role("link").click()
    region = page.get_by_role("region", name="Replica ").last
    region.get_by_text("live", exact=True).first.wait_for()
    ask(client, "crash_method", "seen while the page is open")
    region.get_by_text("ValueError: cannot answer 'seen while the page is open'").last.wait_for()
    region.get_by_label("Search the log").fill("while the page")
    region.get_by_text(re.compile(r"^[12] of \d+ lines")).wait_for()
    assert "Traceback" not in region.locator(".log").last.inner_text()


# ── bad days ────────────────────────────────────────────────────────────────────────────────────────────


def test_html_and_script_in_ids_errors_and_logs_are_shown_as_text(page: Any) -> None:
    page.get_by_role("link", name="hostile.predict").click()
    page.get_by_text(f"raised {PLANTED}").first.wait_for()
    page.get_by_role("link", name="Show its way on the map").click()
    page.get_by_text("The way of").wait_for()
    page.get_by_role("link", name="Replicas").click()
    page.get_by_role("row").filter(has_text="deploy-hostile").get_by_role("link").click()
    page.get_by_text(f"printed {PLANTED}").first.wait_for()
    page.get_by_label("Search the log").fill(PLANTED)
    page.wait_for_timeout(300)
    assert "planted" not in page.title()
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 1


def test_the_page_says_that_the_emulator_is_gone_and_goes_on_when_it_is_back(browser: Any, tmp_path: Path) -> None:
    first = EmulatorProcess(tmp_path, "hello")
    client = first.client()
    ask(client, "hello")
    client.close()
    with opened(browser, first) as page:
        page.get_by_role("link", name="hello.predict").wait_for()
        first.end(signal.SIGTERM)
        page.get_by_role("alert").get_by_text("The emulator does not answer").wait_for()
        assert page.get_by_role("link", name="hello.predict").count() == 1
        second = EmulatorProcess(tmp_path, "hello", port=first.port)
        try:
            client = second.client()
            page.get_by_text("The emulator was started again").wait_for(timeout=20_000)
            assert page.get_by_role("alert").count() == 0
            ask(client, "hello")
            page.get_by_role("link", name="hello.predict").wait_for()
            client.close()
        finally:
            second.end(signal.SIGTERM)


def test_an_emulator_in_which_nothing_has_happened_says_what_to_do_first(browser: Any, tmp_path: Path) -> None:
    process = EmulatorProcess(tmp_path)
    process.client().close()
    try:
        with opened(browser, process) as page:
            page.get_by_text("No request has come yet. Deploy a model, and send one:").wait_for()
            page.get_by_role("link", name="Map").click()
            page.get_by_text("Nothing is deployed.").wait_for()
            page.get_by_role("link", name="Replicas").click()
            page.get_by_text("No replica has been started.").wait_for()
            assert violations(page) == []
    finally:
        process.end(signal.SIGTERM)


@pytest.mark.parametrize(("scheme", "width"), LIGHT_AND_DARK)
def test_it_is_read_light_and_dark_on_small_and_large_screens(
    browser: Any, emulator: EmulatorProcess, client: Client, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 900}
    with opened(browser, emulator, color_scheme=scheme, viewport=size) as page:
        for panel in ("Requests", "Map", "Replicas"):
            page.get_by_role("link", name=panel).click()
            page.get_by_role("heading", name=panel).wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page) == []
        page.get_by_role("link", name="Requests").click()
        page.get_by_role("link", name="crash_method.predict").first.click()
        page.get_by_text("Traceback (most recent call last):").first.wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []


def test_many_requests_and_tabs_are_bounded(page: Any, client: Client) -> None:
    """Tabs that nobody looks at hold no connection: a browser has six to one address."""
    tabs = [page.context.new_page() for _ in range(4)]
    for tab in tabs:
        tab.goto(page.url)
        tab.get_by_role("heading", name="Requests").wait_for()
    for _ in range(300):
        ask(client, "hello")
    page.get_by_role("button", name="Show older ones").wait_for()
    assert page.get_by_role("row").count() == 201
    figure(f"the page keeps {page.evaluate('performance.memory.usedJSHeapSize') // 1024} KiB after 300 requests")
