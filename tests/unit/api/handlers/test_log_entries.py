"""Tests listing and streaming log entries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.api.call import ApiCall
from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.errors import CallerError
from clarifai_emulator.logbook import BUILDER, RUNNER
from resource_api import ResourceApi, refusal


def streamed(api: ResourceApi, _user: str = "ada", **fields: Any) -> AsyncGenerator[Any]:
    async def one(request: Any) -> AsyncGenerator[Any]:
        yield request

    rpc = rpc_table()["StreamLogEntries"]
    ids = {"user_id": fields.pop("user_id", "me")}
    request = rpc.request_type(log_type=RUNNER, user_app_id=ids, **fields)
    handler: Any = api.handlers["StreamLogEntries"]
    return handler(ApiCall(rpc, {}, 0.0, caller=Caller(_user)), one(request))


class TestLogs:
    def listed(self, api: ResourceApi, _user: str = "ada", **fields: Any) -> list[str]:
        answer = api("ListLogEntries", _user, **{"log_type": RUNNER, "page": 1, **fields})
        return [each.message for each in answer.log_entries]

    def test_filters(self, api: ResourceApi) -> None:
        where = {"compute_cluster_id": "c", "nodepool_id": "n"}
        api.logbook.append(RUNNER, "one", user_id="ada", runner_id="r1", model_version_id="v", **where)
        api.logbook.append(RUNNER, "two", user_id="ada", runner_id="r2", **where)
        api.logbook.append(BUILDER, "built", user_id="ada", app_id="app", model_id="m", model_version_id="v")

        assert self.listed(api) == ["one", "two"]
        assert self.listed(api, runner_id="r2", app_id="any") == ["two"]
        assert self.listed(api, **where, compute_cluster_user_id="ada", model_version_id="v") == ["one"]
        assert self.listed(api, log_type=BUILDER, app_id="app", model_id="m", model_version_id="v") == ["built"]
        assert self.listed(api, log_type=BUILDER, app_id="other") == []
        assert self.listed(api, log_type="agent") == []

    def test_nobody_reads_what_another_users_runner_wrote(self, api: ResourceApi) -> None:
        api.logbook.append(RUNNER, "one", user_id="ada", runner_id="r")
        assert self.listed(api, "bob", runner_id="r") == []
        assert self.listed(api, "bob", user_id="ada", runner_id="r") == []

    def test_pages(self, api: ResourceApi) -> None:
        for number in range(70):
            api.logbook.append(RUNNER, f"{number}", user_id="ada", runner_id="r")
        assert len(self.listed(api)) == 32
        assert self.listed(api, page=2, per_page=50)[0] == "50"
        last = api("ListLogEntries", log_type=RUNNER)
        assert (last.page, last.per_page, last.log_entries[-1].message) == (3, 32, "69")
        assert api("ListLogEntries", log_type=RUNNER, page=4).ListFields() == []

    async def test_a_stream_has_what_is_kept_and_then_what_comes(self, api: ResourceApi) -> None:
        api.logbook.append(RUNNER, "kept", user_id="ada", runner_id="r1")
        async with aclosing(streamed(api, runner_id="r1")) as answers:
            assert [each.message for each in (await anext(answers)).log_entries] == ["kept"]
            api.logbook.append(RUNNER, "another runner's", user_id="ada", runner_id="r2")
            api.logbook.append(BUILDER, "another type", user_id="ada", runner_id="r1")
            api.logbook.append(RUNNER, "another user's", user_id="bob", runner_id="r1")
            api.logbook.append(RUNNER, "first", user_id="ada", runner_id="r1")
            api.logbook.append(RUNNER, "second", user_id="ada", runner_id="r1")
            assert [each.message for each in (await anext(answers)).log_entries] == ["first", "second"]
        api.logbook.append(RUNNER, "after the end", user_id="ada", runner_id="r1")

    async def test_a_stream_of_somebody_elses_log_stays_silent(self, api: ResourceApi) -> None:
        api.logbook.append(RUNNER, "ada's", user_id="ada", runner_id="r")
        async with aclosing(streamed(api, "bob", user_id="ada")) as answers:
            api.logbook.append(RUNNER, "ada's too", user_id="ada", runner_id="r")
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(answers), 0.05)

    async def test_a_stream_whose_client_does_not_read_ends(self, api: ResourceApi) -> None:
        api.logbook.append(RUNNER, "kept", user_id="ada", runner_id="r")
        async with aclosing(streamed(api)) as answers:
            await anext(answers)
            for number in range(6_000):
                api.logbook.append(RUNNER, f"{number}", user_id="ada", runner_id="r")
            with pytest.raises(CallerError, match="More than 5000 entries wait for this client to read them"):
                await anext(answers)

    def test_a_type_that_there_is_not(self, api: ResourceApi) -> None:
        code, message = refusal(api, "ListLogEntries", log_type="model")
        assert code == StatusCode.LOG_ENTRIES_INVALID_REQUEST
        assert message.startswith("log_type: 'model' is not a type of log entry. Use one of agent, builder")

    def test_posted_entries_are_the_callers(self, api: ResourceApi) -> None:
        api("PostLogEntries", log_entries=[{"log_type": RUNNER, "message": "hi", "meta": {"runner_id": "r"}}])
        assert self.listed(api, runner_id="r") == ["hi"]

    def test_posting_all_or_none(self, api: ResourceApi) -> None:
        good = {"log_type": RUNNER, "message": "hi"}
        foreign = {**good, "meta": {"user_app_id": {"user_id": "bob"}}}
        assert "log_entries[1].log_type: ''" in refusal(api, "PostLogEntries", log_entries=[good, {}])[1]
        code, _ = refusal(api, "PostLogEntries", log_entries=[good, foreign])
        assert code == StatusCode.CONN_INSUFFICIENT_SCOPES
        assert self.listed(api) == []
