"""Defines the command ``demo``, which shows the whole story in one screen: the real SDK against a real emulator."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import click

from clarifai_emulator.cli.columns import columns
from clarifai_emulator.cli.connection import client_of
from clarifai_emulator.cli.interruption import held_back
from clarifai_emulator.cli.output import Failure, heading, step
from clarifai_emulator.control.client import Client

CLUSTER = "demo-cluster"
NODEPOOL = "demo-pool"
IDLE_NODEPOOL = "idle-pool"
DEPLOYMENT = "demo-deployment"
APP = "demo"
MODEL = "hello"
_HELLO = Path("fixtures", "models", "hello")
_AUTOSCALE = {
    "min_replicas": 1,
    "max_replicas": 2,
    "scale_down_delay_seconds": 300,
    "scale_to_zero_delay_seconds": 1800,
}
_CLUSTER = {
    "id": CLUSTER,
    "description": "made by the demo",
    "cloud_provider": {"id": "aws"},
    "region": "us-east-1",
    "managed_by": "clarifai",
    "cluster_type": "dedicated",
    "visibility": {"gettable": 10},
}
_PLACE: dict[str, Any] = {
    "compute_cluster_id": CLUSTER,
    "nodepool_id": NODEPOOL,
    "deployment_id": DEPLOYMENT,
    "model": f"me/{APP}/models/{MODEL}",
}


@click.command(short_help="Deploy and call a model, and see all of it in one go.")
@click.argument("directory", metavar="[DIR]", required=False, type=click.Path(path_type=Path, file_okay=False))
def demo(directory: Path | None) -> None:
    """Start an emulator, deploy a model, call it in every way, show how each request was routed, stop.

    DIR is a model directory with the methods of the hello model; by default that model itself.

    \b
    Examples:
      clarifai-emulator demo
      clarifai-emulator demo fixtures/models/hello
    """
    from clarifai_emulator.cli.sdk import require_recent_sdk

    require_recent_sdk(metadata.version("clarifai"))
    with held_back():
        temporary = tempfile.TemporaryDirectory(prefix="clarifai-emulator-demo-")
    with temporary as folder:
        path = directory or _hello(Path(folder))
        with _DemoEmulator(Path(folder)) as client:
            _tell(client, path.absolute())


def _hello(folder: Path) -> Path:
    """Find the sample model of a checkout; elsewhere write the model that ``init`` writes."""
    checkout = Path(__file__).parents[3] / _HELLO
    for sample in (_HELLO, checkout):
        if (sample / "config.yaml").is_file():
            return sample
    from clarifai_emulator.cli.init import write_template

    write_template(folder / "hello", "hello")
    return folder / "hello"


class _DemoEmulator:
    """An emulator in a process of its own; its state is apart, so that other commands do not see it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Client:
        from clarifai_emulator.cli.background import launch

        step("starting an emulator on a free port")
        environ = {name: value for name, value in os.environ.items() if not name.startswith("CLARIFAI_")}
        environ["XDG_STATE_HOME"] = str(self._folder)
        state = self._folder / "clarifai-emulator"
        launched = launch(["--port", "0"], state, environ=environ, is_tied=True)
        running, self._process = launched.running, launched.process
        self._client = client_of(running)
        step(f"{running.url}, process {running.pid}, user '{running.user_id}'")
        return self._client

    def __exit__(self, *_: object) -> None:
        with self._client as client:
            client.result("Down")
        if self._process.wait(timeout=30):
            raise Failure(f"The emulator ended with exit code {self._process.returncode}.")
        step("stopped: nothing is left running")


def _tell(client: Client, path: Path) -> None:
    from clarifai_emulator.cli.sdk import sdk_for

    with sdk_for(client.running) as sdk:
        _create_compute(client)
        deployed = client.result("Deploy", **_PLACE, path=str(path))
        step(
            f"`clarifai-emulator deploy {path.name}` into it: {deployed['seconds']:.1f} s until a replica was ready"
        )
        rows, wrong = _call_all(client, sdk.Model, deployed)
        _show(rows)
        refusal = _refused(client, sdk.Model, deployed)
    click.echo()
    if wrong or not refusal:
        raise Failure(
            "The demo did not go as it should: "
            + "; ".join(wrong or ["a request without a route was not refused"]),
            hint="Give a model with the methods of fixtures/models/hello, or report this with the lines above.",
        )


def _create_compute(client: Client) -> None:
    """Create a compute cluster, two nodepools, a model and its deployment, as a user of the platform does."""
    from clarifai.client.user import User

    user = User(user_id=client.running.user_id)
    cluster = user.create_compute_cluster(compute_cluster_config={"compute_cluster": _CLUSTER})
    nodepool, _ = [cluster.create_nodepool(nodepool_config=_nodepool(name)) for name in (NODEPOOL, IDLE_NODEPOOL)]
    step(f"SDK: created compute cluster {CLUSTER} with nodepools {NODEPOOL} and {IDLE_NODEPOOL}")
    user.create_app(APP).create_model(MODEL, model_type_id="text-to-text")
    nodepool.create_deployment(deployment_config={"deployment": _deployment(client.running.user_id)})
    step(f"SDK: created model {APP}/{MODEL} and its deployment {DEPLOYMENT} in {CLUSTER}/{NODEPOOL}")


def _nodepool(name: str) -> dict[str, Any]:
    return {
        "nodepool": {
            "id": name,
            "description": "made by the demo",
            "compute_cluster": {"id": CLUSTER},
            "node_capacity_type": {"capacity_types": [1]},
            "instance_types": [{"id": "t3a.2xlarge"}],
            "min_instances": 0,
            "max_instances": 2,
            "visibility": {"gettable": 10},
        }
    }


def _deployment(user_id: str) -> dict[str, Any]:
    return {
        "id": DEPLOYMENT,
        "autoscale_config": _AUTOSCALE,
        "worker": {"model": {"id": MODEL, "app_id": APP, "user_id": user_id}},
        "scheduling_choice": 4,
        "nodepools": [{"id": NODEPOOL, "compute_cluster": {"id": CLUSTER}}],
        "visibility": {"gettable": 10},
    }


# What each way to address a request should lead to: shown name, arguments of the SDK's Model, rule.
_WAYS: tuple[tuple[str, dict[str, str], str], ...] = (
    ("deployment_id", {"deployment_id": DEPLOYMENT}, "explicit_deployment"),
    ("cluster + nodepool", {"compute_cluster_id": CLUSTER, "nodepool_id": NODEPOOL}, "explicit_nodepool"),
    ("the model only", {}, "owner_default"),
)
# The three kinds of method: name, call, and the answer it should give.
_CALLS: tuple[tuple[str, Callable[[Any], Any], Any], ...] = (
    ("predict", lambda model: model.predict("you"), "Hello, you!"),
    ("generate", lambda model: list(model.generate("you")), ["Hello,", "you!"]),
    ("stream", lambda model: list(model.stream(iter(["you", "me"]))), ["Hello, you!", "Hello, me!"]),
)


def _call_all(client: Client, model_class: Any, deployed: dict[str, Any]) -> tuple[list[list[str]], list[str]]:
    """Make the nine calls; return a row of the table for each, and what went wrong."""
    rows: list[list[str]] = []
    wrong: list[str] = []
    for way, selector, rule in _WAYS:
        model = model_class(deployed["model_url"], **selector)
        for name, call, expected in _CALLS:
            newest = client.result("Events", since=2**53)["last_seq"]
            answer = call(model)
            route = next(_routes(client, newest))
            rows.append(
                [way, name, route["rule"], route["deployment"], route["replica"], _text(answer), route["ms"]]
            )
            if answer != expected:
                wrong.append(f"{name} with {way} answered {answer!r}, not {expected!r}")
            if route["rule"] != rule or not route["replica"]:
                wrong.append(f"{name} with {way} was routed by {route['rule']}, not by {rule}")
    return rows, wrong


def _routes(client: Client, since: int) -> Iterator[dict[str, str]]:
    """Return the routed requests after an event, in order: the decision and the end of each, by request id."""
    decided: dict[str, dict[str, Any]] = {}
    for answer in client.answers("Events", since=since):
        event = answer.get("event", {})
        if event.get("kind") == "route.decided":
            decided[event["request_id"]] = event
        elif event.get("kind") == "request.finished" and event["request_id"] in decided:
            route = decided[event["request_id"]]
            yield {
                "rule": route["rule"],
                "deployment": route["deployment"] or "",
                "replica": str(event.get("replica_id", ""))[:8],
                "ms": f"{event['milliseconds']:.1f}",
            }


def _text(answer: Any) -> str:
    return answer if isinstance(answer, str) else " | ".join(map(str, answer))


def _show(rows: list[list[str]]) -> None:
    titles = ["request names", "method", "rule", "deployment", "replica", "answer", "ms"]
    click.echo("\n" + "\n".join(columns([titles, *rows], indent="", heading=True)))


def _refused(client: Client, model_class: Any, deployed: dict[str, Any]) -> bool:
    """Ask for a nodepool in which nothing serves the model; show why that is refused."""
    newest = client.result("Events", since=2**53)["last_seq"]
    model = model_class(deployed["model_url"], compute_cluster_id=CLUSTER, nodepool_id=IDLE_NODEPOOL)
    try:
        model.predict("you")
    except Exception:  # the SDK raises Exception itself
        heading(f"\nRefused: a request for nodepool {IDLE_NODEPOOL}, where nothing serves the model")
    for answer in client.answers("Events", since=newest, prefix="route.refused"):
        if "event" in answer:
            event = answer["event"]
            click.echo(f"  {event['code']} {event['details']}")
            for each in event["rejected"]:
                click.echo(f"  not taken: {each['what']}: {each['reason']}")
            return True
    return False
