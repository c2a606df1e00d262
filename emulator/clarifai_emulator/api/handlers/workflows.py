"""Serves what rows cannot say of workflows: the default one of an app, a new id, and whether nodes fit each other.

PostWorkflows, PatchWorkflows ─► does what each node gives fit the next? ─► the rows' own handlers
GetWorkflow without an id ─► the app's default · PatchWorkflowIds ─► workflow and versions under another key
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import App, Workflow, WorkflowVersion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.api.handlers.resource_verbs import require_owner
from clarifai_emulator.contracts.saved_workflows import SavedWorkflows
from clarifai_emulator.errors import CallerError
from clarifai_emulator.resources.identifiers import id_problem
from clarifai_emulator.resources.resource import Resources
from clarifai_emulator.resources.rows import Draft
from clarifai_emulator.resources.workflow_rows import default_workflow, has_nodes
from clarifai_emulator.store import Key, Kind


def handlers(resources: Resources, served: Mapping[str, Handler], saved: SavedWorkflows) -> dict[str, Handler]:
    """Return the handlers. ``served``: those that the rows gave."""
    workflows = _Workflows(resources, served, saved)
    return {
        "PostWorkflows": workflows.post,
        "GetWorkflow": workflows.get,
        "PatchWorkflows": workflows.patch,
        "PatchWorkflowIds": workflows.patch_ids,
    }


def workflow_or_default(resources: Resources, call: ApiCall, request: Any) -> None:
    """Name the app's default workflow in a request that names none. Raises ``CallerError`` 11101 where the app has
    none."""
    if request.workflow_id:
        return
    app = (call.caller.resolve_user(request.user_app_id), request.user_app_id.app_id)
    if resources.store.get(Kind.APP, app) is None or not resources.visible(Kind.APP, app, call.caller.user_id):
        raise resources.missing(Kind.APP, app, call.caller.user_id)
    key = default_workflow(resources, app)
    if key is None:
        raise CallerError(
            StatusCode.CONN_DOES_NOT_EXIST,
            f"The request names no workflow, and app {app[1]!r} has no default one.",
            hint="Give workflow_id, or set the app's default_workflow.",
        )
    request.user_app_id.user_id, request.user_app_id.app_id, request.workflow_id = key


@dataclass(frozen=True, slots=True)
class _Workflows:
    resources: Resources
    served: Mapping[str, Handler]
    saved: SavedWorkflows

    def post(self, call: ApiCall, request: Any) -> Any:
        """PostWorkflows: nodes that do not fit each other are told, and refused where contracts are strict."""
        owner, app_id = require_owner(self.resources, call, request, Kind.WORKFLOW), request.user_app_id.app_id
        makes = self.resources.behaviour.apps == "on-mention"
        workflows = request.workflows
        self._hold(call, self.resources.check(Kind.WORKFLOW, owner, (app_id,), workflows, makes_parents=makes))
        serve: Any = self.served["PostWorkflows"]
        return serve(call, request)

    def _hold(self, call: ApiCall, drafts: Iterable[Draft]) -> None:
        """Hold nodes that are about to be saved against each other."""
        for draft in drafts:
            if has_nodes(draft):
                self.saved.require_edges(draft.key, draft.message.nodes, call.request_id, call.trailers)

    def get(self, call: ApiCall, request: Any) -> Any:
        """GetWorkflow: without an id, the app's default workflow."""
        workflow_or_default(self.resources, call, request)
        serve: Any = self.served["GetWorkflow"]
        return serve(call, request)

    def patch(self, call: ApiCall, request: Any) -> Any:
        """PatchWorkflows: with ``remove``, the image alone (request comment in the proto)."""
        if request.action == "remove":
            for index, workflow in enumerate(request.workflows):
                others = [each.name for each, _ in workflow.ListFields() if each.name not in ("id", "image")]
                if others:
                    raise CallerError(
                        StatusCode.WORKFLOW_INVALID_ARGUMENT,
                        f"workflows[{index}].{others[0]}: the action 'remove' takes out the image alone.",
                        hint="Send the nodes that should stay with 'overwrite'.",
                    )
        owner, app_id = require_owner(self.resources, call, request, Kind.WORKFLOW), request.user_app_id.app_id
        workflows, action = request.workflows, request.action
        self._hold(call, self.resources.check_patch(Kind.WORKFLOW, owner, (app_id,), workflows, action))
        serve: Any = self.served["PatchWorkflows"]
        return serve(call, request)

    def patch_ids(self, call: ApiCall, request: Any) -> Any:
        """PatchWorkflowIds: give a workflow another id; its versions go with it, and apps follow."""
        owner, app_id = require_owner(self.resources, call, request, Kind.WORKFLOW), request.user_app_id.app_id
        old, new = self._asked(owner, app_id, request)
        self._move(old, new)
        response = call.rpc.response_type()
        response.workflows.append(self.resources.shown(Kind.WORKFLOW, new, call.caller.user_id))
        return response

    def _asked(self, owner: str, app_id: str, request: Any) -> tuple[Key, Key]:
        if request.action != "overwrite":
            raise CallerError(
                StatusCode.WORKFLOW_INVALID_ARGUMENT,
                f"Invalid action: Unrecognized action {request.action!r}. Supported actions: overwrite",
                row="patch.actions",
            )
        if len(request.ids) != 1:
            raise CallerError(
                StatusCode.WORKFLOW_INVALID_ARGUMENT,
                f"ids has {len(request.ids)} entries; PatchWorkflowIds takes 1.",
                hint="Send one request for each workflow.",
            )
        old = self.resources.existing(Kind.WORKFLOW, (owner, app_id, request.ids[0].id))
        new = (*old[:-1], request.ids[0].new_id)
        problem = id_problem(new[-1])
        if problem:
            raise CallerError(StatusCode.WORKFLOW_INVALID_ARGUMENT, f"ids[0].new_id: {problem}.")
        if self.resources.store.get(Kind.WORKFLOW, new) is not None:
            raise CallerError(
                StatusCode.DATABASE_DUPLICATE_KEY,
                f"ids[0].new_id: workflow {new[-1]!r} already exists; choose another id, or delete that one.",
            )
        return old, new

    def _move(self, old: Key, new: Key) -> None:
        store = self.resources.store
        versions = list(store.keys(Kind.WORKFLOW_VERSION, old))
        workflow = Workflow()
        workflow.CopyFrom(self.resources.stored(Kind.WORKFLOW, old))
        workflow.id = new[-1]
        workflow.modified_at.CopyFrom(self.resources.now())
        store.put(Kind.WORKFLOW, new, workflow)
        for key in reversed(versions):  # the oldest first: the newest is the one that was put last
            moved = WorkflowVersion()
            moved.CopyFrom(self.resources.stored(Kind.WORKFLOW_VERSION, key))
            moved.workflow_id = new[-1]
            store.put(Kind.WORKFLOW_VERSION, (*new, key[-1]), moved)
        self.resources.delete(Kind.WORKFLOW, [old])
        self._rename_default(old, new)

    def _rename_default(self, old: Key, new: Key) -> None:
        store = self.resources.store
        for key in [key for key in store.keys(Kind.APP) if default_workflow(self.resources, key) == old]:
            app = App()
            app.CopyFrom(self.resources.stored(Kind.APP, key))
            if app.default_workflow.id:
                app.default_workflow.id = new[-1]
            if app.default_workflow_id:
                app.default_workflow_id = new[-1]
            store.put(Kind.APP, key, app)
