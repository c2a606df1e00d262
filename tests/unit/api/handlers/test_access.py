"""Keys and secrets are created, changed and deleted; a secret is its owner's, and a key grants its own scopes."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.resources.permissions import Organisations
from clarifai_emulator.store import Kind
from resource_api import ResourceApi, refusal

_SCOPES = st.lists(st.sampled_from(["Keys_Get", "Predict", "Apps_Get"]), unique=True)
_ENDPOINTS = st.lists(st.sampled_from(["/a", "/b"]), unique=True)
_ENDS = st.sampled_from([0, 50, 100])  # 0: it does not expire


class TestSecrets:
    def test_the_value_is_in_every_answer_to_its_owner(self, api: ResourceApi) -> None:
        secret = {"id": "TOKEN", "value": "hidden"}
        assert api("PostSecrets", secrets=[secret]).secrets[0].value == "hidden"
        assert api("GetSecret", id="TOKEN").secret.value == "hidden"
        assert api("ListSecrets").secrets[0].value == "hidden"
        changed = api("PatchSecrets", secret=[{"id": "TOKEN", "value": "changed"}], action="overwrite")
        assert changed.secrets[0].value == "changed"

    def test_where_that_is_chosen_the_value_never_comes_out(self) -> None:
        api = ResourceApi(behaviour=Behaviour(secret_values="hidden"))
        answers = [
            api("PostSecrets", secrets=[{"id": "TOKEN", "value": "hidden", "description": "why"}]),
            api("GetSecret", id="TOKEN"),
            api("ListSecrets"),
            api("PatchSecrets", secret=[{"id": "TOKEN", "value": "changed"}], action="overwrite"),
        ]
        for answer in answers:
            assert "hidden" not in str(answer)
            assert "changed" not in str(answer)
        assert api.store.get(Kind.SECRET, ("ada", "TOKEN")).value == "changed"  # pyright: ignore[reportOptionalMemberAccess]

    def test_a_patch_leaves_version_and_time_as_they_are(self, api: ResourceApi) -> None:
        posted = api("PostSecrets", secrets=[{"id": "TOKEN", "value": "a", "version": 7}]).secrets[0]
        assert posted.version == 1
        api.clock.seconds += 60
        for fields in ({"description": "why"}, {"value": "b"}):
            patched = api("PatchSecrets", secret=[{"id": "TOKEN", **fields}], action="overwrite").secrets[0]
            assert (patched.version, patched.modified_at) == (1, posted.created_at)

    def test_an_empty_value(self, api: ResourceApi) -> None:
        assert refusal(api, "PostSecrets", secrets=[{"id": "TOKEN"}]) == (
            StatusCode.CONN_INVALID_REQUEST,
            "secrets[0].value: must not be empty.",
        )

    def test_a_secret_is_its_users_alone(self, api: ResourceApi) -> None:
        api("PostSecrets", secrets=[{"id": "TOKEN", "value": "hidden"}])
        assert refusal(api, "GetSecret", "bob", user_id="ada", id="TOKEN")[0] == StatusCode.CONN_DOES_NOT_EXIST
        assert not api("ListSecrets", "bob", user_id="ada").secrets

    def test_delete(self, api: ResourceApi) -> None:
        api("PostSecrets", secrets=[{"id": "TOKEN", "value": "hidden"}])
        assert api("DeleteSecrets", ids=["TOKEN"]).ListFields() == []
        assert not api("ListSecrets").secrets


class TestKeys:
    def test_a_new_one_gets_an_id(self, api: ResourceApi) -> None:
        key = api("PostKeys", keys=[{"description": "ci", "scopes": ["Predict"]}]).keys[0]
        assert len(key.id) == 32
        assert (key.type, list(key.scopes)) == ("app_specific_key", ["Predict"])
        assert api("GetKey", key_id=key.id).key == key

    def test_what_is_refused(self, api: ResourceApi) -> None:
        two = [{"id": "one"}, {"id": "two"}]
        for key, problem in (
            ({"type": "odd"}, "type: 'odd' is neither app_specific_key nor personal_access_token"),
            ({"type": "personal_access_token", "apps": two}, "apps: must be empty for a personal_access_token"),
            ({"apps": two}, "apps: an app key gives access to one app only"),
        ):
            assert problem in refusal(api, "PostKeys", keys=[key])[1]

    def test_a_key_is_never_in_an_error(self, api: ResourceApi) -> None:
        api("PostKeys", keys=[{"id": "credential"}])
        for rpc, fields in (
            ("PostKeys", {"keys": [{"id": "credential"}]}),
            ("PostKeys", {"keys": [{"id": "credential.1"}]}),
            ("PostKeys", {"keys": [{"id": "credential2"}, {"id": "credential2"}]}),
            ("GetKey", {"key_id": "credentia"}),
            ("DeleteKey", {"key_id": "credentia"}),
        ):
            assert "credentia" not in refusal(api, rpc, **fields)[1]  # pyright: ignore[reportArgumentType]

    def test_filters(self, api: ResourceApi) -> None:
        old = {"seconds": int(api.clock.seconds) - 1}
        items: list[dict[str, Any]] = [
            {"id": "app-key", "apps": [{"id": "app"}], "scopes": ["Predict", "Models_Get"]},
            {"id": "pat", "type": "personal_access_token", "endpoints": ["x"]},
            {"id": "old", "expires_at": old},
        ]
        api("PostKeys", keys=items)

        def listed(rpc: str = "ListKeys", **fields: Any) -> list[str]:
            return [each.id for each in api(rpc, **fields).keys]

        assert listed() == ["old", "pat", "app-key"]
        assert listed(not_expired=True) == ["pat", "app-key"]
        assert listed(scopes=["Predict"]) == ["app-key"]
        assert listed(endpoints=["x"]) == ["pat"]
        assert listed(type="personal_access_token") == ["pat"]
        assert listed("ListAppKeys", app_id="app") == ["app-key"]
        assert listed("ListAppKeys", app_id="app", page=2) == []

    def test_patch_and_delete(self, api: ResourceApi) -> None:
        api("PostKeys", keys=[{"id": "k", "scopes": ["Predict"]}])
        patched = api("PatchKeys", keys=[{"id": "k", "scopes": ["All"]}], action="overwrite").keys[0]
        assert list(patched.scopes) == ["All"]
        api("DeleteKey", key_id="k")
        assert refusal(api, "GetKey", key_id="k")[0] == StatusCode.CONN_KEY_NOT_FOUND

    def test_scopes_that_are_unknown_or_useless_alone_are_refused(self, api: ResourceApi) -> None:
        for scopes, problem in (
            (["Predcit"], "'Predcit' is not a scope of the platform; did you mean 'Predict'?"),
            (["Models_Add"], "'Models_Add' is of no use without Models_Get; add it"),
        ):
            assert refusal(api, "PostKeys", keys=[{"scopes": scopes}])[1] == f"keys[0].scopes: {problem}."

    @pytest.mark.parametrize("when", [{"seconds": -1}, {"seconds": 1 << 62}, {"nanos": -5}])
    def test_an_expiry_that_no_calendar_has_is_refused(self, api: ResourceApi, when: dict[str, int]) -> None:
        text = refusal(api, "PostKeys", keys=[{"expires_at": when}])[1]
        assert text == "keys[0].expires_at: is not a time between 1970 and 9999."

    def test_a_limited_key_makes_no_wider_one(self, api: ResourceApi) -> None:
        limited = Caller("ada", scopes=frozenset({"Keys_Add", "Keys_Get", "Apps_Get"}))
        api("PostKeys", keys=[{"id": "k", "scopes": ["Keys_Get"]}])
        wider: list[tuple[str, dict[str, Any], str]] = [
            ("PostKeys", {"keys": [{"scopes": ["Keys_Get", "Predict"]}]}, "Predict"),
            ("PostKeys", {"keys": [{}]}, "all (none is listed)"),
            ("PatchKeys", {"keys": [{"id": "k", "scopes": ["All"]}], "action": "overwrite"}, "All"),
        ]
        for rpc, fields, lacking in wider:
            code, text = refusal(api, rpc, limited, **fields)
            assert code == StatusCode.CONN_INSUFFICIENT_SCOPES
            assert text == (
                f"keys[0].scopes: your own key does not have {lacking}. "
                "List only what it has, or use a key that has more."
            )
        assert api("PostKeys", limited, keys=[{"scopes": ["Keys_Get"]}]).keys[0].id

    def test_a_key_that_expires_makes_none_that_outlives_it(self, api: ResourceApi) -> None:
        short = Caller("ada", expires_at=50)
        api("PostKeys", short, keys=[{"id": "k", "expires_at": {"seconds": 50}}])
        later: dict[str, Any] = {"expires_at": {"seconds": 51}}
        for rpc, fields in (
            ("PostKeys", {"keys": [{}]}),
            ("PostKeys", {"keys": [later]}),
            ("PatchKeys", {"keys": [{"id": "k", **later}], "action": "overwrite"}),
        ):
            code, text = refusal(api, rpc, short, **fields)
            assert (code, text) == (
                StatusCode.CONN_INSUFFICIENT_SCOPES,
                "keys[0].expires_at: your own key expires before that. Give it an end that is no later than your "
                "key's, or use a key that lasts longer.",
            )
        patched = api("PatchKeys", short, keys=[{"id": "k", "description": "mine"}], action="overwrite").keys[0]
        assert (patched.id, patched.description) == ("k", "mine")

    @given(
        keys=st.lists(st.tuples(_SCOPES, _ENDPOINTS, _ENDS, st.sampled_from(["", "one", "two"])), max_size=6),
        has=st.tuples(_SCOPES, _ENDPOINTS, _ENDS),
    )
    def test_no_credential_reads_the_id_of_a_key_that_may_do_more(
        self, keys: list[tuple[list[str], list[str], int, str]], has: tuple[list[str], list[str], int]
    ) -> None:
        api = ResourceApi()
        for number, (scopes, endpoints, end, app) in enumerate(keys):
            fields: dict[str, Any] = {
                "scopes": scopes,
                "endpoints": endpoints,
                "apps": [{"id": app}] if app else [],
            }
            fields |= {} if app else {"type": "personal_access_token"}
            fields |= {"expires_at": {"seconds": end}} if end else {}
            api("PostKeys", keys=[{"id": f"key-{number}", **fields}])
        mine = Caller("ada", frozenset(has[0]) or None, has[2] or None, frozenset(has[1]) or None)
        answers = [api("ListKeys", mine), *(api("ListAppKeys", mine, app_id=app) for app in ("one", "two"))]
        for read in {key.id for answer in answers for key in answer.keys} - {"****"}:
            caller = api.issued_keys.find(read)
            assert caller is not None
            for own, its in ((mine.scopes, caller.scopes), (mine.endpoints, caller.endpoints)):
                assert own is None or (its is not None and its <= own)
            assert mine.expires_at is None or (caller.expires_at or 1e9) <= mine.expires_at

    def test_an_id_that_is_another_users_credential_is_taken(self, api: ResourceApi) -> None:
        api("PostKeys", keys=[{"id": "credential"}])
        code, text = refusal(api, "PostKeys", "bob", keys=[{"id": "credential"}])
        assert (code, text) == (
            StatusCode.DATABASE_DUPLICATE_KEY,
            "keys[0].id: is taken; choose another id, or leave it out.",
        )

    def test_a_key_for_an_organisation_is_for_its_members(self) -> None:
        api = ResourceApi(Organisations.of_members({"acme": ("ada",)}))
        key = {"id": "k", "type": "personal_access_token", "organization_id": "acme"}
        api("PostKeys", keys=[key])
        assert api.issued_keys.find("k") == Caller("acme")
        text = refusal(api, "PostKeys", "bob", keys=[{**key, "id": "k2"}])[1]
        assert text == "keys[0].organization_id: user 'bob' is not a member of organisation 'acme'."


class TestIssuedKeys:
    def test_a_key_calls_with_its_own_scopes_expiry_and_app(self, api: ResourceApi) -> None:
        api("PostKeys", keys=[
            {"id": "pat", "type": "personal_access_token", "scopes": ["Predict"], "expires_at": {"seconds": 9}},
            {"id": "app", "apps": [{"id": "main"}], "endpoints": ["/clarifai.api.V2/GetModel"]},
        ])  # fmt: skip
        assert api.issued_keys.find("pat") == Caller("ada", scopes=frozenset({"Predict"}), expires_at=9)
        app = Caller("ada", app_id="main", endpoints=frozenset({"/clarifai.api.V2/GetModel"}))
        assert api.issued_keys.find("app") == app

    def test_what_is_changed_or_deleted_counts_at_once(self, api: ResourceApi) -> None:
        api("PostKeys", keys=[{"id": "k", "scopes": ["Predict"]}])
        api("PatchKeys", keys=[{"id": "k", "scopes": ["All"]}], action="overwrite")
        found = api.issued_keys.find("k")
        assert found is not None
        assert found.scopes is None
        api("DeleteKey", key_id="k")
        assert api.issued_keys.find("k") is None
        api("PostKeys", keys=[{"id": "k"}])
        api.store.reset()
        assert api.issued_keys.find("k") is None
