"""A command uses the environment's token where that belongs to the emulator, else the emulator's own."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from clarifai_emulator.cli.callers import chosen_caller
from clarifai_emulator.control.running import Running

URL = "http://127.0.0.1:7878"
RUNNING = Running(url=URL, pid=1, token="control", user_id="ada", port=7878, started=0.0, pat="own")


class Controls:
    """Answers about tokens as an emulator does, and keeps what it was asked."""

    def __init__(self, tokens: dict[str, str]) -> None:
        self.running = RUNNING
        self.asked: list[dict[str, Any]] = []
        self._users = {hashlib.sha256(token.encode()).hexdigest(): user for token, user in tokens.items()}

    def result(self, control: str, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        user = self._users.get(request["sha256"])
        anyone = "" if self._users else "ada"
        return {"user_id": user or anyone, "is_known": user is not None, "is_one_of_several": bool(self._users)}


SEVERAL = {"own": "ada", "bob-token": "bob"}


@pytest.mark.parametrize(
    ("tokens", "environ", "expected"),
    [
        ({}, {}, ("own", "ada", "the emulator's own token", "")),
        ({}, {"CLARIFAI_PAT": "real"}, ("own", "ada", "the emulator's own token", "")),
        ({}, {"CLARIFAI_PAT": "mine", "CLARIFAI_API_BASE": URL}, ("mine", "ada", "CLARIFAI_PAT", "")),
        ({}, {"CLARIFAI_PAT": "mine", "CLARIFAI_API_BASE": "localhost:7878"}, ("mine", "ada", "CLARIFAI_PAT", "")),
        (SEVERAL, {"CLARIFAI_PAT": "bob-token"}, ("bob-token", "bob", "CLARIFAI_PAT", "")),
        (SEVERAL, {"CLARIFAI_PAT": "real", "CLARIFAI_API_BASE": URL}, ("real", "", "CLARIFAI_PAT", "")),
        (SEVERAL, {}, ("own", "ada", "the emulator's own token", "")),
    ],
)
def test_the_token_that_is_used(
    tokens: dict[str, str], environ: dict[str, str], expected: tuple[str, str, str, str]
) -> None:
    caller = chosen_caller(Controls(tokens), environ)  # pyright: ignore[reportArgumentType]
    assert (caller.pat, caller.user_id, caller.source, caller.note) == expected


@pytest.mark.parametrize("base", ["", "https://api.clarifai.com", "http://127.0.0.1:7879", "http://127.0.0.1:x"])
def test_a_token_for_somewhere_else_is_not_used_and_not_even_sent(base: str) -> None:
    controls = Controls(SEVERAL)
    caller = chosen_caller(controls, {"CLARIFAI_PAT": "real", "CLARIFAI_API_BASE": base})  # pyright: ignore[reportArgumentType]
    assert caller.pat == "own"
    assert caller.note == (
        f"CLARIFAI_PAT holds a token that the emulator at {URL} does not know; the emulator's own, of user 'ada', "
        "was used."
    )
    assert not any("real" in str(request) for request in controls.asked)
