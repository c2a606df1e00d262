"""Build arguments that are credentials are known, and those that a Dockerfile leaves in its image's history."""

from __future__ import annotations

import pytest

from clarifai_emulator.backends.docker.build_credentials import is_credential, left_in_history


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("NPM_TOKEN", "x", True),
        ("hf_token", "x", True),
        ("DB_PASSWORD", "x", True),
        ("API_KEYS", "x", True),
        ("PIP_INDEX_URL", "https://me:secret@index.example/simple", True),
        ("PIP_EXTRA_INDEX_URL", "https://index.example/simple https://token@other.example/simple", True),
        ("PIP_INDEX_URL", "https://index.example/@scope/simple", False),
        ("KEYBOARD", "x", False),
        ("PATH", "x", False),
        ("TOKENIZERS_PARALLELISM", "x", False),
        ("GREETING", "hello", False),
    ],
)
def test_a_credential_is_known_by_a_word_of_its_name_or_by_its_address(
    name: str, value: str, expected: bool
) -> None:
    assert is_credential(name, value) is expected


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        ("FROM base\nARG NPM_TOKEN\nRUN true", ["NPM_TOKEN"]),
        ("FROM base\narg other NPM_TOKEN=x\nRUN true", ["NPM_TOKEN"]),
        ("FROM base\nARG \\\n  NPM_TOKEN\n", ["NPM_TOKEN"]),
        ("FROM base AS one\nARG NPM_TOKEN\nFROM one AS two\nFROM two\n", ["NPM_TOKEN"]),
        ("FROM base AS One\nARG NPM_TOKEN\nFROM --platform=linux/amd64 one\n", ["NPM_TOKEN"]),
        ("FROM base AS one\nARG NPM_TOKEN\nFROM base\nCOPY --from=one /a /a\n", []),
        ("ARG NPM_TOKEN\nFROM base\nRUN true", []),
        ("FROM base\n# ARG NPM_TOKEN\nARG GREETING\n", []),
        ("FROM base\nRUN true", []),
    ],
)
def test_the_image_has_what_its_last_stage_declares_and_the_stages_that_it_begins_with(
    dockerfile: str, expected: list[str]
) -> None:
    assert left_in_history(dockerfile, {"NPM_TOKEN": "planted", "GREETING": "hello"}) == expected
