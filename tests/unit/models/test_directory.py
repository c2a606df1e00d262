"""A model directory must have what is needed to run it; where it has not, a person is told what is missing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clarifai_emulator.errors import ModelError
from clarifai_emulator.models.directory import ModelDirectory, is_part_of_model, read_model_directory

FIXTURES = Path(__file__).parents[3] / "fixtures" / "models"

CONFIG = """\
model:
  id: my-model
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return a model directory with nothing but what it must have."""
    root = tmp_path / "my-model"
    (root / "1").mkdir(parents=True)
    (root / "config.yaml").write_text(CONFIG)
    (root / "requirements.txt").write_text("clarifai\n")
    (root / "1" / "model.py").write_text("")
    return root


def with_config(directory: Path, text: str) -> ModelDirectory:
    (directory / "config.yaml").write_text(text)
    return read_model_directory(directory)


def refusal(directory: Path, config: str | None = None) -> str:
    if config is not None:
        (directory / "config.yaml").write_text(config)
    with pytest.raises(ModelError) as caught:
        read_model_directory(directory)
    return str(caught.value)


class TestAUsableDirectory:
    def test_has_the_platforms_defaults_where_the_files_say_nothing(self, directory: Path) -> None:
        read = read_model_directory(directory)
        assert read.path == directory.resolve()
        assert read.model_id == "my-model"
        assert read.user_id == ""
        assert read.app_id == "main"
        assert read.model_type_id == "any-to-any"
        assert read.python_version == ""
        assert read.num_threads is None
        assert read.instance == ""
        assert read.concepts == ()
        assert read.warnings == ()
        assert read.model_file == directory.resolve() / "1" / "model.py"

    def test_has_everything_that_the_files_say(self, directory: Path) -> None:
        read = with_config(
            directory,
            """
model: {id: m, user_id: ada, app_id: demo, model_type_id: visual-classifier}
build_info: {python_version: "3.12"}
num_threads: 4
inference_compute_info:
  cpu_limit: 2
  cpu_memory: 1Gi
  num_accelerators: 1
  accelerator_type: ["NVIDIA-*"]
  accelerator_memory: 16Gi
concepts: [{id: 7, name: cat}]
""",
        )
        assert (read.user_id, read.app_id, read.model_type_id) == ("ada", "demo", "visual-classifier")
        assert read.python_version == "3.12"
        assert read.num_threads == 4
        assert read.compute_info.cpu_limit == "2", "the SDK turns a whole number of CPUs into text"
        assert read.compute_info.num_accelerators == 1
        assert list(read.compute_info.accelerator_type) == ["NVIDIA-*"]
        assert [(concept.id, concept.name) for concept in read.concepts] == [("7", "cat")]
        assert read.config["num_threads"] == 4

    def test_requirements_are_lines_without_comments(self, directory: Path) -> None:
        (directory / "requirements.txt").write_text("# tools\nclarifai\n\n  numpy>=2\n")
        assert read_model_directory(directory).requirements == ("clarifai", "numpy>=2")

    def test_is_found_by_a_relative_path_too(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(directory.parent)
        assert read_model_directory(Path("my-model")).path == directory.resolve()

    @pytest.mark.parametrize("name", sorted(p.name for p in FIXTURES.iterdir() if p.is_dir()))
    def test_every_sample_model_is_one(self, name: str) -> None:
        read = read_model_directory(FIXTURES / name)
        assert read.model_id == name
        assert read.warnings == ()


class TestMissingFiles:
    def test_a_directory_that_does_not_exist(self, tmp_path: Path) -> None:
        said = refusal(tmp_path / "nowhere")
        assert f"The model directory {tmp_path / 'nowhere'} does not exist." in said
        assert "config.yaml, requirements.txt and 1/model.py" in said

    def test_a_file_instead_of_a_directory_names_the_directory(self, directory: Path) -> None:
        said = refusal(directory / "1" / "model.py")
        assert "is a file, not a model directory" in said
        assert f"Give the directory that holds it: {directory}" in said

    def test_the_inner_folder_names_the_outer_one(self, directory: Path) -> None:
        said = refusal(directory / "1")
        assert "config.yaml is one level up" in said
        assert f"Give the directory that holds it: {directory}" in said

    def test_everything_that_is_missing_is_said_at_once(self, tmp_path: Path) -> None:
        assert refusal(tmp_path).splitlines() == [
            f"The model directory {tmp_path} cannot be used, 3 problems:",
            '  - config.yaml is missing; create it with a "model:" section that has an "id:"',
            '  - requirements.txt is missing; create it with at least the line "clarifai"',
            "  - 1/model.py is missing; create it with a class that inherits from ModelClass",
        ]

    def test_a_config_with_the_other_ending(self, directory: Path) -> None:
        (directory / "config.yaml").rename(directory / "config.yml")
        assert "there is a config.yml; rename it to config.yaml" in refusal(directory)

    def test_a_model_file_in_the_wrong_place(self, directory: Path) -> None:
        (directory / "1" / "model.py").rename(directory / "model.py")
        (directory / "1").rmdir()
        assert 'there is a model.py; move it into the folder "1"' in refusal(directory)

    def test_what_lies_beside_the_folder_1_is_not_in_the_image(self, directory: Path) -> None:
        for name in ("model.py", "README.md", "words.json"):
            (directory / name).write_text("")
        read = read_model_directory(directory)
        assert read.model_file == directory / "1" / "model.py"
        assert read.warnings == (
            "not in the platform's image, and not there when the model runs: model.py, words.json; move it into "
            "the folder 1, or write a Dockerfile that copies it",
        )

    def test_a_model_file_that_a_dockerfile_copies_runs_as_in_the_sdk_with_a_warning(self, directory: Path) -> None:
        (directory / "model.py").write_text("")
        (directory / "Dockerfile").write_text("FROM python\nCOPY . /home/nonroot/main\n")
        read = read_model_directory(directory)
        assert read.model_file == directory / "model.py"
        assert read.warnings == ("model.py beside config.yaml is what runs, not 1/model.py; remove one of them",)


class TestBrokenYaml:
    def test_shows_line_column_and_the_line(self, directory: Path) -> None:
        said = refusal(directory, "model:\n  id: a: b\n")
        assert "config.yaml, line 2, column 8: not valid YAML: mapping values are not allowed here" in said
        assert said.splitlines()[1:] == ["          id: a: b", "               ^"]

    def test_explains_tabs(self, directory: Path) -> None:
        assert "YAML is indented with spaces, never tabs" in refusal(directory, "model:\n\tid: a\n")

    def test_a_character_that_yaml_forbids(self, directory: Path) -> None:
        assert "config.yaml is not valid YAML: unacceptable character" in refusal(directory, "model: \x00")

    def test_an_empty_file(self, directory: Path) -> None:
        assert 'config.yaml: is empty; it needs at least a "model:" section' in refusal(directory, "# nothing\n")

    def test_a_list(self, directory: Path) -> None:
        assert 'config.yaml: must be sections such as "model:"' in refusal(directory, "- model\n")

    def test_a_file_that_is_no_text(self, directory: Path) -> None:
        (directory / "config.yaml").write_bytes(b"\xff\xfe\x00")
        assert "config.yaml: cannot be read" in refusal(directory)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("num_threads: 2", 'the "model:" section is missing; add it with an "id:"'),
        ("model: my-model", "model must be a section of indented keys, got 'my-model'"),
        ("model: {user_id: me}", 'model.id is missing; add "id: my-model" under "model:"'),
        ("model: {id: }", "model.id is empty; give it a value"),
        ("model: {id: 7}", "model.id must be text, got the number 7; put it in quotes"),
        (
            "model: {id: llama.3}",
            'model.id may have only letters, digits, "-" and "_", got \'llama.3\'; for example llama-3',
        ),
        ("model: {id: a, user_id: ''}", "model.user_id is empty; give it a value or remove the line"),
        ("model: {id: a, model_type: x}", "model.model_type is not a known field; did you mean model_type_id?"),
        ("model: {id: a, notes: [x]}", "model.notes must be text, got ['x']"),
    ],
)
def test_a_wrong_model_section(directory: Path, config: str, expected: str) -> None:
    assert f"config.yaml: {expected}" in refusal(directory, config)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("build_info: {python_version: 3.12}", "must be text, got the number 3.12; put it in quotes"),
        ("build_info: {python_version: latest}", "must be a version such as \"3.12\", got 'latest'"),
        ("build_info: {dereference_symlinks: 'no'}", "must be true or false, got 'no'"),
        ("num_threads: 0", "num_threads must be an integer >= 1, got the number 0"),
        ("num_threads: many", "num_threads must be an integer >= 1, got 'many'"),
        ("num_threads: true", "num_threads must be an integer >= 1, got the truth value true"),
        ("checkpoints: {type: s3, repo_id: a/b}", "checkpoints.type must be \"huggingface\", got 's3'"),
        ("checkpoints: {type: huggingface}", "checkpoints.repo_id is missing"),
        ("checkpoints: {repo_id: a/b, when: later}", "must be upload, build or runtime, got 'later'"),
        ("secrets: {id: x}", "secrets must be a list, got a dict"),
        ("secrets: [{id: x}]", "secrets[0] must have a non-empty env_var"),
        ("secrets: [{id: x, env_var: X, type: file}]", "secrets[0].type must be \"env\", got 'file'"),
        ("concepts: [{id: a, name: b}]", "concepts are given but model_type_id any-to-any has none"),
        ("concepts: cat", 'concepts must be a list of "id:" and "name:" pairs'),
    ],
)
def test_a_wrong_section(directory: Path, section: str, expected: str) -> None:
    assert expected in refusal(directory, CONFIG + section)


def test_a_concept_without_a_name(directory: Path) -> None:
    config = "model: {id: a, model_type_id: text-classifier}\nconcepts: [{id: cat}]"
    assert "concepts[0] must have \"id\" and \"name\", got {'id': 'cat'}" in refusal(directory, config)


def test_a_compute_section_that_names_no_instance_type(directory: Path) -> None:
    assert with_config(directory, CONFIG + "compute: {cloud: aws}").compute_info.ByteSize() == 0
    said = refusal(directory, CONFIG + "compute: {instance: 5}")
    assert "compute.instance must be the name of an instance type, got the number 5" in said


def test_a_secret_is_never_shown(directory: Path) -> None:
    assert "hunter2" not in refusal(directory, CONFIG + "secrets: [{value: hunter2}]")


class TestComputeInfo:
    @pytest.mark.parametrize(
        ("field", "expected"),
        [
            ("cpu_limit: 0.5", 'cpu_limit must be text such as "500m", got the number 0.5; put it in quotes'),
            ("cpu_memory: 16", 'cpu_memory must be text such as "2Gi", got the number 16; put it in quotes'),
            ("cpu_memory: 16GB", "cpu_memory: '16GB' is not an amount of memory"),
            ("cpu_requests: fast", "cpu_requests: 'fast' is not a number of CPUs"),
            ("num_accelerators: one", "num_accelerators must be a whole number >= 0, got 'one'"),
            ("num_accelerators: -1", "num_accelerators must be a whole number >= 0, got the number -1"),
            ("accelerator_type: NVIDIA-A10G", "accelerator_type must be a list of text values, got 'NVIDIA-A10G'"),
            ("num_gpus: 1", "num_gpus is not a known field"),
            ("cpu_limits: '1'", "cpu_limits is not a known field; did you mean cpu_limit?"),
        ],
    )
    def test_a_bad_field_is_named(self, directory: Path, field: str, expected: str) -> None:
        said = refusal(directory, f"{CONFIG}inference_compute_info:\n  {field}\n")
        assert f"config.yaml: inference_compute_info.{expected}" in said

    def test_accelerator_types_need_a_number(self, directory: Path) -> None:
        said = refusal(directory, CONFIG + 'inference_compute_info: {accelerator_type: ["NVIDIA-A10G"]}')
        assert "accelerator_type is ['NVIDIA-A10G'] but num_accelerators is 0" in said
        assert 'set "num_accelerators: 1" or remove accelerator_type' in said

    def test_accelerators_of_two_makers_are_refused(self, directory: Path) -> None:
        compute = "inference_compute_info: {num_accelerators: 1, accelerator_type: [AMD-MI300X, NVIDIA-A10G]}"
        assert "mixes AMD and NVIDIA (AMD-MI300X, NVIDIA-A10G)" in refusal(directory, CONFIG + compute)

    def test_an_instance_type_gives_its_sizes_and_any_accelerator_of_the_maker(self, directory: Path) -> None:
        read = with_config(directory, CONFIG + "compute: {instance: g5.2xlarge}")
        assert read.instance == "g5.2xlarge"
        assert read.compute_info.num_accelerators == 1
        assert list(read.compute_info.accelerator_type) == ["NVIDIA-*"]

    @pytest.mark.parametrize("name", ["a10g", "gpu-nvidia-a10g", "A10G"])
    def test_an_instance_type_may_be_named_by_its_accelerator(self, directory: Path, name: str) -> None:
        read = with_config(directory, CONFIG + f"compute: {{gpu: {name}}}")
        assert read.compute_info.accelerator_memory == "23028Mi"

    @pytest.mark.parametrize(("said", "count"), [("", 4), (", num_gpus: 1", 1), (", num_gpus: 2", 0)])
    def test_num_gpus_chooses_among_the_instances_of_an_accelerator(
        self, directory: Path, said: str, count: int
    ) -> None:
        read = with_config(directory, CONFIG + f"compute: {{instance: l40s, cloud: aws{said}}}")
        assert read.compute_info.num_accelerators == count
        assert bool(read.warnings) == (not count)

    def test_num_gpus_must_be_a_number(self, directory: Path) -> None:
        said = refusal(directory, CONFIG + "compute: {instance: l40s, num_gpus: many}")
        assert "compute.num_gpus must be a whole number" in said

    def test_cpu_is_the_sdks_preset(self, directory: Path) -> None:
        read = with_config(directory, CONFIG + "compute: {instance: cpu}")
        assert (read.compute_info.cpu_limit, read.compute_info.cpu_memory) == ("4", "16Gi")

    def test_inference_compute_info_wins(self, directory: Path) -> None:
        config = CONFIG + 'compute: {instance: A10G}\ninference_compute_info: {cpu_limit: "1"}'
        read = with_config(directory, config)
        assert read.instance == ""
        assert read.compute_info.num_accelerators == 0

    def test_an_unknown_instance_type_is_ignored_as_in_the_sdk_but_said(self, directory: Path) -> None:
        read = with_config(directory, CONFIG + "compute: {instance: warp-drive}")
        assert read.compute_info.ByteSize() == 0
        assert "compute.instance 'warp-drive' is not an instance type of the catalogue" in read.warnings[0]


def test_a_python_that_the_platform_has_no_image_for_is_a_warning(directory: Path) -> None:
    read = with_config(directory, CONFIG + 'build_info: {python_version: "3.13"}')
    assert read.warnings == (
        "build_info.python_version is 3.13; the platform builds images for 3.11 and 3.12 only",
    )


class TestContentHash:
    def test_is_the_same_for_a_copy(self, directory: Path, tmp_path: Path) -> None:
        copy = tmp_path / "copy"
        (copy / "1").mkdir(parents=True)
        for name in ("config.yaml", "requirements.txt", "1/model.py"):
            (copy / name).write_bytes((directory / name).read_bytes())
        assert read_model_directory(copy).content_hash == read_model_directory(directory).content_hash

    @pytest.mark.parametrize("name", ["config.yaml", "requirements.txt", "1/model.py", "1/words.txt", ".env"])
    def test_changes_with_what_the_model_sees(self, directory: Path, name: str) -> None:
        before = read_model_directory(directory).content_hash
        with (directory / name).open("a") as file:
            file.write("# changed\n")
        assert read_model_directory(directory).content_hash != before

    @pytest.mark.parametrize(
        "name", ["1/__pycache__/model.pyc", ".git/HEAD", "Dockerfile", "1/.model.py.swp", "1/model.py~", "venv/x"]
    )
    def test_does_not_change_with_what_it_does_not_see(self, directory: Path, name: str) -> None:
        before = read_model_directory(directory).content_hash
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text("anything")
        assert read_model_directory(directory).content_hash == before
        assert not is_part_of_model(Path(name))

    def test_takes_large_files_by_size_and_time(self, directory: Path) -> None:
        weights = directory / "1" / "weights.bin"
        with weights.open("wb") as file:
            file.truncate(64 * 1024 * 1024)
        os.utime(weights, ns=(1, 1))
        before = read_model_directory(directory).content_hash
        os.utime(weights, ns=(2, 2))
        assert read_model_directory(directory).content_hash != before

    def test_survives_a_broken_link(self, directory: Path) -> None:
        (directory / "1" / "gone").symlink_to("nowhere")
        assert read_model_directory(directory).content_hash

    def test_pipes_and_devices_are_no_part_of_it_and_are_never_read(self, directory: Path) -> None:
        before = read_model_directory(directory).content_hash
        os.mkfifo(directory / "1" / "pipe")
        (directory / "1" / "zero").symlink_to("/dev/zero")  # would be read for ever
        assert read_model_directory(directory).content_hash == before
