"""The hooks of this repository work in pre-commit, as in a project that names them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from uv import find_uv_bin

from clarifai_emulator.contracts.calls.client_kinds import ClientKind, client_kind

ROOT = Path(__file__).parents[2]
# What pre-commit installs from.
SOURCES = (
    "emulator",
    "pytest_plugin",
    "light",
    "hatch_build.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    ".pre-commit-hooks.yaml",
)
CONFIG = """\
repos:
  - repo: {repository}
    rev: {revision}
    hooks:
      - id: clarifai-check
        args: [clients, --model, models/hello]
      - id: clarifai-contract
        args: [models/hello]
      - id: clarifai-check-with-sdk
        args: [clients, --model, models/hello]
"""
CLIENT = """\
from clarifai.client import Model

print(Model(url="https://clarifai.com/me/demo/models/hello").predict({argument}="you"))
"""


# A client in another language, of which one light hook brings the parser.
SCRIPT = """\
curl https://api.clarifai.com/v2/users/me/apps/demo/models/hello/outputs -d '{"inputs": [{"data": {"txt": 1}}]}'
"""


def test_the_documented_configuration_names_hooks_that_are_there() -> None:
    page = (ROOT / "docs/hooks.md").read_text(encoding="utf-8")
    hooks = {each["id"]: each for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    blocks = [yaml.safe_load(each.partition("```")[0]) for each in page.split("```yaml\n")[1:]]
    named = [hook["id"] for repo in blocks[0]["repos"] for hook in repo["hooks"]]
    assert set(named) <= set(hooks)
    assert all(f"| `{each}` |" in page for each in hooks)
    [local] = blocks[1]
    assert local["hooks"][0]["entry"].startswith(hooks["clarifai-check"]["entry"])


@pytest.mark.parametrize("hook", ["clarifai-check", "clarifai-check-with-sdk"])
def test_a_hook_runs_when_anything_changed_that_check_reads(hook: str) -> None:
    hooks = {each["id"]: each for each in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    files = re.compile(hooks[hook]["files"])
    read = "a.py a.ipynb a.js a.mts a.tsx a.sh a.zsh ci.yml a/config.yaml README.md a.mk a/Makefile Dockerfile.gpu"
    other = "requirements.txt pyproject.toml"
    assert [each for each in f"{read} {other}".split() if not files.search(each)] == []
    assert [each for each in read.split() if client_kind(Path(each)) is ClientKind.PYTHON] == ["a.py"]
    assert [each for each in ["a.txt", "a.json", "a.pyc", "logo.png", "a.css"] if files.search(each)] == []


@pytest.mark.slow
def test_hooks_refuse_what_would_fail_with_the_model(tmp_path: Path) -> None:
    hooks = _repository(tmp_path / "hooks")
    shutil.copyfile(ROOT / ".gitignore", hooks / ".gitignore")
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, hooks / name, ignore=shutil.ignore_patterns("node_modules", "built"))
        else:
            shutil.copyfile(ROOT / name, hooks / name)
    revision = _commit(hooks)
    project = _repository(tmp_path / "project")
    shutil.copytree(ROOT / "fixtures/models/hello", project / "models/hello")
    (project / "clients").mkdir()
    (project / "clients/right.py").write_text(CLIENT.format(argument="prompt"))
    (project / ".pre-commit-config.yaml").write_text(CONFIG.format(repository=hooks, revision=revision))
    _run(find_uv_bin(), "venv", "--quiet", "--python", sys.executable, tmp_path / "venv")
    python = tmp_path / "venv/bin/python"
    _run(find_uv_bin(), "pip", "install", "--quiet", "--python", python, "pre-commit>=4")
    pre_commit = (tmp_path / "venv/bin/pre-commit", "run", "--all-files", "--color", "never")
    home = {"PRE_COMMIT_HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    _commit(project)

    code, said = _exit(*pre_commit, "clarifai-check", folder=project, **home)
    assert (code, "Passed" in said) == (0, True), said
    packages = {
        each.name.partition("-")[0] for each in tmp_path.glob("home/*/py_env*/lib/*/site-packages/*.dist-info")
    }
    assert {"clarifai_emulator_check", "clarifai_emulator", "pyrefly", "tree_sitter"} <= packages
    assert packages & {"clarifai", "clarifai_grpc", "grpcio", "docker", "uv"} == set()

    (project / "clients/wrong.py").write_text(CLIENT.format(argument="promt"))
    _commit(project)
    code, said = _exit(*pre_commit, "clarifai-check", folder=project, **home)
    assert code == 1
    assert "error[unknown-argument] predict(): there is no argument 'promt'" in said
    code, said = _exit(*pre_commit, "clarifai-contract", folder=project, **home)
    assert (code, "There is no clarifai.contract.yaml below this folder." in said) == (1, True), said

    code, said = _exit(*pre_commit, "clarifai-check-with-sdk", folder=project, **home)
    assert (code, "there is no argument 'promt'" in said) == (1, True), said
    (project / "clients/wrong.py").unlink()
    _commit(project)
    code, said = _exit(*pre_commit, "clarifai-check-with-sdk", folder=project, **home)
    assert (code, "Passed" in said) == (0, True), said

    (project / "clients/call.sh").write_text(SCRIPT)
    _commit(project)
    for hook in ("clarifai-check", "clarifai-check-with-sdk"):
        code, said = _exit(*pre_commit, hook, folder=project, **home)
        assert (code, "error[wrong-body]" in said) == (1, True), said

    lock = (
        tmp_path.glob("home/*/py_env*/bin/clarifai-emulator-check").__next__(),
        "contract",
        "lock",
        "models/hello",
    )
    assert _exit(*lock, folder=project, **home)[0] == 0
    _commit(project)
    code, said = _exit(*pre_commit, "clarifai-contract", folder=project, **home)
    assert (code, "Passed" in said) == (0, True), said
    model = project / "models/hello/1/model.py"
    model.write_text(model.read_text().replace("prompt: str, n", "text: str, n"))
    _commit(project)
    code, said = _exit(*pre_commit, "clarifai-contract", folder=project, **home)
    assert (code, "prompt" in said) == (1, True), said


def _repository(folder: Path) -> Path:
    folder.mkdir()
    _run("git", "init", "--quiet", folder)
    return folder


def _commit(folder: Path) -> str:
    _run("git", "add", "--all", folder=folder)
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "commit.gpgsign=false")
    _run("git", *who, "commit", "--quiet", "--message", "All of it", folder=folder)
    return _run("git", "rev-parse", "HEAD", folder=folder).strip()


def _run(*command: object, folder: Path | None = None) -> str:
    code, said = _exit(*command, folder=folder)
    assert code == 0, f"{command}\n{said}"
    return said


def _exit(*command: object, folder: Path | None = None, **more: str) -> tuple[int, str]:
    """Run a command; return its exit code and what it said."""
    environ = {
        name: value for name, value in os.environ.items() if not name.startswith(("CLARIFAI_", "PYTEST_", "GIT_"))
    }
    done = subprocess.run(
        [str(each) for each in command],
        cwd=folder,
        env={**environ, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout
