"""The build context of an image holds what goes into it; the image's name changes with that."""

from __future__ import annotations

import tarfile
from pathlib import Path
from string import Template

import clarifai
import pytest

from clarifai_emulator.backends.docker.context import BuildContext, environment_args, make_context
from clarifai_emulator.config import DockerSettings
from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.directory import read_model_directory

SDK_TEMPLATE = Path(clarifai.__file__).parent / "runners" / "dockerfile_template" / "Dockerfile.template"
CONFIG = "model: {id: My_Model, user_id: me, app_id: demo}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a model directory."""
    folder = tmp_path / "model"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "model.py").write_text("one")
    (folder / "requirements.txt").write_text("clarifai\n")
    (folder / "config.yaml").write_text(CONFIG)
    return folder


def context(folder: Path, settings: DockerSettings | None = None, **environ: str) -> BuildContext:
    return make_context(read_model_directory(folder), settings or DockerSettings(), environ=environ)


def test_the_tag_is_that_of_the_content(folder: Path) -> None:
    first = context(folder).tag("base-1")
    assert first.startswith("clarifai-emulator/my-model:")
    assert context(folder).tag("base-1") == first
    assert context(folder).tag("base-2") != first
    (folder / "1" / "model.py").write_text("two")
    assert context(folder).tag("base-1") != first


def test_how_packages_were_reached_does_not_change_the_tag(folder: Path) -> None:
    first = context(folder).tag("base")
    assert context(folder, HTTPS_PROXY="http://proxy").tag("base") == first
    other = DockerSettings(build_args={"DEBUG": "1"})
    assert context(folder, other).tag("base") != first


def test_the_archive_has_the_models_files_and_a_dockerfile_of_no_ones_name(folder: Path) -> None:
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("not for the image")
    with context(folder).archive() as archive, tarfile.open(fileobj=archive) as tar:
        assert sorted(tar.getnames()) == [
            ".clarifai-emulator-Dockerfile",
            "1/model.py",
            "config.yaml",
            "requirements.txt",
        ]


def test_a_dockerfile_of_the_model_counts_and_so_does_its_dockerignore(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM x AS a\nFROM --platform=linux/amd64 my/base:2\nCOPY . .\n")
    (folder / ".dockerignore").write_text("# notes\n*.md\n")
    (folder / "README.md").write_text("not for the image")
    made = context(folder)
    assert (made.is_own, made.base) == (True, "my/base:2")
    assert "README.md" not in made.files
    first = made.tag("")
    (folder / "Dockerfile").write_text("FROM my/base:3\nCOPY . .\n")
    assert context(folder).tag("") != first


@pytest.fixture
def written_by_the_sdk(folder: Path) -> Path:
    """Write the Dockerfile that `clarifai model init` writes into a model directory."""
    images = dict.fromkeys(("DOWNLOADER_IMAGE", "FINAL_IMAGE"), "their.registry/python-base:3.12-abc")
    template = Template(SDK_TEMPLATE.read_text())
    path = folder / "Dockerfile"
    path.write_text(template.safe_substitute(images, CLARIFAI_VERSION="1.2.3", ADDITIONAL_PACKAGES=""))
    return path


def test_the_sdks_own_dockerfile_gives_way_to_a_base_image_that_was_asked_for_and_it_is_said(
    folder: Path, written_by_the_sdk: Path
) -> None:
    mine = DockerSettings(base_image="mine:here")
    made = context(folder, mine)
    assert (made.is_own, made.base) == (False, "mine:here")
    assert "unchanged, and begins with their.registry/python-base:3.12-abc; --docker-base-image names" in made.note
    assert made.fixes_python
    assert not context(folder, DockerSettings(base_image="mine:{python_version}")).fixes_python


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("ENV VIRTUAL_ENV", "RUN apt-get install -y ffmpeg\nENV VIRTUAL_ENV"),
        ("/usr/bin/tini", "/usr/bin/dumb-init"),
        ("# uuid 65532", "# our users: 65532"),
    ],
)
def test_one_that_somebody_has_changed_is_used_as_it_is(
    folder: Path, written_by_the_sdk: Path, before: str, after: str
) -> None:
    text = written_by_the_sdk.read_text()
    assert before in text
    written_by_the_sdk.write_text(text.replace(before, after, 1))
    made = context(folder, DockerSettings(base_image="mine:here"))
    assert (made.is_own, made.note) == (True, "")


def test_the_sdks_own_dockerfile_finds_the_file_that_the_platform_adds(
    folder: Path, written_by_the_sdk: Path
) -> None:
    made = context(folder)
    assert (made.is_own, made.base, made.note) == (True, "their.registry/python-base:3.12-abc", "")
    with made.archive() as archive, tarfile.open(fileobj=archive) as tar:
        assert "downloader/unused.yaml" in tar.getnames()
    (folder / "downloader").mkdir()
    (folder / "downloader" / "unused.yaml").write_text("a user's")
    with context(folder).archive() as archive, tarfile.open(fileobj=archive) as tar:
        assert tar.getnames().count("downloader/unused.yaml") == 1


@pytest.mark.parametrize(
    ("line", "needs"),
    [
        ("COPY --link a b", True),
        ("RUN --mount=type=cache,target=/x make", True),
        ("# syntax=docker/dockerfile:1", True),
        ("RUN <<EOF", True),
        ("COPY --chown=1:1 a b", False),
        ("RUN pip install x", False),
    ],
)
def test_what_only_buildkit_understands_is_noticed(folder: Path, line: str, needs: bool) -> None:
    (folder / "Dockerfile").write_text(f"FROM base\n{line}\n")
    assert context(folder).needs_buildkit is needs


def test_the_users_index_settings_go_along_but_folders_of_this_machine() -> None:
    environ = {
        "PIP_INDEX_URL": "http://index/simple",
        "PIP_EXTRA_INDEX_URL": "file:///opt/packages http://second/simple",
        "UV_INDEX": "/opt/packages",
        "HTTPS_PROXY": "http://proxy:3128",
        "HOME": "/home/me",
    }
    assert environment_args(environ) == {
        "PIP_INDEX_URL": "http://index/simple",
        "PIP_EXTRA_INDEX_URL": "http://second/simple",
        "HTTPS_PROXY": "http://proxy:3128",
    }


def test_config_yaml_names_another_base_and_the_setting_has_the_python_version(folder: Path) -> None:
    settings = DockerSettings(base_image="mine:{python_version}")
    assert context(folder, settings).base == "mine:3.12"
    (folder / "config.yaml").write_text(CONFIG + 'build_info: {python_version: "3.11"}\n')
    assert context(folder, settings).base == "mine:3.11"
    (folder / "config.yaml").write_text(CONFIG + "build_info: {image: their/cuda}\n")
    assert context(folder, settings).base == "their/cuda"


def test_requirements_outside_the_model_directory_are_refused(folder: Path) -> None:
    (folder.parent / "shared.txt").write_text("numpy\n")
    (folder / "requirements.txt").write_text("clarifai\n-r ../shared.txt\n")
    with pytest.raises(ModelError, match="which is outside the model directory"):
        context(folder)


def mounted_tag(folder: Path) -> str:
    return make_context(read_model_directory(folder), DockerSettings(), is_mounted=True, environ={}).tag("base")


def test_an_image_over_which_the_model_is_mounted_changes_with_its_requirements_only(folder: Path) -> None:
    first = mounted_tag(folder)
    assert first != context(folder).tag("base")
    (folder / "1" / "model.py").write_text("two")
    (folder / "helper.txt").write_text("more")
    (folder / "config.yaml").write_text(CONFIG + "num_threads: 3\n")
    assert mounted_tag(folder) == first
    (folder / "requirements.txt").write_text("clarifai\nnumpy\n")
    assert mounted_tag(folder) != first


def test_requirements_that_are_files_of_the_model_are_in_its_image_all_the_same(folder: Path) -> None:
    (folder / "requirements.txt").write_text("clarifai\n./wheels/own.whl\n")
    first = mounted_tag(folder)
    (folder / "helper.txt").write_text("more")
    assert mounted_tag(folder) != first


def test_a_dockerfile_of_the_models_own_counts_with_what_it_may_copy_elsewhere(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM base\nCOPY . /\n")
    first = mounted_tag(folder)
    (folder / "1" / "model.py").write_text("two")
    assert mounted_tag(folder) == first
    (folder / "setup.sh").write_text("true")
    assert (second := mounted_tag(folder)) != first
    (folder / "Dockerfile").write_text("FROM base\nRUN true\nCOPY . /\n")
    assert mounted_tag(folder) != second


def test_a_dockerfile_that_would_leave_a_credential_in_the_history_is_refused_by_name(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM base\nARG NPM_TOKEN\nRUN npm install\n")
    with pytest.raises(ModelError) as refused:
        make_context(read_model_directory(folder), DockerSettings(build_args={"NPM_TOKEN": "planted"}), environ={})
    assert refused.value.summary == (
        "The history of the image would have the value of NPM_TOKEN, which looks like a credential: "
        f"{folder / 'Dockerfile'} declares it in the last stage (ARG)."
    )
    assert refused.value.hint == (
        "Declare it in a stage before (`FROM … AS packages`, `ARG NPM_TOKEN`), and copy what that stage makes: "
        "`COPY --from=packages …`. Of such a stage neither the image nor its history has anything else."
    )
    assert "planted" not in str(refused.value)
