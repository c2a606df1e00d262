"""Divides the rules by what runs their examples: each is run by one test module."""

from __future__ import annotations

from clarifai_emulator.contracts.rules import RULES, SUBJECTS


def _of(*subjects: str) -> frozenset[str]:
    return frozenset(rule.id for subject in subjects for rule in SUBJECTS[subject])


# Requests and results while a model runs, and what only a fuzzer finds.
RUNNING = frozenset(
    {
        "call-kind",
        "credential-in-answer",
        "empty-stream",
        "result-lost",
        "result-missing",
        "result-type",
        "unchecked-request",
    }
)
FUZZED = frozenset({"crashing-method", "hanging-method"})
# Their examples are something else than a client or a model: a command, or the environment matters.
COMMANDS = frozenset({"model-not-given", "sdk-not-installed", "sdk-not-read", "ignore-comment"})
# Findings of `check` about the models that it is given.
GIVEN = frozenset({"unreadable-model", "unread-tools", "model-circle"})

CHANGES = _of("changes of a model")
_APART = RUNNING | FUZZED | COMMANDS | GIVEN
MODELS = _of("model.py", "config.yaml and requirements.txt") - _APART
CLIENTS = frozenset(RULES) - MODELS - CHANGES - _APART
