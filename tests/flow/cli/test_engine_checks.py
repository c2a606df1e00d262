"""Tests the checks of `doctor` that look for an engine and start its command line."""

from __future__ import annotations

from pathlib import Path

from clarifai_emulator.backends.docker.image import buildkit_command
from clarifai_emulator.cli.engine_checks import engine_findings
from engines_and_programs import A10G, program


def test_without_an_engine_it_says_so_and_that_processes_need_none(tmp_path: Path) -> None:
    (found,) = engine_findings([A10G], {"DOCKER_HOST": f"unix://{tmp_path}/none.sock"})
    assert (found.name, found.level) == ("docker", "ok")
    assert f"unix://{tmp_path}/none.sock (DOCKER_HOST): there is no such socket" in found.found
    assert found.advice == "Needed for --backend docker only."


def test_buildkit_is_that_of_the_first_command_line_that_has_it(tmp_path: Path) -> None:
    old, plain, modern = (tmp_path / name for name in ("old", "plain", "modern"))
    for folder in (old, plain, modern):
        folder.mkdir()
    program(old, "docker", 'if [ "$1" = buildx ]; then exit 1; fi; echo "Docker version 20.10.24, build x"')
    program(plain, "docker", 'if [ "$1" = buildx ]; then exit 1; fi; echo "Docker version 28.2.2, build x"')
    program(modern, "docker", "exit 0")
    assert buildkit_command(str(plain)) is None
    assert buildkit_command(f"{plain}:{old}") == [str(old / "docker"), "build"]
    assert buildkit_command(f"{plain}:{modern}") == [str(modern / "docker"), "buildx", "build", "--load"]
