"""The generated Dockerfile: what changes most comes last, and nothing secret stays in what is handed on."""

from __future__ import annotations

from typing import Any

from clarifai_emulator.backends.docker.dockerfile import Recipe, dockerfile


def written(**parts: Any) -> list[str]:
    """Return the lines of a Dockerfile."""
    recipe: dict[str, Any] = {
        "base": "base:1",
        "requirement_files": ["requirements.txt"],
        "build_args": {},
        "build_info": {},
        "checkpoints": {},
    }
    return dockerfile(Recipe(**{**recipe, **parts})).splitlines()


def place(lines: list[str], beginning: str) -> int:
    return next(number for number, line in enumerate(lines) if line.startswith(beginning))


def test_the_models_files_come_after_everything_that_takes_long() -> None:
    lines = written()
    assert lines[0] == "FROM base:1"
    assert lines[-1] == "COPY --chown=65532:65532 . /home/nonroot/main"
    assert (
        place(lines, "COPY requirements.txt") < place(lines, "RUN cd /home/nonroot/requirements") < len(lines) - 1
    )


def test_it_runs_what_the_platform_runs_as_whom_and_where() -> None:
    lines = written()
    assert 'ENTRYPOINT ["python", "-m", "clarifai.runners.server"]' in lines
    assert 'CMD ["--model_path", "/home/nonroot/main"]' in lines
    assert "USER 65532:65532" in lines
    assert "WORKDIR /home/nonroot/main" in lines


def test_requirements_are_installed_with_the_pins_they_need_quoted() -> None:
    (install,) = [line for line in written(pins=["clarifai==1; python_version > '3'"]) if " -r " in line]
    assert """-r requirements.txt 'clarifai==1; python_version > '"'"'3'"'"''""" in install
    assert "else uv pip install" in install


def test_included_requirement_files_keep_their_folders() -> None:
    lines = written(requirement_files=["requirements.txt", "more/base.txt"])
    assert "COPY requirements.txt /home/nonroot/requirements/" in lines
    assert "COPY more/base.txt /home/nonroot/requirements/more/" in lines


def test_requirements_that_are_folders_of_the_model_need_all_of_it() -> None:
    assert "COPY . /home/nonroot/requirements/" in written(requirement_files=[])


def test_build_arguments_are_declared_but_proxies_which_every_builder_knows() -> None:
    lines = written(build_args={"PIP_INDEX_URL": "http://index/simple", "HTTPS_PROXY": "http://proxy"})
    assert [line for line in lines if line.startswith("ARG")] == ["ARG PIP_INDEX_URL"]
    assert "http://" not in "\n".join(lines)


def test_an_index_with_a_password_is_used_in_a_stage_that_nobody_gets() -> None:
    lines = written(build_args={"PIP_INDEX_URL": "http://user:password@index/simple"})
    second = place(lines[1:], "FROM base:1") + 1
    assert lines[0] == "FROM base:1 AS packages"
    assert "ARG PIP_INDEX_URL" in lines[:second]
    assert not [line for line in lines[second:] if line.startswith("ARG") or " -r " in line]
    assert "COPY --from=packages /venv /venv" in lines[second:]


def test_given_certificates_are_added_to_what_the_image_trusts() -> None:
    lines = written(has_ca=True)
    assert place(lines, "COPY .clarifai-emulator-ca.pem") < place(lines, "RUN cd ")
    (trust,) = [line for line in lines if line.startswith("ENV PIP_CERT")]
    assert "SSL_CERT_FILE=/etc/ssl/certs/clarifai-emulator.pem" in trust


def test_config_yaml_chooses_platform_node_and_checkpoints() -> None:
    lines = written(
        build_info={"platform": "linux/arm64", "node_version": "v20.1.0"}, checkpoints={"when": "build"}
    )
    assert lines[0] == "FROM --platform=linux/arm64 base:1"
    assert any("https://nodejs.org/dist/v20.1.0/node-v20.1.0-linux-" in line for line in lines)
    download = place(lines, 'RUN ["env", "CLARIFAI_API_BASE=http://127.0.0.1:9", "python", "-m", "clarifai.cli"')
    assert place(lines, "COPY --chown=65532:65532 config.yaml") < download


def test_without_the_models_files_all_else_is_the_same() -> None:
    assert written(is_mounted=True) == written()[:-1]


def test_an_argument_that_is_named_like_a_credential_is_used_in_a_stage_that_nobody_gets() -> None:
    lines = written(build_args={"NPM_TOKEN": "planted"})
    assert lines[0] == "FROM base:1 AS packages"
    last = max(number for number, line in enumerate(lines) if line.startswith("FROM "))
    assert not any("NPM_TOKEN" in line for line in lines[last:])
