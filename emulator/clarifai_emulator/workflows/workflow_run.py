"""Runs one request of a workflow: every node as soon as all is there that it takes, and the outputs in order.

    inputs ─► node ─┬─► node ─┐
                    └─► node ─┴─► node        a node: data of its inputs, merged ─► an operator, or a model's answer

A node is asked once for all inputs of the request. The first node that fails ends the request, and whatever runs of
it then; what a suppressed node gave is let go when nobody needs it any more. ``Ask`` is how models are asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from clarifai_grpc.grpc.api.resources_pb2 import Data, Model, Output, OutputConfig, OutputInfo
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.background_work import beside
from clarifai_emulator.errors import CallerError
from clarifai_emulator.workflows.node_data import by_region, in_regions, is_empty, limited, merged, passed_on
from clarifai_emulator.workflows.node_fit import require_fit
from clarifai_emulator.workflows.node_graph import NodeGraph
from clarifai_emulator.workflows.operators.operator import Operator, OperatorInput
from clarifai_emulator.workflows.operators.operator_settings import OperatorSettings

# An operator looks at this much in a thread, whatever it does: others are answered meanwhile.
_LARGE = 256 * 1024


@dataclass(frozen=True, slots=True)
class NodePlan:
    """Describes a node that will be asked. ``model``: as the answer shows it. ``version_id``: the version that the
    node names, if it does. ``operator``: what answers for the model; None where a deployment does. ``info``: what
    the node overrides of its model's settings, for an operator with all its settings."""

    id: str
    model: Model
    operator: Operator | None
    info: OutputInfo
    version_id: str = ""
    is_suppressed: bool = False

    @property
    def who(self) -> str:
        """Return what answers for the node, for people."""
        if self.operator is not None:
            return f"operator {self.operator.type_id}"
        return f"model {self.model.user_id}/{self.model.app_id}/models/{self.model.id}"


@dataclass(slots=True)
class NodeAnswer:
    """Holds what a node gave: an output for each input that it was asked about, and the model that gave them."""

    outputs: list[Output]
    model: Model


# Asks a model about any number of inputs. Raises ``CallerError``.
Ask = Callable[[NodePlan, Sequence[Data]], Awaitable[NodeAnswer]]


@dataclass(slots=True)
class WorkflowRun:
    """Runs the nodes of ``graph`` for ``inputs``. ``most_bytes``: what the outputs may come to, all that are held
    at one time. ``begun`` and ``ended`` are called with each node, the second with why it failed where it did."""

    graph: NodeGraph
    plans: Mapping[str, NodePlan]
    inputs: Sequence[Data]
    ask: Ask
    most_bytes: int
    begun: Callable[[NodePlan], None] = lambda _: None
    ended: Callable[[NodePlan, BaseException | None], None] = lambda _node, _error: None
    given: dict[str, NodeAnswer] = field(default_factory=dict[str, NodeAnswer])
    _sizes: dict[str, int] = field(default_factory=dict[str, int])

    async def run(self) -> None:
        """Run every node; ``given`` has their answers then. Raises what the first node that fails raises."""
        running: dict[asyncio.Task[None], str] = {}
        waiting = {node: set(taken) for node, taken in self.graph.taken.items()}
        try:
            while waiting or running:
                for node in [each for each, missing in waiting.items() if not missing]:
                    del waiting[node]
                    running[beside(self._run_node(self.plans[node]))] = node
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    node = running.pop(task)
                    task.result()
                    for missing in waiting.values():
                        missing.discard(node)
                self._let_go(waiting.keys() | set(running.values()))
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def _run_node(self, plan: NodePlan) -> None:
        self.begun(plan)
        try:
            self._keep(plan, await self._answered(plan))
        except CallerError as error:
            failure = _named(plan, error)
            self.ended(plan, failure)
            raise failure from None
        except BaseException as error:
            self.ended(plan, error)
            raise
        self.ended(plan, None)

    async def _answered(self, plan: NodePlan) -> NodeAnswer:
        """Ask a node about every input for which the nodes before it gave something; the others have no output
        data: a filter that lets nothing through ends their way."""
        taken = [self._taken(plan.id, number) for number in range(len(self.inputs))]
        asked = [number for number, data in enumerate(taken) if not is_empty(data)]
        if not asked:
            return NodeAnswer([Output() for _ in taken], plan.model)
        if plan.operator is not None:
            answer = await self._operated(plan, plan.operator, taken, asked)
        else:
            answer = await self._predicted(plan, [taken[number] for number in asked])
        found = dict(zip(asked, answer.outputs, strict=True))
        return NodeAnswer([found.get(number) or Output() for number in range(len(taken))], answer.model)

    def _taken(self, node: str, number: int) -> Data:
        """Return what a node takes for one input: what the request brings, or what the nodes before it gave."""
        before = self.graph.taken[node]
        if not before:
            return self.inputs[number]
        given = [passed_on(self.given[each].outputs[number].data) for each in before]
        return given[0] if len(given) == 1 else merged(given)

    async def _operated(
        self, plan: NodePlan, operator: Operator, taken: Sequence[Data], asked: Sequence[int]
    ) -> NodeAnswer:
        settings = OperatorSettings(operator.type_id, plan.info)
        items = [OperatorInput(taken[each], each + 1, _before(self, plan.id, each)) for each in asked]
        if operator.takes_time or sum(each.data.ByteSize() for each in items) > _LARGE:
            answers = await asyncio.to_thread(operator.answer, settings, items)
        else:
            answers = operator.answer(settings, items)
        return NodeAnswer([Output(data=self._shown(plan, each)) for each in answers], plan.model)

    async def _predicted(self, plan: NodePlan, taken: Sequence[Data]) -> NodeAnswer:
        """Ask a model once about all inputs, and about each region of one that has its images in regions."""
        regions = [by_region(data) for data in taken]
        asked = [each for data, within in zip(taken, regions, strict=True) for each in within or [data]]
        for data in asked:
            require_fit(plan.model, data)
        answer = await self.ask(plan, asked)
        if len(answer.outputs) != len(asked):
            raise CallerError(
                StatusCode.RUNNER_PROCESSING_FAILED,
                f"The model answered {len(asked)} inputs with {len(answer.outputs)} outputs.",
            )
        left = iter(answer.outputs)
        outputs = [_output(data, within, left) for data, within in zip(taken, regions, strict=True)]
        for each in outputs:
            if plan.info.HasField("output_config"):
                each.data.CopyFrom(self._shown(plan, each.data))
        return NodeAnswer(outputs, answer.model)

    def _shown(self, plan: NodePlan, data: Data) -> Data:
        config: OutputConfig = plan.info.output_config
        return limited(data, config)

    def _keep(self, plan: NodePlan, answer: NodeAnswer) -> None:
        self._sizes[plan.id] = sum(each.ByteSize() for each in answer.outputs)
        held = sum(self._sizes.values())
        if held > self.most_bytes:
            raise CallerError(
                StatusCode.RPC_MAX_MESSAGE_SIZE_EXCEEDED,
                f"The outputs of the workflow come to {held} bytes with this node's, and may come to "
                f"{self.most_bytes} in all.",
                hint="Send fewer inputs at a time, or set suppress_output on nodes whose outputs only others need.",
                row="workflows.answer-size",
            )
        self.given[plan.id] = answer

    def _let_go(self, unfinished: set[str]) -> None:
        """Forget what suppressed nodes gave once no node needs it that is still to run."""
        needed: set[str] = set()
        for node in unfinished:
            operator = self.plans[node].operator
            looks_back = operator is not None and operator.looks_back
            needed.update(self.graph.before(node) if looks_back else self.graph.taken[node])
        for node in self.given.keys() - needed:
            if self.plans[node].is_suppressed:
                del self.given[node], self._sizes[node]


def _named(plan: NodePlan, error: CallerError) -> CallerError:
    """Return a node's failure as that of the request, with the name of the node."""
    return CallerError(
        error.code,
        f"Node {plan.id!r} ({plan.who}): {error.details}",
        hint=error.hint,
        description=error.description,
        stack_trace=error.stack_trace,
        row=error.row,
    )


def _before(run: WorkflowRun, node: str, number: int) -> Callable[[], Iterator[Data]]:
    def before() -> Iterator[Data]:
        for each in run.graph.before(node):
            if each in run.given:
                yield run.given[each].outputs[number].data
        yield run.inputs[number]

    return before


def _output(data: Data, within: Sequence[Data] | None, left: Iterator[Output]) -> Output:
    """Return the next output; of an input that was asked about region by region, the next of all its regions."""
    if within is None:
        return next(left)
    answers = [next(left) for _ in within]
    made = Output(data=in_regions(data, [each.data for each in answers]))
    made.prompt_tokens = sum(each.prompt_tokens for each in answers)
    made.completion_tokens = sum(each.completion_tokens for each in answers)
    return made
