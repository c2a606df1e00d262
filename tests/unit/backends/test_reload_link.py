"""The two ends of a reloadable replica's socket: what is said over it, and what is said when it goes wrong."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest

from clarifai_emulator.backends.reload_link import CannotSwap, ReloadLink, load_failure
from clarifai_emulator.errors import ModelError

EDIT = {"code": "two", "edits": [{"file": "1/model.py", "content": "abc", "class_name": "Sample"}]}


class Replica:
    """The other end, which says what a test lets it say."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def heard(self) -> dict[str, Any]:
        return json.loads(await asyncio.wait_for(self.reader.readline(), 5))

    def say(self, event: str, **fields: Any) -> None:
        self.writer.write(json.dumps({"event": event, **fields}).encode() + b"\n")


@pytest.fixture
async def ends() -> AsyncIterator[tuple[ReloadLink, Replica]]:
    ours, theirs = socket.socketpair()
    link = ReloadLink(ours)
    replica = Replica(*await asyncio.open_unix_connection(sock=theirs))
    yield link, replica
    link.close()
    replica.writer.close()
    await asyncio.sleep(0)


async def begun(link: ReloadLink, replica: Replica) -> None:
    replica.say("loaded", signatures=[])
    assert await link.loaded()
    link.go("one")
    assert await replica.heard() == {"code": "one"}


async def test_a_replica_waits_until_it_is_told_what_its_code_is_called(ends: tuple[ReloadLink, Replica]) -> None:
    await begun(*ends)
    assert ends[0].code == "one"


async def test_new_code_is_prepared_then_committed(ends: tuple[ReloadLink, Replica]) -> None:
    link, replica = ends
    await begun(link, replica)
    preparing = asyncio.create_task(link.prepare(**EDIT))
    assert await replica.heard() == {"op": "prepare", "before": "one", **EDIT}
    replica.say("prepared", signatures=[])
    assert await preparing == []
    assert link.code == "one", "nothing is used of it yet"
    committing = asyncio.create_task(link.commit("two"))
    assert await replica.heard() == {"op": "commit"}
    replica.say("committed")
    await committing
    assert link.code == "two"


async def test_broken_code_is_told_with_the_models_own_traceback(ends: tuple[ReloadLink, Replica]) -> None:
    link, replica = ends
    await begun(link, replica)
    preparing = asyncio.create_task(link.prepare(**EDIT))
    await replica.heard()
    replica.say("refused", kind="NameError", error="NameError: name 'x' is not defined", traceback="Traceback …")
    with pytest.raises(ModelError) as raised:
        await preparing
    assert raised.value.summary == "model.py cannot be used: NameError: name 'x' is not defined"
    assert raised.value.log == "Traceback …"


async def test_a_replica_with_other_code_cannot_swap(ends: tuple[ReloadLink, Replica]) -> None:
    link, replica = ends
    await begun(link, replica)
    preparing = asyncio.create_task(link.prepare(**EDIT))
    await replica.heard()
    replica.say("refused", kind="OtherCode", error="1/model.py has changed again", traceback="")
    with pytest.raises(CannotSwap, match=r"^1/model\.py has changed again$"):
        await preparing


async def test_a_replica_that_ends_meanwhile_cannot_swap(ends: tuple[ReloadLink, Replica]) -> None:
    link, replica = ends
    await begun(link, replica)
    preparing = asyncio.create_task(link.prepare(**EDIT))
    await replica.heard()
    replica.writer.close()
    with pytest.raises(CannotSwap, match=r"^the replica has ended$"):
        await preparing
    with pytest.raises(CannotSwap, match=r"^the replica has ended$"):
        await link.prepare(**EDIT)


async def test_one_that_ends_before_its_model_is_loaded_is_not_loaded(ends: tuple[ReloadLink, Replica]) -> None:
    link, replica = ends
    replica.writer.close()
    assert not await link.loaded()


async def test_one_that_does_not_answer_is_not_believed_any_more(
    ends: tuple[ReloadLink, Replica], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clarifai_emulator.backends.reload_link._ANSWER_SECONDS", 0.01)
    link, replica = ends
    await begun(link, replica)
    with pytest.raises(CannotSwap, match=r"^the replica did not answer within 0\.01 s$"):
        await link.prepare(**EDIT)
    assert link.code == ""


@pytest.mark.parametrize(
    ("trace", "why", "summary"),
    [
        ('Traceback\n  File "m.py", line 1\nValueError: no', "", "model.py cannot be used: ValueError: no"),
        (
            'Traceback\n  File "m.py", line 1\nRuntimeError: Missing keys: a, b\n, c, d\n',
            "",
            "model.py cannot be used: RuntimeError: Missing keys: a, b , c, d",
        ),
        (
            '  Traceback\n    File "m.py", line 1\n  m.Refused: no weights:\n\tlayer 1',
            "",
            "model.py cannot be used: m.Refused: no weights: layer 1",
        ),
        (
            "loading weights",
            "its process exited with code 3",
            "model.py cannot be used: its process exited with code 3",
        ),
    ],
)
def test_why_a_model_did_not_load_is_its_error_or_how_its_process_ended(trace: str, why: str, summary: str) -> None:
    assert load_failure(trace, why).summary == summary
