"""A run asks each node as soon as it can, ends whole at the first failure, and holds no more than it needs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import Data, Model, ModelTypeField, Output, OutputInfo, WorkflowNode
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.node_graph import NodeGraph
from clarifai_emulator.workflows.operators.operator_table import OPERATORS
from clarifai_emulator.workflows.workflow_run import NodeAnswer, NodePlan, WorkflowRun


class Models:
    """Answers nodes: with the name of the node behind each text, after as many seconds as its name says."""

    def __init__(self, *failing: str) -> None:
        self.failing = failing
        self.asked: list[tuple[str, list[str]]] = []
        self.cancelled: list[str] = []
        self.most_at_once = 0
        self._at_once = 0

    async def ask(self, plan: NodePlan, items: Sequence[Data]) -> NodeAnswer:
        self.asked.append((plan.id, [each.text.raw for each in items]))
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(float(plan.id[1:] or 0))
        except asyncio.CancelledError:
            self.cancelled.append(plan.id)
            raise
        finally:
            self._at_once -= 1
        if plan.id in self.failing:
            raise CallerError(StatusCode.FAILURE, "it broke.", hint="Mend it.")
        return NodeAnswer([Output(data={"text": {"raw": each.text.raw + plan.id}}) for each in items], plan.model)


def plan(node: str, operator: str = "", *, suppressed: bool = False, model: Model | None = None) -> NodePlan:
    info = OutputInfo()
    info.params.update({"prompt_template": "<{data.text.raw}>", "keep_fraction": 0})
    model = model or Model(user_id="me", app_id="demo", id="model")
    return NodePlan(node, model, OPERATORS.get(operator), info, is_suppressed=suppressed)


def run_of(
    taken: dict[str, Sequence[str]],
    models: Models,
    *texts: str,
    plans: Sequence[NodePlan] = (),
    most_bytes: int = 10_000,
) -> WorkflowRun:
    nodes = [WorkflowNode(id=each, node_inputs=[{"node_id": one} for one in of]) for each, of in taken.items()]
    known = {each: plan(each) for each in taken} | {each.id: each for each in plans}
    inputs = [Data(text={"raw": each}) for each in texts]
    return WorkflowRun(NodeGraph.of(nodes), known, inputs, models.ask, most_bytes)


def texts(run: WorkflowRun, node: str) -> list[str]:
    return [each.data.text.raw for each in run.given[node].outputs]


async def test_a_node_is_asked_once_for_all_inputs_with_what_the_nodes_before_gave() -> None:
    models = Models()
    run = run_of({"a": [], "b": ["a"]}, models, "x", "y")
    await run.run()
    assert models.asked == [("a", ["x", "y"]), ("b", ["xa", "ya"])]
    assert texts(run, "b") == ["xab", "yab"]


async def test_the_time_is_that_of_the_critical_path() -> None:
    models = Models()
    run = run_of({"a1": [], "b3": [], "c2": ["a1"], "d1": ["b3", "c2"]}, models, "x")
    began = asyncio.get_running_loop().time()
    await run.run()
    assert asyncio.get_running_loop().time() - began == pytest.approx(4, abs=0.1)
    assert models.most_at_once == 2


async def test_the_first_failure_ends_all_that_runs_and_names_its_node() -> None:
    models, ended = Models("b1"), list[tuple[str, str]]()
    run = run_of({"a9": [], "b1": [], "c": ["b1"]}, models, "x")
    run.ended = lambda plan, error: ended.append((plan.id, type(error).__name__))
    with pytest.raises(CallerError) as failed:
        await run.run()
    assert failed.value.message == "Node 'b1' (model me/demo/models/model): it broke. Mend it."
    assert models.cancelled == ["a9"]
    assert [node for node, _ in models.asked] == ["a9", "b1"]
    assert ended == [("b1", "CallerError"), ("a9", "CancelledError")]


async def test_a_client_that_goes_away_ends_every_node() -> None:
    models = Models()
    run = run_of({"a9": [], "b9": []}, models, "x")
    task = asyncio.create_task(run.run())
    await asyncio.sleep(1)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert sorted(models.cancelled) == ["a9", "b9"]


async def test_an_operator_answers_without_being_asked_for_a_model() -> None:
    models = Models()
    run = run_of({"a": [], "b": ["a"]}, models, "x", plans=[plan("a", "prompter")])
    await run.run()
    assert models.asked == [("b", ["<x>"])]


async def test_what_is_filtered_out_goes_no_further_and_the_others_keep_their_places() -> None:
    models = Models()
    info = OutputInfo()
    info.params["keep_fraction"] = 0.5
    half = NodePlan("a", Model(), OPERATORS["random-sample"], info)
    run = run_of({"a": [], "b": ["a"]}, models, *map(str, range(20)), plans=[half])
    await run.run()
    [(_, asked)] = models.asked
    assert 0 < len(asked) < 20
    assert [each for each in texts(run, "b") if each] == [f"{each}b" for each in asked]
    assert len(run.given["b"].outputs) == 20


async def test_outputs_that_are_too_large_together_are_refused_with_the_way_out() -> None:
    run = run_of({"a": [], "b": ["a"], "c": ["b"]}, Models(), "x" * 1000, most_bytes=2500)
    with pytest.raises(CallerError) as refused:
        await run.run()
    assert refused.value.code == StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED
    assert refused.value.message.startswith(
        "Node 'c' (model me/demo/models/model): The outputs of the workflow come to "
    )
    assert refused.value.message.endswith(
        "and may come to 2500 in all. Send fewer inputs at a time, or set suppress_output on nodes whose outputs "
        "only others need."
    )


async def test_what_suppressed_nodes_gave_is_let_go_when_nobody_needs_it() -> None:
    suppressed = [plan(each, suppressed=True) for each in ("a", "b")]
    run = run_of({"a": [], "b": ["a"], "c": ["b"]}, Models(), "x" * 1000, most_bytes=2500, plans=suppressed)
    await run.run()
    assert list(run.given) == ["c"]


async def test_an_input_that_the_model_cannot_take_is_refused_before_it_is_asked() -> None:
    field = ModelTypeField(name="image", type=ModelTypeField.DataType.IMAGE, required=True)
    signature = {"name": "predict", "input_fields": [field]}
    model = Model(id="eye", model_version={"method_signatures": [signature]})
    models = Models()
    with pytest.raises(CallerError) as refused:
        await run_of({"a": []}, models, "x", plans=[plan("a", model=model)]).run()
    assert refused.value.code == StatusCode.INPUT_UNSUPPORTED_FORMAT
    assert not models.asked


async def test_a_model_that_answers_too_few_is_a_failure_of_its_node() -> None:
    async def ask(plan: NodePlan, items: Sequence[Data]) -> NodeAnswer:
        return NodeAnswer([Output()], plan.model)

    run = run_of({"a": []}, Models(), "x", "y")
    run.ask = ask
    with pytest.raises(CallerError, match=r"The model answered 2 inputs with 1 outputs\."):
        await run.run()


NODES = "abcdef"


@given(
    st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=6), st.lists(st.text("xyz"), min_size=1, max_size=3)
)
async def test_every_graph_gives_each_node_one_output_for_each_input(
    drawn: list[set[int]], given_texts: list[str]
) -> None:
    taken = {
        NODES[number]: [NODES[each] for each in sorted(of) if each < number] for number, of in enumerate(drawn)
    }
    models = Models()
    run = run_of(taken, models, *given_texts)
    await run.run()
    assert sorted(node for node, _ in models.asked) == sorted(taken)
    assert all(len(answer.outputs) == len(given_texts) for answer in run.given.values())


async def test_nodes_that_share_some_of_their_inputs_wait_for_all_of_them() -> None:
    # langgenius/dify #8731 and #17377: one of them ran before the last of its inputs.
    models = Models()
    run = run_of({"a1": [], "b2": [], "c3": [], "d": ["a1", "b2"], "e": ["b2", "c3"]}, models, "x")
    await run.run()
    assert [node for node, _ in models.asked] == ["a1", "b2", "c3", "d", "e"]
    assert [texts(run, each) for each in "de"] == [["xb2d"], ["xc3e"]]


@given(
    st.lists(st.sets(st.integers(0, 5)), min_size=1, max_size=6),
    st.integers(0, 5),
    st.lists(st.integers(0, 3), max_size=6),
)
async def test_whatever_fails_every_node_that_began_ends_once(
    drawn: list[set[int]], failing: int, seconds: list[int]
) -> None:
    # argoproj/argo-workflows #1468, kestra-io/kestra #6780: a branch hung, or its time ran on.
    names = [f"{NODES[number]}{(seconds + [0] * 6)[number]}" for number in range(len(drawn))]
    taken = {
        names[number]: [names[each] for each in sorted(of) if each < number] for number, of in enumerate(drawn)
    }
    models = Models(*names[failing : failing + 1])
    run = run_of(taken, models, "x")
    begun, ended = list[str](), list[str]()
    run.begun = lambda plan: begun.append(plan.id)
    run.ended = lambda plan, error: ended.append(plan.id)
    with suppress(CallerError):
        await run.run()
    assert sorted(begun) == sorted(ended)
    assert len(set(begun)) == len(begun)
    assert failing < len(drawn) or sorted(begun) == sorted(names)
