"""Probes of replicas that the platform starts: what they see, how they end, and what takes their place."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from clarifai_emulator.conformance import scenes
from clarifai_emulator.conformance.deploying import answered, cpu_nodepool, uploaded
from clarifai_emulator.conformance.platform_client import PlatformClient
from clarifai_emulator.conformance.probe import probe
from clarifai_emulator.conformance.probes.rollout_probes import disabled, moved, rollout_of
from clarifai_emulator.conformance.scenes import MadeModel, MadeNodepool

# Longer than a replica needs to be replaced, where it is.
_HUNG_SECONDS = 180.0
_ROLLOUT_SECONDS = 900.0
# Longer than an answer takes that waits to learn how its replica ended.
_SOON = 4.0

# More than half of the smallest instance.
_LARGE = """
model: {id: witness, model_type_id: any-to-any}
inference_compute_info: {cpu_limit: 1200m, cpu_memory: 2500Mi, num_accelerators: 0}
"""

# Tells what it sees, and does what makes a replica end.
WITNESS = """
import os
import time
import uuid

import grpc
from clarifai.runners.models.model_class import ModelClass
from clarifai_grpc.grpc.api import resources_pb2, service_pb2, service_pb2_grpc

NAME = "one"


class Witness(ModelClass):
    def load_model(self):
        self.id = uuid.uuid4().hex

    @ModelClass.method
    def predict(self, prompt: str = "") -> str:
        word, _, rest = prompt.partition(" ")
        return getattr(self, word)(rest)

    def name(self, _):
        return NAME

    def who(self, _):
        return self.id

    def sleep(self, seconds):
        time.sleep(float(seconds))
        return "awake"

    def exit(self, code):
        os._exit(int(code))

    def variables(self, _):
        return " ".join(sorted(name for name in os.environ if name.startswith("CLARIFAI_")))

    def devices(self, _):
        return repr(os.environ.get("CUDA_VISIBLE_DEVICES"))

    def folder(self, _):
        return " ".join(sorted(name for name in os.listdir() if not name.startswith((".", "_"))))

    def asks(self, rpc):
        user = resources_pb2.UserAppIDSet(user_id="me")
        scheme, _, host = os.environ["CLARIFAI_API_BASE"].rpartition("://")
        if scheme == "https":
            channel = grpc.secure_channel(host, grpc.ssl_channel_credentials())
        else:
            channel = grpc.insecure_channel(host)
        metadata = [("authorization", "Key " + os.environ["CLARIFAI_PAT"])]
        request = getattr(service_pb2, rpc + "Request")(user_app_id=user)
        try:
            answer = getattr(service_pb2_grpc.V2Stub(channel), rpc)(request, metadata=metadata, timeout=10)
        except grpc.RpcError as error:
            return error.code().name
        return str(answer.status.code)
"""


def witness(
    client: PlatformClient, of: MadeModel | None = None, *, code: str = WITNESS, config: str = ""
) -> MadeModel:
    """Upload the model that tells what it sees. ``config``: its config.yaml, where it asks for more."""
    files = {"1/model.py": code, "config.yaml": config} if config else {"1/model.py": code}
    return uploaded(client, of, **files)


def shared_witness(client: PlatformClient) -> tuple[MadeModel, str]:
    """Deploy it for probes that only ask it; the model and its deployment."""
    model = client.shared(witness)
    return model, scenes.deployment(client, model, client.shared(cpu_nodepool))


@contextmanager
def witness_at_work(client: PlatformClient) -> Generator[tuple[MadeModel, str]]:
    """Deploy it while the block runs, and wait until it serves."""
    model = client.shared(witness)
    with deployed(client, model) as deployment:
        told(client, model, deployment, "name")
        yield model, deployment


@contextmanager
def deployed(
    client: PlatformClient, model: MadeModel, place: MadeNodepool | None = None, **fields: Any
) -> Generator[str]:
    """Deploy a model while the block runs: what costs ends with the probe, and so do others' want of room."""
    deployment = scenes.deployment(client, model, place or client.shared(cpu_nodepool), **fields)
    try:
        yield deployment
    finally:
        client.call("DeleteDeployments", ids=[deployment])


def question(client: PlatformClient, model: MadeModel, deployment: str, text: str) -> dict[str, Any]:
    """Return the fields of a request for a deployment."""
    selector = {"deployment": {"id": deployment, "user_id": client.user_id}}
    return {**model.address, "inputs": [scenes.said(text)], "runner_selector": selector}


def told(client: PlatformClient, model: MadeModel, deployment: str, text: str) -> str:
    """Return what the deployment answers, once it serves."""
    answer = answered(client, MadeModel(model.app, model.id), text, **_selector(client, deployment))
    return scenes.heard(answer) or answer.status


def _selector(client: PlatformClient, deployment: str) -> Mapping[str, Any]:
    return {"deployment": {"id": deployment, "user_id": client.user_id}}


@probe("dispatch.replica-environment", level="deploys")
def environment(client: PlatformClient) -> Any:
    """Read the environment and the working directory of a replica."""
    model, deployment = client.shared(shared_witness)
    return {
        "variables": told(client, model, deployment, "variables").split(),
        "working directory": told(client, model, deployment, "folder").split(),
    }


@probe("dispatch.visible-devices", level="deploys")
def devices(client: PlatformClient) -> Any:
    """Read which devices a replica of a model that asks for none sees."""
    model, deployment = client.shared(shared_witness)
    return told(client, model, deployment, "devices")


@probe("dispatch.replica-credential", level="deploys")
def credential(client: PlatformClient) -> Any:
    """Call the API with the credential of a replica."""
    model, deployment = client.shared(shared_witness)
    return {rpc: told(client, model, deployment, f"asks {rpc}") for rpc in ("GetUser", "ListApps", "ListSecrets")}


@probe("dispatch.replica-ends-how", level="deploys")
def ended(client: PlatformClient) -> Any:
    """End a replica while it works on a request."""
    with witness_at_work(client) as (model, deployment):
        began = time.monotonic()
        answer = client.call("PostModelOutputs", **question(client, model, deployment, "exit 3"))
        took = time.monotonic() - began
    return {"answer": answer, "soon": took < _SOON, "says how": "code 3" in answer.details}


@probe("dispatch.replica-restarts", level="deploys")
def restarted(client: PlatformClient) -> Any:
    """Ask again after a replica has ended at work."""
    with witness_at_work(client) as (model, deployment):
        before = told(client, model, deployment, "who")
        client.call("PostModelOutputs", **question(client, model, deployment, "exit 3"))
        after = told(client, model, deployment, "who")
    return {"answered": len(after) == len(before), "by another": after != before}


@probe("dispatch.load-fails", level="deploys")
def load_fails(client: PlatformClient) -> Any:
    """Deploy a model that fails to load, and ask it until that is known."""
    code = WITNESS.replace("self.id = uuid.uuid4().hex", 'raise ValueError("no weights")')
    model = witness(client, code=code)
    with deployed(client, model) as deployment:
        answer = answered(client, model, "name", **_selector(client, deployment))
    return {"answer": answer, "says why": "ValueError: no weights" in answer.details}


@probe("dispatch.hung-replica", level="deploys")
def hung(client: PlatformClient) -> Any:
    """Leave a request that a replica goes on with for long, and look when another replica answers."""
    with witness_at_work(client) as (model, deployment):
        before = told(client, model, deployment, "who")
        call = client.start("PostModelOutputs", **question(client, model, deployment, "sleep 600"))
        call.ended(1.0)
        call.cancel()
        ends = time.monotonic() + _HUNG_SECONDS
        while (after := told(client, model, deployment, "who")) == before and time.monotonic() < ends:
            time.sleep(0.2)
    return {"replaced": after != before}


@probe("dispatch.deployment-deleted", part="replica", level="deploys")
def deleted_at_work(client: PlatformClient) -> Any:
    """Delete a deployment whose replica works on a request."""
    with witness_at_work(client) as (model, deployment):
        call = client.start("PostModelOutputs", **question(client, model, deployment, "sleep 20"))
        call.ended(1.0)
        deleted = client.call("DeleteDeployments", ids=[deployment])
        return {"deleted": deleted, "ends at once": call.ended(10), "in flight": call.answer()}


@probe("dispatch.in-flight-finishes", part="replica", level="deploys")
def disabled_at_work(client: PlatformClient) -> Any:
    """Disable a deployment whose replica works on a request."""
    with witness_at_work(client) as (model, deployment):
        call = client.start("PostModelOutputs", **question(client, model, deployment, "sleep 3"))
        call.ended(1.0)
        disabled(client, deployment)
        answer = call.answer()
    return {"in flight": answer, "heard": scenes.heard(answer)}


def rolled_out(client: PlatformClient, config: str = "") -> Any:
    """Deploy a version, tell the deployment a newer one, and ask all the while; what was seen."""
    old = witness(client, config=config)
    with deployed(client, old, cpu_nodepool(client), graceful_deploy=True) as deployment:
        first = told(client, old, deployment, "name")
        of, later = MadeModel(old.app, old.id), WITNESS.replace('"one"', '"two"')
        new = witness(client, of, code=later, config=config)
        moved(client, deployment, new)
        shown = rollout_of(client, deployment, {old.version: "old", new.version: "new"})
        heard, ends = set[str](), time.monotonic() + _ROLLOUT_SECONDS
        while "two" not in heard and time.monotonic() < ends:
            answer = client.call("PostModelOutputs", **question(client, old, deployment, "name"))
            heard.add(scenes.heard(answer) or answer.status)
            time.sleep(0.05)
    return {"first": first, "told": shown, "heard": heard}


@probe("dispatch.rollout", part="replicas", level="deploys")
def rollout(client: PlatformClient) -> Any:
    """Tell a deployment another version while it is asked."""
    return rolled_out(client)


@probe("dispatch.rollout-room", level="deploys")
def rollout_without_room(client: PlatformClient) -> Any:
    """Tell a deployment another version, where both do not fit on the instance."""
    return rolled_out(client, _LARGE)
