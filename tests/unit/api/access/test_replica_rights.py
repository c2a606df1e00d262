"""A replica's credential opens what its owner's does for asking models and reading about them, RPC by RPC."""

from __future__ import annotations

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.access.replica_callers import find_replica_caller
from clarifai_emulator.api.access.replica_rights import REPLICA_SCOPES
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.dispatch.dispatcher import Credential
from clarifai_emulator.errors import CallerError

REPLICA = Caller("ada", scopes=REPLICA_SCOPES, replica_id="0123456789abcdef")
# Whatever is not here is refused, and so is whatever the platform adds: it is looked at first.
OPEN = """
    GenerateModelOutputs PostModelOutputs PostWorkflowResults StreamModelOutputs

    GetModel GetModelOutputInfo GetModelType GetModelVersion GetModelVersionInputExample ListModelConcepts
    ListModelReferences ListModelTypes ListModelVersionInputExamples ListModelVersions ListModels PostModelsSearches

    GetWorkflow GetWorkflowVersion ListWorkflowEvaluationTemplates ListWorkflowVersions ListWorkflows

    GetApp ListApps PostAppsSearches GetConcept GetConceptLanguage ListConceptLanguages ListConceptRelations
    ListConcepts ListKnowledgeGraphs PostConceptsSearches

    GetDeployment GetNodepool GetRunner ListCloudProviders ListCloudRegions ListDeployments ListInstanceTypes
    ListRunners

    GetStatusCode ListOpenSourceLicenses ListStatusCodes MyScopes MyScopesRoot MyScopesUser
"""


def refusal_of(rpc: str) -> CallerError | None:
    """Return why a replica may not use an RPC; None where it may."""
    try:
        REPLICA.require(rpc_table()[rpc])
    except CallerError as error:
        return error
    return None


@pytest.mark.parametrize("rpc", sorted(rpc_table()))
def test_each_rpc_is_open_or_is_refused_with_what_to_do(rpc: str) -> None:
    refusal = refusal_of(rpc)
    assert (refusal is None) == (rpc in OPEN.split())
    if refusal is not None:
        assert refusal.code == StatusCode.CONN_INSUFFICIENT_SCOPES == 11007
        assert "A model may ask models and workflows of its owner and read about them." in refusal.message


def test_what_is_open_is_there_and_changes_nothing() -> None:
    listed = OPEN.split()
    assert len(listed) == len(set(listed))
    assert set(listed) <= set(rpc_table())
    assert not [each for each in listed if each.startswith(("Delete", "Patch", "Put", "Cancel"))]
    asks = [each for each in listed if each.startswith("Post")]
    assert all(each.endswith(("Outputs", "Results", "Searches")) for each in asks)


@pytest.mark.parametrize(
    ("rpc", "said"),
    [
        (
            "ListSecrets",
            "ListSecrets needs the scope Secrets_Get, which the credential of replica 01234567 of user 'ada' does "
            "not have.",
        ),
        (
            "GetUser",
            "GetUser tells of the user, and a replica's credential is for asking models and reading about them.",
        ),
        (
            "PatchModelToolkits",
            "PatchModelToolkits changes something on the platform, and a replica's credential changes nothing.",
        ),
    ],
)
def test_a_refusal_says_what_the_credential_is_for(rpc: str, said: str) -> None:
    with pytest.raises(CallerError) as refused:
        REPLICA.require(rpc_table()[rpc])
    assert refused.value.message == (
        f"{said} A model may ask models and workflows of its owner and read about them. For more, give it a token "
        "of its own, from a secret."
    )


def test_with_work_only_it_is_nobodys() -> None:
    credential = Credential("replica-1", ("ada", "local", "cpu", "runner"), "0123456789abcdef")
    known = {"replica-1": credential}
    assert find_replica_caller(known.get)("replica-1") == REPLICA
    assert find_replica_caller(known.get)("replica-2") is None
    with pytest.raises(CallerError) as refused:
        find_replica_caller(known.get, "work-only")("replica-1")
    assert refused.value.code == StatusCode.CONN_INSUFFICIENT_SCOPES
    assert refused.value.message == (
        "This credential belongs to a replica and is good for ProcessRunnerItems only: the emulator was started "
        "with --replica-access work-only. Give the model a token of its own, from a secret, or start the "
        "emulator with --replica-access owner, which lets replicas ask models in their owner's name."
    )
