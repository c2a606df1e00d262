"""`status` tells of replicas what concerns their users."""

from __future__ import annotations

from typing import Any

import pytest

from clarifai_emulator.cli.status import replica_notes, show_failures


def version(**replica: Any) -> dict[str, Any]:
    told = {"replica_id": "0123456789", "state": "live", "pid": 4711, "nodepool": "me/local/cpu", "devices": []}
    return {"replicas": [{**told, **replica}], "pending": "", "last_crash": None, "error": ""}


@pytest.mark.parametrize(
    ("because", "said"),
    [
        ("", ""),
        (
            "the settings ask for it (--runner genuine)",
            ", with the genuine runner: the settings ask for it (--runner genuine)",
        ),
        (
            "the SDK in the model's environment has no ModelRunner.runner_item_stream",
            ", with the genuine runner: the SDK in the model's environment has no ModelRunner.runner_item_stream",
        ),
    ],
)
def test_a_replica_that_fetches_its_work_is_said_to_and_why(because: str, said: str) -> None:
    runner = "genuine" if because else "lean"
    (line,) = replica_notes("deploy", version(runner=runner, runner_because=because))
    assert line == f"  deploy: replica 01234567 is live in me/local/cpu (process 4711{said})"


def test_a_runner_that_its_user_started_is_the_genuine_one_as_a_matter_of_course() -> None:
    (line,) = replica_notes("deploy", version(pid=0, runner="genuine", runner_because="its user started it"))
    assert line == "  deploy: replica 01234567 is live in me/local/cpu (started by its user)"


@pytest.mark.parametrize(
    ("network", "said"),
    [
        (None, "(process 4711)"),
        (
            {"kind": "own", "address": "127.64.18.103", "because": ""},
            "(process 4711, own loopback 127.64.18.103)",
        ),
        (
            {"kind": "watched", "address": "", "because": "the settings ask for it (--replica-network watched)"},
            "(process 4711; its ports are watched: the settings ask for it (--replica-network watched))",
        ),
        (
            {
                "kind": "shared",
                "address": "",
                "because": "this system does not say which process listens at a port",
            },
            "(process 4711; nobody watches its ports: this system does not say which process listens at a port)",
        ),
    ],
)
def test_a_replica_says_whose_ports_it_uses(network: dict[str, str] | None, said: str) -> None:
    (line,) = replica_notes("deploy", version(network=network))
    assert line.endswith(said)


def test_what_failed_in_the_emulator_itself_is_shown_with_what_it_means(capsys: pytest.CaptureFixture[str]) -> None:
    show_failures([{"part": "supervisor", "reason": "KeyError: 'x'", "count": 3, "seconds_ago": 2.2}])
    assert capsys.readouterr().out.splitlines()[1:] == [
        "The emulator itself failed",
        "  supervisor: KeyError: 'x' (2 s ago, 3 times)",
        "  Whoever waited for it was told. These are bugs of the emulator; its log has the traces.",
    ]
    show_failures([])
    assert capsys.readouterr().out == ""
