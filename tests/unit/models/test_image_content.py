"""The image of a model has the folder 1 and two files, and what a Dockerfile copies besides."""

from __future__ import annotations

from pathlib import Path

import pytest

from clarifai_emulator.models.image_content import ALWAYS, content_by, image_content, model_file_of

SDKS_OWN = """\
FROM --platform=$BUILDPLATFORM base as model-assets
COPY --link downloader/unused.yaml /home/nonroot/main/1/checkpoints/.cache/unused.yaml
COPY --link config.yaml /home/nonroot/main/
COPY --link 1 /home/nonroot/main/1
FROM final
COPY --link --chown=65532:65532 requirements.txt /home/nonroot/requirements.txt
COPY --link --from=model-assets /home/nonroot/main /home/nonroot/main
"""


def test_the_dockerfile_of_the_sdk_brings_nothing_more() -> None:
    content = content_by(SDKS_OWN)
    assert not content.brings_all
    assert content.names == ALWAYS | {"downloader"}


@pytest.mark.parametrize(
    "line",
    [
        "COPY . /home/nonroot/main",
        "COPY ./ /home/nonroot/main",
        "ADD * /home/nonroot/main/",
        'COPY ["./", "/home/nonroot/main"]',
        "COPY ${EVERYTHING} /home/nonroot/main",
        "copy --chown=1:1 . /home",
        "COPY \\\n  . \\\n  /home/nonroot/main",
        "RUN --mount=type=bind,target=/src pip install /src/lib",
        'COPY "unclosed /home',
    ],
)
def test_a_dockerfile_that_copies_everything_or_cannot_be_followed(line: str) -> None:
    assert content_by(f"FROM python\n{line}\n").has("lib")


@pytest.mark.parametrize(
    ("line", "has"),
    [
        ("COPY lib /home/nonroot/main/lib", True),
        ("COPY ./lib/ words.json /home/nonroot/main/", True),
        ("COPY li* /home/nonroot/main/", True),
        ('COPY ["lib", "/home"]', True),
        ("COPY lib/part /home/nonroot/main/lib/part", True),
        ("COPY --from=builder lib /home", False),
        ("# COPY lib /home", False),
        ("ADD https://example.com/lib /home", False),
        ("RUN cp lib /home", False),
        ("COPY library /home", False),
    ],
)
def test_a_dockerfile_that_copies_one_thing(line: str, has: bool) -> None:
    assert content_by(f"FROM python\n{line}\n").has("lib") is has


def test_what_lies_beside_is_told_without_what_nobody_reads(tmp_path: Path) -> None:
    for name in ("1", "lib", "venv", ".git"):
        (tmp_path / name).mkdir()
    for name in ("config.yaml", "requirements.txt", "README.md", ".gitignore", "words.json", ".env"):
        (tmp_path / name).touch()
    assert image_content(tmp_path).beside == (".env", "lib", "words.json")
    (tmp_path / "Dockerfile").write_text("FROM python\nCOPY lib .env /home/\n")
    assert image_content(tmp_path).beside == ("words.json",)


def test_a_model_file_beside_the_folder_is_the_model_where_the_image_has_it(tmp_path: Path) -> None:
    (tmp_path / "model.py").touch()
    assert model_file_of(tmp_path) == tmp_path / "1" / "model.py"
    (tmp_path / "Dockerfile").write_text("COPY model.py /home/nonroot/main/\n")
    assert model_file_of(tmp_path) == tmp_path / "model.py"
