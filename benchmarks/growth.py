"""Measures what a crowd costs: predict and List with many resources and replicas, against few of each.

Two emulators run in processes of their own. The small one has a deployment, a nodepool and a replica; the large one
also has 10,000 deployments of 100 other models in 1,000 nodepools, and 100 replicas of the model that is asked:
real ones, all live. Lists are asked for the same page of 20 in a store of 40 and of 10,000 (1,000 nodepools).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benchmarks.figures import Figure, compared, interleave
from benchmarks.peers import PAT, deploy, emulator, free_port, routed_client

_DEPLOYMENTS, _NODEPOOLS, _REPLICAS, _MODELS = 10_000, 1000, 100, 100
_PER_PAGE = 20
_FEW = 2 * _PER_PAGE  # so that their last page is not their first
_TARGET = 1.2
_LIST_TARGET = 1.5
CLUSTER, _CROWD, POOL = "growth", "crowd", "asked"


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds. ``quick``: a smaller crowd, too."""
    scale = 20 if quick else 1
    few, many = free_port(), free_port()
    with emulator(few, "--runner", "lean"), emulator(many, "--runner", "lean"):
        with raw_calls(few) as call_few, raw_calls(many) as call_many:
            small = _ask_for(few, call_few, replicas=1)
            large = _ask_for(many, call_many, replicas=_REPLICAS // scale)
            crowd(call_many, deployments=_DEPLOYMENTS // scale, nodepools=_NODEPOOLS // scale)
            predict = interleave(
                lambda: large.predict(prompt="x"),
                lambda: small.predict(prompt="x"),
                rounds=2 if quick else 40,
                calls=50,
            )
            crowd(call_few, deployments=_FEW, nodepools=_FEW)
            lists = [
                figure
                for what in ("Deployments", "Nodepools", "Models")
                for figure in _lists(what, call_few, call_many, rounds=2 if quick else 20)
            ]
    what = f"{_DEPLOYMENTS // scale} deployments, {_NODEPOOLS // scale} nodepools, {_REPLICAS // scale} replicas"
    return [compared(f"predict among {what}", *predict, unit="ms", target=_TARGET), *lists]


Call = Callable[..., Any]


@contextmanager
def raw_calls(port: int) -> Iterator[Call]:
    """Return raw RPCs by name, with the fields of their request; they raise on a refusal."""
    import grpc

    from clarifai_emulator.api.rpc import rpc_table

    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.max_receive_message_length", -1)]) as channel:

        def call(name: str, **fields: Any) -> Any:
            rpc = rpc_table()[name]
            method = channel.unary_unary(
                rpc.path,
                request_serializer=rpc.request_type.SerializeToString,
                response_deserializer=rpc.response_type.FromString,
            )
            fields["user_app_id"] = {"user_id": "me", **fields.get("user_app_id", {})}
            answer = method(rpc.request_type(**fields), metadata=[("authorization", f"Key {PAT}")], timeout=120)
            if answer.status.code != 10000:
                raise RuntimeError(f"{name}: {answer.status.details}")
            return answer

        yield call


def _ask_for(port: int, call: Call, *, replicas: int) -> Any:
    """Create a deployment of ``hello`` with so many live replicas; return its client."""
    make_pool(call)
    deployed = deploy(
        "hello", port, "--cluster", CLUSTER, "--nodepool", POOL,
        "--min-replicas", str(replicas), "--max-replicas", str(replicas),
    )  # fmt: skip
    while True:
        shown = call("GetDeployment", deployment_id=deployed["deployment_id"])
        if shown.deployment.deployment_metrics.live_replicas == replicas:
            return routed_client(deployed["model_url"], port)


def make_pool(call: Call) -> None:
    """Create the nodepool for the model that is asked, in a cluster of its own."""
    cluster = {"id": CLUSTER, "cloud_provider": {"id": "aws"}, "region": "us-east-1", "managed_by": "clarifai",
               "cluster_type": "dedicated"}  # fmt: skip
    call("PostComputeClusters", compute_clusters=[cluster])
    _post_nodepools(call, [POOL])


def crowd(call: Call, *, deployments: int, nodepools: int) -> None:
    """Create deployments of other models, which nobody asks."""
    pools = [f"pool-{number}" for number in range(nodepools)]
    for batch in _batches(pools):
        _post_nodepools(call, batch)
    call("PostApps", apps=[{"id": _CROWD}])
    models = [f"model-{number}" for number in range(deployments)]
    for batch in _batches(models):
        call("PostModels", user_app_id={"app_id": _CROWD}, models=[{"id": each} for each in batch])
    for model in models[:_MODELS]:
        call("PostModelVersions", user_app_id={"app_id": _CROWD}, model_id=model, model_versions=[{}])
    made = [
        {
            "id": f"deployment-{number}",
            "desired_worker": {"model": {"id": models[number % min(_MODELS, len(models))], "app_id": _CROWD,
                                         "user_id": "me"}},
            "nodepools": [{"id": pools[number % nodepools], "compute_cluster": {"id": CLUSTER}}],
        }
        for number in range(deployments)
    ]  # fmt: skip
    for batch in _batches(made):
        call("PostDeployments", deployments=batch)


def _post_nodepools(call: Call, ids: list[str]) -> None:
    nodepools = [
        {"id": each, "instance_types": [{"id": "t3a.medium"}], "node_capacity_type": {"capacity_types": [1]},
         "max_instances": _REPLICAS}
        for each in ids
    ]  # fmt: skip
    call("PostNodepools", compute_cluster_id=CLUSTER, nodepools=nodepools)


def _lists(what: str, call_few: Call, call_many: Call, *, rounds: int) -> Iterator[Figure]:
    """Measure the first page, and the last."""
    fields: dict[str, Any] = {"per_page": _PER_PAGE}
    if what == "Models":
        fields["user_app_id"] = {"app_id": _CROWD}
    if what == "Nodepools":
        fields["compute_cluster_id"] = CLUSTER
    for page, of_few, of_many in (("first", 1, 1), ("last", 2, _last_page(call_many, what, fields))):

        def ask(call: Call, number: int) -> None:
            answer = call(f"List{what}", **fields, page=number)
            assert len(getattr(answer, what.lower())) == _PER_PAGE

        times = interleave(
            lambda of_many=of_many: ask(call_many, of_many),
            lambda of_few=of_few: ask(call_few, of_few),
            rounds=rounds,
            calls=5,
            warmup=5,
        )
        yield compared(f"List{what}, {page} page of {_PER_PAGE}", *times, unit="ms", target=_LIST_TARGET)


def _last_page(call: Call, what: str, fields: dict[str, Any]) -> int:
    """Return the number of the last full page."""
    everything, page = 0, 1
    while found := len(getattr(call(f"List{what}", **{**fields, "per_page": 1000}, page=page), what.lower())):
        everything += found
        page += 1
    return everything // _PER_PAGE


def _batches(items: list[Any]) -> Iterator[list[Any]]:
    return (items[start : start + 500] for start in range(0, len(items), 500))
