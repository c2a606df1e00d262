"""The scenarios of the SDK's tests of pipelines and their steps that a platform has a part in.

`cli/test_pipeline*.py`, `runners/test_pipeline_*.py`, `test_pipeline_*.py`: upstream the platform is a mock there.
Here the unmodified CLI uploads what it wrote itself, and the test plays whatever runs the pipeline.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import yaml
from clarifai.client.app import App
from clarifai.client.pipeline import Pipeline
from clarifai.errors import UserError
from clarifai.runners.pipeline_steps.pipeline_step_builder import PipelineStepBuilder
from clarifai.runners.pipelines import load_pipeline_from_file
from clarifai.runners.pipelines.pipeline_builder import PipelineBuilder
from clarifai_grpc.grpc.api.resources_pb2 import (
    ArgoArgsOverride,
    ArgoParameterOverride,
    OrchestrationArgsOverride,
)
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client
from flow.upstream.commands import Commands

IN_APP = {"user_id": "me", "app_id": "flows"}
WHERE = ("--user_id", "me", "--app_id", "flows")
POOL = ("--compute_cluster_id", "local", "--nodepool_id", "cpu")
WRITTEN = """
from clarifai.runners.pipelines import Pipeline, step

@step(id="says")
def says(who: str) -> str:
    return who

with Pipeline(id="written", user_id="me", app_id="flows") as pipeline:
    says(who="you")
"""
# Seconds; the SDK takes parts of one, whatever its types say.
BRIEFLY: Any = {"timeout": 0.3, "monitor_interval": 0.05}
AT_ONCE = ("--timeout", "0")  # the run is started, and not waited for


def _return_key(*_: object) -> str:
    return ""


@pytest.fixture
def cli(emulator: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("builtins.input", _return_key)  # `upload` of a step waits for it
    return Commands(emulator.url, tmp_path)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> pytest.LogCaptureFixture:
    """Return what the SDK logs: its logger hands nothing on by itself."""
    from clarifai.utils.logging import logger

    monkeypatch.setattr(logger, "propagate", True)
    caplog.set_level(logging.INFO)
    return caplog


@pytest.fixture
def folder(cli: Commands, tmp_path: Path) -> Path:
    """Write a pipeline with one step, by the CLI."""
    cli.ok("pipeline", "init", *WHERE, "greets")
    return tmp_path / "greets"


class Uploaded:
    """Names a pipeline that was uploaded, its version, and its run."""

    def __init__(self, folder: Path, client: Client) -> None:
        self.locked = yaml.safe_load((folder / "config-lock.yaml").read_text())["pipeline"]
        self.id, self.version_id = self.locked["id"], self.locked["version_id"]
        self.client = client
        self.ids: dict[str, Any] = {
            "user_app_id": IN_APP,
            "pipeline_id": self.id,
            "pipeline_version_id": self.version_id,
        }
        self.words = (*WHERE, "--pipeline_id", self.id, "--pipeline_version_id", self.version_id)

    def sdk(self, **given: Any) -> Pipeline:
        return Pipeline(
            pipeline_id=self.id,
            pipeline_version_id=self.version_id,
            **IN_APP,
            **given,  # pyright: ignore[reportArgumentType]
        )

    def run(self, run_id: str) -> Any:
        answer = self.client.call("GetPipelineVersionRun", **self.ids, pipeline_version_run_id=run_id)
        assert answer.status.code == StatusCode.SUCCESS, answer
        return answer.pipeline_version_run

    def status(self, run_id: str) -> int:
        return self.run(run_id).orchestration_status.status.code

    def set(self, run_id: str, code: int) -> Any:
        """Give a run a status, as whatever runs it would."""
        run = {"id": run_id, "orchestration_status": {"status": {"code": code}}}
        return self.client.call(
            "PatchPipelineVersionRuns", **self.ids, pipeline_version_runs=[run], action="overwrite"
        )

    def log(self, run_id: str, message: str) -> None:
        meta: dict[str, Any] = {**self.ids, "pipeline_version_run_id": run_id}
        self.client.call(
            "PostLogEntries", log_entries=[{"log_type": "pipeline.version.run", "message": message, "meta": meta}]
        )


@pytest.fixture
def uploaded(cli: Commands, folder: Path, client: Client) -> Uploaded:
    cli.ok("pipeline", "upload", folder)
    return Uploaded(folder, client)


@pytest.fixture
def waiting(uploaded: Uploaded) -> tuple[Uploaded, str]:
    """Start a run that waits."""
    assert uploaded.sdk(pipeline_version_run_id="run-1").run(timeout=0) == {"status": "timeout"}
    return uploaded, "run-1"


class TestUploads:
    @pytest.mark.parametrize("path", ["", "config.yaml"], ids=["directory", "file"])
    def test_a_pipeline_is_uploaded_with_its_steps(
        self, cli: Commands, folder: Path, client: Client, path: str
    ) -> None:
        cli.ok("pipeline", "upload", folder / path)  # the app is made, too
        found = Uploaded(folder, client)
        (step,) = client.call("ListPipelineStepVersions", user_app_id=IN_APP).pipeline_step_versions
        name = f"users/me/apps/flows/pipeline_steps/stepA/versions/{step.id}"
        assert name in found.locked["orchestration_spec"]["argo_orchestration_spec"]
        assert (step.pipeline_step.id, step.status.code) == ("stepA", StatusCode.PIPELINE_STEP_READY)
        assert step.pipeline_step_compute_info.cpu_limit
        shown = client.call("GetPipeline", user_app_id=IN_APP, pipeline_id="greets").pipeline
        assert shown.pipeline_version.id == found.version_id
        spec = json.loads(shown.pipeline_version.orchestration_spec.argo_orchestration_spec.spec_json)
        assert name in json.dumps(spec)
        assert shown.pipeline_version.orchestration_spec.argo_orchestration_spec.api_version == spec["apiVersion"]

    def test_what_did_not_change_is_not_uploaded_again(self, cli: Commands, folder: Path, client: Client) -> None:
        for _ in range(2):
            cli.ok("pipeline", "upload", folder)
        assert len(client.call("ListPipelineStepVersions", user_app_id=IN_APP).pipeline_step_versions) == 1
        (folder / "stepA" / "1" / "pipeline_step.py").write_text("print('another')\n")
        cli.ok("pipeline", "upload", folder, "--no-lockfile")
        assert len(client.call("ListPipelineStepVersions", user_app_id=IN_APP).pipeline_step_versions) == 2
        versions = client.call("ListPipelineVersions", user_app_id=IN_APP, pipeline_id="greets").pipeline_versions
        assert len(versions) == 3
        shown = client.call("GetPipeline", user_app_id=IN_APP, pipeline_id="greets").pipeline
        assert shown.pipeline_version.id == versions[0].id

    def test_secrets_of_steps_and_the_visibility_come_with_the_version(
        self, cli: Commands, folder: Path, client: Client
    ) -> None:
        config = yaml.safe_load((folder / "config.yaml").read_text())
        secrets = {"step-0": {"API_KEY": "users/me/secrets/one", "DB_PASSWORD": "users/me/secrets/two"}}
        config["pipeline"]["config"] = {"step_version_secrets": secrets}
        config["pipeline"]["visibility"] = "ORG"
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        cli.ok("pipeline", "upload", folder)
        found = Uploaded(folder, client)
        assert found.locked["config"]["step_version_secrets"] == secrets
        version = client.call("GetPipelineVersion", **found.ids).pipeline_version
        assert dict(version.config.step_version_secrets["step-0"]) == secrets["step-0"]
        assert version.visibility.gettable == 30

    def test_a_pipeline_written_in_python_is_uploaded(
        self, cli: Commands, tmp_path: Path, client: Client, emulator: EmulatorThread
    ) -> None:
        (tmp_path / "written.py").write_text(WRITTEN)
        cli.ok("pipeline", "upload", "written.py")
        found = Uploaded(tmp_path / "generated-written", client)
        steps = client.call("ListPipelineSteps", user_app_id=IN_APP).pipeline_steps
        assert [each.id for each in steps] == ["says"]
        pipeline = load_pipeline_from_file(str(tmp_path / "written.py"))
        assert pipeline.run(timeout=0) == {"status": "timeout"}
        versions = client.call("ListPipelineVersions", user_app_id=IN_APP, pipeline_id="written").pipeline_versions
        assert [each.id for each in versions][1:] == [found.version_id]
        ids: dict[str, Any] = {
            "user_app_id": IN_APP,
            "pipeline_id": "written",
            "pipeline_version_id": versions[0].id,
        }
        assert len(client.call("ListPipelineVersionRuns", **ids).pipeline_version_runs) == 1

    def test_a_pipeline_of_steps_that_are_there_is_made_without_an_upload(
        self, uploaded: Uploaded, folder: Path
    ) -> None:
        config = {"pipeline": {**uploaded.locked, "id": "again", "step_directories": []}}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        builder = PipelineBuilder(str(folder / "config.yaml"))
        assert builder.upload_pipeline_steps()
        is_made, version_id = builder.create_pipeline()
        assert is_made
        assert version_id not in ("", uploaded.version_id)

    @pytest.mark.parametrize(
        ("breaks", "says"),
        [
            ("rm", "config.yaml"),
            ("pipeline: {id: greets, app_id: flows}", "'user_id' not found in pipeline section"),
            ("steps", "Failed to upload pipeline steps"),
            ("id", "Failed to create pipeline"),
        ],
        ids=["no config", "no user", "a step without its folder", "an id that cannot be"],
    )
    def test_what_cannot_be_uploaded_is_said(
        self, cli: Commands, folder: Path, client: Client, said: pytest.LogCaptureFixture, breaks: str, says: str
    ) -> None:
        path = folder / "config.yaml"
        config = yaml.safe_load(path.read_text())
        if breaks == "rm":
            path.unlink()
        elif breaks == "steps":
            path.write_text(yaml.safe_dump({"pipeline": {**config["pipeline"], "step_directories": ["gone"]}}))
        elif breaks == "id":
            path.write_text(yaml.safe_dump({"pipeline": {**config["pipeline"], "id": "not an id"}}))
        else:
            path.write_text(breaks)
        cli.refused("pipeline", "upload", folder)
        assert says in said.text
        assert not client.call("ListPipelines", user_app_id=IN_APP).pipelines

    def test_another_user_s_app_is_refused(
        self, cli: Commands, folder: Path, said: pytest.LogCaptureFixture
    ) -> None:
        path = folder / "config.yaml"
        config = yaml.safe_load(path.read_text())
        path.write_text(yaml.safe_dump({"pipeline": {**config["pipeline"], "user_id": "eve"}}))
        cli.refused("pipeline", "upload", folder)
        assert "Failed to verify or create app" in said.text


class TestSteps:
    @pytest.fixture
    def step(self, cli: Commands, tmp_path: Path) -> Path:
        """Write a step, by the CLI, for an app that is there."""
        cli.ok("app", "create", "flows")
        cli.ok("pipelinestep", "init", "step")
        config = yaml.safe_load((tmp_path / "step" / "config.yaml").read_text())
        config["pipeline_step"] |= {"id": "says", **IN_APP}
        (tmp_path / "step" / "config.yaml").write_text(yaml.safe_dump(config))
        return tmp_path / "step"

    def test_a_step_is_uploaded_again_as_a_further_version_and_listed(
        self, cli: Commands, step: Path, client: Client
    ) -> None:
        cli.ok("pipelinestep", "upload", step)
        dockerfile = (step / "Dockerfile").read_text()
        (step / "Dockerfile").write_text(f"{dockerfile}\n# mine\n")
        cli.ok("pipelinestep", "upload", step, "--skip_dockerfile")
        assert (step / "Dockerfile").read_text().endswith("# mine\n")
        versions = client.call("ListPipelineStepVersions", user_app_id=IN_APP).pipeline_step_versions
        assert len(versions) == 2
        rows = list(cli.rows("pipelinestep", "ls", "--app_id", "flows"))
        assert {row[0] for row in rows} == {"says"}
        assert {"me", "flows"} <= set(rows[0])
        assert len(list(cli.rows("ps", "list", "--app_id", "flows", "--page_no", "1", "--per_page", "1"))) == 1
        shown = client.call("GetPipelineStep", user_app_id=IN_APP, pipeline_step_id="says").pipeline_step
        assert shown.pipeline_step_version.id == versions[0].id

    def test_what_the_config_says_of_it_comes_back(self, cli: Commands, step: Path, client: Client) -> None:
        path = step / "config.yaml"
        config = yaml.safe_load(path.read_text())
        params = [{"name": "who", "default": "you", "description": "d", "accepted_values": ["you", "me"]}]
        compute = {"cpu_limit": "250m", "cpu_memory": "100Mi", "num_accelerators": 0}
        path.write_text(
            yaml.safe_dump(config | {"pipeline_step_input_params": params, "pipeline_step_compute_info": compute})
        )
        cli.ok("pipelinestep", "upload", step)
        (version,) = client.call("ListPipelineStepVersions", user_app_id=IN_APP).pipeline_step_versions
        assert version.pipeline_step_compute_info.cpu_limit == "250m"
        assert [each.name for each in version.pipeline_step_input_params] == ["who"]
        assert version.pipeline_step_input_params[0].default_value == "you"

    def test_the_builder_says_that_no_image_is_built(
        self, cli: Commands, step: Path, said: pytest.LogCaptureFixture
    ) -> None:
        cli.ok("pipelinestep", "upload", step)
        assert "The emulator builds no image of a pipeline step" in said.text

    def test_an_archive_without_the_code_fails_to_build(
        self, cli: Commands, step: Path, said: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        builder = PipelineStepBuilder(str(step))
        (step / "1" / "pipeline_step.py").unlink()
        assert not builder.upload_pipeline_step_version()
        assert "The archive has no 1/pipeline_step.py; a step's folder has config.yaml," in said.text

    def test_a_folder_that_is_no_step_is_refused(self, cli: Commands, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert "config.yaml" in cli.refused("pipelinestep", "upload", tmp_path / "empty")
        assert "does not exist" in cli.refused("pipelinestep", "upload", tmp_path / "gone")

    def test_a_step_without_an_app_is_refused(self, emulator: EmulatorThread, client: Client) -> None:
        status = client.call("PostPipelineSteps", pipeline_steps=[{"id": "says"}]).status
        assert status.code == StatusCode.PIPELINE_STEP_INVALID_ARGUMENT
        assert status.details.startswith("pipeline_steps[0].user_app_id.app_id: must not be empty")

    def test_listing_wants_an_app_and_knows_no_pipeline(self, cli: Commands) -> None:
        assert "--app_id" in cli.refused("pipelinestep", "list")
        # The SDK of 12.5 sends a field that the request does not have.
        assert "pipeline_id" in cli.refused("pipelinestep", "list", "--app_id", "flows", "--pipeline_id", "greets")


class TestListing:
    def test_pipelines_are_listed_by_page(self, cli: Commands, uploaded: Uploaded, client: Client) -> None:
        client.call("PostPipelines", user_app_id=IN_APP, pipelines=[{"id": "second", "description": "d"}])
        rows = list(cli.rows("pipeline", "list", "--app_id", "flows"))
        assert {row[0] for row in rows} == {"greets", "second"}
        assert any({"greets", "me", "flows", uploaded.version_id} <= set(row) for row in rows)
        assert len(list(cli.rows("pl", "ls", "--app_id", "flows", "--page_no", "1", "--per_page", "1"))) == 1
        pipelines: Any = App(**IN_APP).list_pipelines()  # Pipeline objects, whatever its type says
        listed = {each.pipeline_id for each in pipelines}
        assert listed == {"greets", "second"}

    def test_an_app_must_be_named_and_be_there(self, cli: Commands) -> None:
        assert "--app_id" in cli.refused("pipeline", "list")
        assert "gone" in cli.refused("pipeline", "list", "--app_id", "gone")


class TestRuns:
    def test_a_run_waits_and_its_log_says_why(self, uploaded: Uploaded, said: pytest.LogCaptureFixture) -> None:
        assert uploaded.sdk(pipeline_version_run_id="run-1").run(**BRIEFLY) == {"status": "timeout"}
        assert uploaded.status("run-1") == StatusCode.JOB_QUEUED
        assert "The emulator runs no pipelines: this run stays JOB_QUEUED until" in said.text
        assert "Status: QUEUED" in said.text

    @pytest.mark.parametrize(
        ("code", "status"), [(StatusCode.JOB_COMPLETED, "success"), (StatusCode.JOB_FAILED, "failed")]
    )
    def test_it_is_followed_to_its_end_with_its_log(
        self, waiting: tuple[Uploaded, str], tmp_path: Path, code: int, status: str
    ) -> None:
        uploaded, run_id = waiting
        uploaded.set(run_id, StatusCode.JOB_RUNNING)
        uploaded.log(run_id, '{"msg": "step by step"}\nas it is')
        uploaded.set(run_id, code)
        log = tmp_path / "run.log"
        followed = uploaded.sdk(pipeline_version_run_id=run_id, log_file=str(log)).monitor_only(timeout=5)
        assert (followed["status"], followed["pipeline_version_run"]["id"]) == (status, run_id)
        assert log.read_text().splitlines()[1:] == ["step by step", "as it is"]
        run = uploaded.run(run_id)
        assert 0 < run.created_at.seconds <= run.started_at.seconds <= run.ended_at.seconds
        assert run.pipeline_version.id == uploaded.version_id

    def test_a_log_of_several_pages_is_read_to_its_end(self, waiting: tuple[Uploaded, str], tmp_path: Path) -> None:
        uploaded, run_id = waiting
        for number in range(60):
            uploaded.log(run_id, f"line {number}")
        log = tmp_path / "run.log"
        uploaded.sdk(pipeline_version_run_id=run_id, log_file=str(log)).monitor_only(**BRIEFLY)
        assert log.read_text().splitlines()[1:] == [f"line {number}" for number in range(60)]

    def test_arguments_of_a_run_are_kept(self, uploaded: Uploaded) -> None:
        given = OrchestrationArgsOverride(
            argo_args_override=ArgoArgsOverride(parameters=[ArgoParameterOverride(name="prompt", value="new")])
        )
        empty = OrchestrationArgsOverride(argo_args_override=ArgoArgsOverride())
        for run_id, override, kept in (("r1", given, [("prompt", "new")]), ("r2", None, []), ("r3", empty, [])):
            uploaded.sdk(pipeline_version_run_id=run_id).run(timeout=0, input_args_override=override)  # pyright: ignore[reportArgumentType]
            parameters = uploaded.run(run_id).input_args_override.argo_args_override.parameters
            assert [(each.name, each.value) for each in parameters] == kept

    def test_a_pipeline_that_was_not_uploaded_is_said(
        self, said: pytest.LogCaptureFixture, uploaded: Uploaded
    ) -> None:
        gone = Pipeline(pipeline_id="gone", pipeline_version_id="gone", **IN_APP)
        assert gone.run(timeout=0)["status"]["code"] == "CONN_DOES_NOT_EXIST"
        assert "Pipeline gone does not exist, did you call 'clarifai pipeline upload' first?" in said.text

    def test_a_run_that_cannot_be_started_is_refused(self, waiting: tuple[Uploaded, str]) -> None:
        uploaded, run_id = waiting
        with pytest.raises(UserError, match=r"Failed to start pipeline run: .*already exists"):
            uploaded.sdk(pipeline_version_run_id=run_id).run(timeout=0)

    def test_without_a_version_it_is_of_the_newest(self, uploaded: Uploaded) -> None:
        url = f"https://clarifai.com/me/flows/pipelines/{uploaded.id}"
        Pipeline(url=url, pipeline_version_run_id="run-1").run(timeout=0)
        assert uploaded.run("run-1").pipeline_version.id == uploaded.version_id

    def test_it_is_paused_resumed_and_cancelled(self, cli: Commands, waiting: tuple[Uploaded, str]) -> None:
        uploaded, run_id = waiting
        for words, code in (
            (("pause", run_id, *uploaded.words), StatusCode.JOB_PAUSED),
            (("resume", run_id, *uploaded.words), StatusCode.JOB_RUNNING),
            (("pause", "--pipeline_version_run_id", run_id, *uploaded.words), StatusCode.JOB_PAUSED),
            (("cancel", run_id, *uploaded.words), StatusCode.JOB_CANCELLED),
        ):
            cli.ok("pipelinerun", *words)
            assert uploaded.status(run_id) == code
        said = cli.refused("pr", "resume", run_id, *uploaded.words)
        assert "a run that is JOB_CANCELLED cannot become JOB_RUNNING; it has ended: start another run" in said
        assert "JOB_CONFLICT" in said

    def test_the_lock_file_says_which_pipeline_is_meant(
        self, cli: Commands, waiting: tuple[Uploaded, str], folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        uploaded, run_id = waiting
        assert "Missing required parameters" in cli.refused("pipelinerun", "pause", run_id)
        monkeypatch.chdir(folder)
        for word, code in (("pause", StatusCode.JOB_PAUSED), ("resume", StatusCode.JOB_RUNNING)):
            cli.ok("pipelinerun", word, run_id)
            assert uploaded.status(run_id) == code
        uploaded.set(run_id, StatusCode.JOB_COMPLETED)
        cli.ok("pipelinerun", "monitor", run_id, "--timeout", "5")

    @pytest.mark.parametrize("word", ["pause", "monitor"])
    def test_which_run_must_be_said(self, cli: Commands, word: str) -> None:
        assert "pipeline_version_run_id" in cli.refused("pipelinerun", word, *WHERE)

    def test_it_is_monitored_to_its_end_or_for_so_long(
        self, cli: Commands, waiting: tuple[Uploaded, str], said: pytest.LogCaptureFixture
    ) -> None:
        uploaded, run_id = waiting
        cli.ok("pr", "monitor", run_id, *uploaded.words, "--timeout", "0")
        assert "timed out after 0 seconds" in said.text
        uploaded.set(run_id, StatusCode.JOB_COMPLETED)
        cli.ok("pr", "monitor", "--pipeline_version_run_id", run_id, *uploaded.words, "--timeout", "5")
        assert "Status: COMPLETED" in said.text


class TestRunCommand:
    def runs(self, uploaded: Uploaded) -> list[Any]:
        """Return the runs of the version, the newest first."""
        return list(uploaded.client.call("ListPipelineVersionRuns", **uploaded.ids).pipeline_version_runs)

    def test_a_pipeline_is_named_by_its_ids_its_address_or_its_folder(
        self, cli: Commands, uploaded: Uploaded, folder: Path
    ) -> None:
        url = f"https://clarifai.com/me/flows/pipelines/{uploaded.id}/versions/{uploaded.version_id}"
        for words in (uploaded.words, ("--pipeline_url", url), (folder,)):
            cli.ok("pipeline", "run", *words, *POOL, *AT_ONCE)
        runs = self.runs(uploaded)
        assert len(runs) == 3
        assert {(run.nodepools[0].compute_cluster.id, run.nodepools[0].id) for run in runs} == {("local", "cpu")}

    def test_a_run_that_is_there_is_monitored(
        self, cli: Commands, waiting: tuple[Uploaded, str], said: pytest.LogCaptureFixture
    ) -> None:
        uploaded, run_id = waiting
        uploaded.set(run_id, StatusCode.JOB_COMPLETED)
        cli.ok("pipeline", "run", "--monitor", "--pipeline_version_run_id", run_id, *uploaded.words, *POOL,
               "--timeout", "5")  # fmt: skip
        assert "Status: COMPLETED" in said.text
        assert len(self.runs(uploaded)) == 1
        assert "--pipeline_version_run_id is required" in cli.refused(
            "pipeline", "run", "--monitor", *uploaded.words, *POOL
        )

    @pytest.mark.parametrize("form", ["json", "yaml"])
    def test_arguments_come_from_words_and_files_and_words_win(
        self, cli: Commands, uploaded: Uploaded, tmp_path: Path, form: str
    ) -> None:
        given = {"prompt": "of the file", "number": 3}
        file = tmp_path / f"overrides.{form}"
        file.write_text(json.dumps(given) if form == "json" else yaml.safe_dump(given))
        cli.ok("pipeline", "run", *uploaded.words, *POOL, *AT_ONCE, "--overrides-file", file, "--set", "prompt=a=b")
        (run,) = self.runs(uploaded)
        parameters = run.input_args_override.argo_args_override.parameters
        assert {each.name: each.value for each in parameters} == {"prompt": "a=b", "number": "3"}

    def test_what_cannot_be_started_is_said(self, cli: Commands, uploaded: Uploaded, tmp_path: Path) -> None:
        (tmp_path / "bad.json").write_text("{")
        (tmp_path / "elsewhere").mkdir()
        run = ("pipeline", "run", tmp_path / "elsewhere")
        for words, says in (
            ((*uploaded.words, *POOL, "--set", "no equals sign"), "Invalid --set format"),
            ((*uploaded.words, *POOL, "--overrides-file", tmp_path / "bad.json"), "Failed to load overrides file"),
            ((*uploaded.words,), "--instance is required"),
            ((*WHERE, "--pipeline_id", uploaded.id, *POOL), "must be provided"),
            ((*uploaded.words, "--instance", "no-such-thing"), "no-such-thing"),
            ((*uploaded.words, "--compute_cluster_id", "local", "--nodepool_id", "gone", *AT_ONCE),
             "nodepool 'gone' does not exist in compute cluster 'local'"),
        ):  # fmt: skip
            assert says in cli.refused(*run, *words), words
        assert self.runs(uploaded) == []

    def test_an_instance_makes_its_cluster_and_nodepool_once(
        self, cli: Commands, uploaded: Uploaded, client: Client
    ) -> None:
        for _ in range(2):
            cli.ok("pipeline", "run", *uploaded.words, "--instance", "g5.xlarge", *AT_ONCE)
        first, second = (run.nodepools[0] for run in self.runs(uploaded))
        assert (first.compute_cluster.id, first.id) == (second.compute_cluster.id, second.id)
        pool = client.call(
            "GetNodepool", compute_cluster_id=first.compute_cluster.id, nodepool_id=first.id
        ).nodepool
        assert [each.id for each in pool.instance_types] == ["g5.xlarge"]
        assert (pool.compute_cluster.cloud_provider.id, pool.compute_cluster.region) == ("aws", "us-east-1")

    def test_an_instance_comes_from_the_config_with_cloud_and_region_and_words_win(
        self, cli: Commands, uploaded: Uploaded, folder: Path, client: Client
    ) -> None:
        config = yaml.safe_load((folder / "config.yaml").read_text())
        compute = {"instance": "g5.xlarge", "cloud": "aws", "region": "us-west-2"}
        config["pipeline"]["compute"] = compute
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        cli.ok("pipeline", "upload", folder)
        found = Uploaded(folder, client)
        assert found.locked["compute"] == compute
        cli.ok("pipeline", "run", folder, *AT_ONCE)
        cli.ok("pipeline", "run", folder, *AT_ONCE, "--instance", "t3a.medium", "--region", "us-east-1")
        url = f"https://clarifai.com/me/flows/pipelines/{found.id}/versions/{found.version_id}"
        cli.ok("pipeline", "run", "--pipeline_url", url, "--user_id", "me", *AT_ONCE, "--instance", "g5.xlarge",
               "--compute_cluster_id", "deploy-cc-aws-us-east-1")  # fmt: skip
        seen: list[tuple[str, str]] = []
        for run in self.runs(found):
            where: dict[str, Any] = {
                "compute_cluster_id": run.nodepools[0].compute_cluster.id,
                "nodepool_id": run.nodepools[0].id,
            }
            pool = client.call("GetNodepool", **where).nodepool
            seen.append((pool.instance_types[0].id, pool.compute_cluster.region))
        assert seen == [("g5.xlarge", "us-east-1"), ("t3a.medium", "us-east-1"), ("g5.xlarge", "us-west-2")]

    def test_a_dev_run_uploads_the_folder_under_a_name_of_its_own(
        self, cli: Commands, uploaded: Uploaded, folder: Path, client: Client
    ) -> None:
        cli.ok("pipeline", "run", folder, "--dev", *POOL, *AT_ONCE)
        listed = client.call("ListPipelines", user_app_id=IN_APP).pipelines
        assert {each.id for each in listed} == {"greets", "greets-dev"}
        assert (folder / "config-lock-dev.yaml").exists()
        assert self.runs(uploaded) == []
