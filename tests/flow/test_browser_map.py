"""People look at the map: who asks, what is deployed, where it runs and with what, and the way of a request."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import (
    ComputeCluster,
    ComputeInfo,
    InstanceType,
    NodeCapacityType,
    Nodepool,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from flow.driver import Client, wait_for, write_model
from flow.page_driver import LIGHT_AND_DARK, ask, deployed, opened, violations
from flow.processes import EmulatorProcess, environment
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")

SPOKEN = """
from clarifai.runners.models.model_class import ModelClass

class Spoken(ModelClass):
    @ModelClass.method
    def predict(self, text: str) -> str:
        return text
"""
GPUS = ("--accelerators", "simulated:2xNVIDIA-A10G")


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmulatorProcess]:
    with deployed(tmp_path_factory.mktemp("emulator"), "hello", "gpu", options=GPUS) as process:
        yield process


@pytest.fixture(scope="module")
def client(emulator: EmulatorProcess) -> Iterator[Client]:
    client = Client(emulator.url)
    nodepool = made_nodepool(client, "small")
    deployed = client.call("GetDeployment", deployment_id="deploy-hello").deployment
    deployed.id = "full"
    deployed.nodepools[0].CopyFrom(nodepool)
    deployed.nodepools[0].compute_cluster.CopyFrom(ComputeCluster(id="local", user_id="me"))
    deployed.autoscale_config.min_replicas, deployed.autoscale_config.max_replicas = 2, 2
    deployed.autoscale_config.disable_packing = True
    made = client.call("PostDeployments", deployments=[deployed])
    assert made.status.code == StatusCode.SUCCESS, made.status
    ask(client, "hello")
    ask(client, "hello")
    yield client
    client.close()


def made_nodepool(client: Client, name: str) -> Nodepool:
    nodepool = Nodepool(
        id=name,
        instance_types=[InstanceType(id="t3a.medium")],
        node_capacity_type=NodeCapacityType(capacity_types=[1]),
        max_instances=1,
    )
    client.call("PostNodepools", compute_cluster_id="local", nodepools=[nodepool])
    return nodepool


@pytest.fixture
def page(browser: Any, emulator: EmulatorProcess, client: Client) -> Iterator[Any]:
    with opened(browser, emulator) as page:
        yield page


def test_a_nodepool_says_what_it_costs_what_it_has_and_what_is_taken(page: Any) -> None:
    page.get_by_role("link", name="Map").click()
    small = page.get_by_role("listitem").filter(has_text=re.compile("^small ")).last
    small.get_by_text("1 of 1 instances").wait_for()
    said = small.inner_text()
    assert "t3a.medium: 1.54 CPUs, 2.89 GiB, $0.0720 an hour" in said
    assert "0.5 of 1.54 CPUs" in said
    assert "0.25 GiB of 2.89 GiB memory" in said
    own = page.get_by_role("listitem").filter(has_text=re.compile("^cpu ")).last.inner_text()
    assert "free of charge" in own


def test_what_an_instance_type_costs_is_said_to_be_unknown_where_it_is(page: Any, client: Client) -> None:
    odd = Nodepool(
        id="odd",
        instance_types=[InstanceType(id="of-a-kind", compute_info=ComputeInfo(cpu_limit="3", cpu_memory="5Gi"))],
        node_capacity_type=NodeCapacityType(capacity_types=[1]),
        max_instances=1,
    )
    made = client.call("PostNodepools", compute_cluster_id="local", nodepools=[odd])
    assert made.status.code == StatusCode.SUCCESS, made.status
    page.get_by_role("link", name="Map").click()
    page.get_by_text("of-a-kind: 3 CPUs, 5 GiB, its price is not known").wait_for()


def test_a_replica_that_finds_no_room_says_why_and_what_makes_room(page: Any) -> None:
    page.get_by_role("link", name="Map").click()
    full = page.get_by_role("listitem").filter(has_text=re.compile("^full")).last
    full.get_by_text("Waits for room:").wait_for()
    said = full.inner_text()
    assert "nodepool 'small' is full" in said
    assert "`clarifai-emulator undeploy MODEL` makes room" in said


def test_gpus_are_shown_by_id_with_the_replica_that_has_them(page: Any) -> None:
    page.get_by_role("link", name="Map").click()
    gpus = page.get_by_role("list", name="GPUs of this machine").get_by_role("listitem")
    first = gpus.filter(has_text="GPU-simulated-0")
    first.get_by_text("of deploy-gpu").wait_for()
    assert "simulated: a GPU in name only" in first.inner_text()
    assert "free" in gpus.filter(has_text="GPU-simulated-1").inner_text()
    first.get_by_role("link").click()
    page.get_by_role("heading", name="Replica ").last.wait_for()


def test_a_directory_in_the_dev_loop_says_what_its_last_save_came_to(
    page: Any, emulator: EmulatorProcess, client: Client, tmp_path: Path
) -> None:
    folder = write_model(tmp_path, "spoken", SPOKEN)
    with developing(emulator, folder, tmp_path / "dev.log"):
        page.get_by_role("link", name="Map").click()
        card = page.get_by_role("listitem").filter(has_text=re.compile("^deploy-spoken")).last
        card.get_by_text(re.compile(r"^In the dev loop: code \w+ of ")).wait_for(timeout=60_000)
        model = folder / "1" / "model.py"
        model.write_text(SPOKEN.replace("return text", "return (text"))
        card.get_by_text("last save failed after").wait_for(timeout=30_000)
        card.get_by_text(re.compile(r"model\.py, line \d+")).wait_for()
        model.write_text(SPOKEN.replace("return text", "return text + text"))
        card.get_by_text("last save ready after").wait_for(timeout=30_000)


@contextmanager
def developing(emulator: EmulatorProcess, folder: Path, log: Path) -> Iterator[None]:
    """Run ``dev`` for a directory in a running emulator."""
    command = [sys.executable, "-m", "clarifai_emulator", "dev", str(folder), "--port", str(emulator.port)]
    environ = environment(XDG_STATE_HOME=str(emulator.temporary.parent / "state"))
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=15)


def test_it_shows_who_asks(page: Any, client: Client) -> None:
    page.get_by_role("link", name="Map").click()
    ask(client, "hello")
    page.get_by_role("list", name="Who asks").get_by_text(re.compile(r"\d+ in the last minute")).wait_for()


def test_the_way_of_a_request_is_drawn_and_told(page: Any, client: Client) -> None:
    ask(client, "hello")
    page.get_by_role("link", name="hello.predict").first.click()
    page.get_by_role("link", name="Show its way on the map").click()
    way = page.get_by_role("status").filter(has_text="The way of")
    way.get_by_text(re.compile(r"^me → me/\S+ → me/local/\S+ → replica \w{8}$")).wait_for()
    wait_for(lambda: lines_of(page, "taken") == 3)
    assert lines_of(page, "passed") >= 1
    page.set_viewport_size({"width": 400, "height": 900})
    wait_for(lambda: lines_of(page, "taken") == 3)
    wait_for(lambda: page.evaluate("document.documentElement.scrollWidth") <= 400)
    way.get_by_role("link", name="Close").click()
    wait_for(lambda: lines_of(page, "taken") == 0)


def test_an_answer_is_drawn_the_same_way(page: Any) -> None:
    page.get_by_role("link", name="Map").click()
    form = page.get_by_role("form", name="Where would a request go?")
    form.get_by_label("Where would a request for").select_option("me/demo/gpu")
    form.get_by_role("button", name="go?").click()
    page.get_by_text("It would go to me/deploy-gpu.").wait_for()
    wait_for(lambda: lines_of(page, "taken") == 2)


def lines_of(page: Any, look: str) -> int:
    """Count the lines that are drawn: nobody can name them, their meaning is told in words, too."""
    return int(page.locator(f"svg path.{look}").count())


@pytest.mark.parametrize(("scheme", "width"), LIGHT_AND_DARK)
def test_it_is_read_light_and_dark_on_small_and_large_screens(
    browser: Any, emulator: EmulatorProcess, client: Client, scheme: str, width: int
) -> None:
    with opened(browser, emulator, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        page.get_by_role("link", name="hello.predict").first.click()
        page.get_by_role("link", name="Show its way on the map").click()
        page.get_by_text("The way of").wait_for()
        page.get_by_role("list", name="GPUs of this machine").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert violations(page) == []


def test_of_many_deployments_clusters_are_folded_searched_and_opened(browser: Any, tmp_path: Path) -> None:
    process = EmulatorProcess(tmp_path, "hello")
    client = process.client()
    try:
        copies(client, 120)
        with opened(browser, process, viewport={"width": 1440, "height": 900}) as page:
            page.get_by_role("link", name="Map").click()
            cluster = page.get_by_role("button", name="me/local", exact=True)
            page.get_by_text("121 deployments · 2 nodepools · 1 replica").wait_for()
            assert page.get_by_role("link", name="copy-").count() == 0
            cluster.click()
            page.get_by_role("button", name="Show more deployments of me/local (71 left)").click()
            assert page.get_by_role("link", name=re.compile("^copy-")).count() >= 99
            cluster.focus()
            page.keyboard.press("Enter")
            wait_for(lambda: page.get_by_role("link", name=re.compile("^copy-")).count() == 0)
            page.get_by_label("Search the map").fill("copy-11")
            wait_for(lambda: page.get_by_role("link", name=re.compile("^copy-11")).count() == 10)
            page.get_by_label("Search the map").fill("nothing-is-called-so")
            page.get_by_text("Nothing on the map has “nothing-is-called-so” in its name.").wait_for()
            page.get_by_label("Search the map").fill("")
            assert violations(page) == []
            ask(client, "hello")
            page.get_by_role("link", name="Requests").click()
            page.get_by_role("link", name="hello.predict").first.click()
            page.get_by_role("link", name="Show its way on the map").click()
            page.get_by_role("listitem").filter(has_text=re.compile("^deploy-hello")).last.get_by_text(
                "taken"
            ).wait_for()
            assert page.get_by_text(re.compile("^passed over: ")).count() == 120
    finally:
        client.close()
        process.end(signal.SIGTERM)


def copies(client: Client, count: int) -> None:
    """Deploy the model so many times more, without a replica."""
    nodepool = made_nodepool(client, "aside")
    deployed = client.call("GetDeployment", deployment_id="deploy-hello").deployment
    deployed.autoscale_config.min_replicas = 0
    deployed.nodepools[0].CopyFrom(nodepool)
    deployed.nodepools[0].compute_cluster.CopyFrom(ComputeCluster(id="local", user_id="me"))
    all_of_them = []
    for number in range(count):
        one = type(deployed)()
        one.CopyFrom(deployed)
        one.id = f"copy-{number:03}"
        all_of_them.append(one)
    made = client.call("PostDeployments", deployments=all_of_them)
    assert made.status.code == StatusCode.SUCCESS, made.status
