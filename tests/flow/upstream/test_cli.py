"""The scenarios of the SDK's tests of its command line that talk to the platform: accounts, apps, predictions.

`cli/test_login.py`, `cli/test_context_flag.py`, `cli/test_predict.py`, `test_cli_logout.py`,
`test_cli_whoami_app.py`, `test_list_models.py`. Upstream the platform is a mock there; here it answers.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from clarifai.client.user import User

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, Client, running
from flow.upstream.commands import TOKEN, Commands

ACCOUNTS = """
users: [{id: ada, first_name: Ada, email: ada@example.com}]
organisations: [{id: acme, name: Acme Ltd, members: [ada]}]
tokens: [{token: ada-token, user: ada}]
"""
VARIABLES = ("CLARIFAI_PAT", "CLARIFAI_USER_ID", "CLARIFAI_API_BASE")


@pytest.fixture
def cli(emulator: EmulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    """The environment comes before the config file; here the file is to count."""
    for name in VARIABLES:
        monkeypatch.delenv(name)
    return Commands(emulator.url, tmp_path)


def config_of(cli: Commands) -> Any:
    return yaml.safe_load(cli.config.read_text())


def context_of(cli: Commands, name: str) -> Any:
    """Return what a context says: the CLI writes it flat, and reads an ``env`` around it as well."""
    context = config_of(cli)["contexts"][name]
    return context.get("env", context)


class TestAccounts:
    def test_login_saves_a_context(self, cli: Commands, emulator: EmulatorThread) -> None:
        said = cli.ok("login", emulator.url, "--pat", TOKEN, "--context", "mine", stdin="\n")
        assert "Logged in as me" in said
        assert config_of(cli)["current_context"] == "mine"
        assert context_of(cli, "mine") == {
            "CLARIFAI_API_BASE": emulator.url, "CLARIFAI_PAT": TOKEN, "CLARIFAI_USER_ID": "me"
        }  # fmt: skip

    def test_login_takes_the_token_of_the_environment(
        self, cli: Commands, emulator: EmulatorThread, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CLARIFAI_PAT", TOKEN)
        cli.ok("login", emulator.url, "--context", "of-the-environment", stdin="\n")
        assert context_of(cli, "of-the-environment")["CLARIFAI_PAT"]

    def test_login_asks_for_the_token(self, cli: Commands, emulator: EmulatorThread) -> None:
        said = cli.ok("login", emulator.url, "--context", "asked", stdin=f"{TOKEN}\n\n")
        assert "Logged in as me" in said
        assert context_of(cli, "asked")["CLARIFAI_PAT"] == TOKEN

    def test_login_again_renews_the_context(self, cli: Commands, emulator: EmulatorThread) -> None:
        for token in ("a" * 32, "b" * 32):
            cli.ok("login", emulator.url, "--pat", token, "--context", "mine", stdin="\n")
        assert context_of(cli, "mine")["CLARIFAI_PAT"] == "b" * 32

    def test_an_organisation_is_chosen(self, cli: Commands, tmp_path: Path) -> None:
        accounts = tmp_path / "pats.yaml"
        accounts.write_text(ACCOUNTS)
        accounts.chmod(0o600)
        with running(pats_file=accounts, user_id="ada") as emulator:
            assert "Logged in as ada" in cli.ok("login", emulator.url, "--pat", "ada-token", stdin="1\n")
            assert "Logged in as acme" in cli.ok("login", emulator.url, "--pat", "ada-token", stdin="2\n")
            said = cli.ok("login", emulator.url, "--pat", "ada-token", "--user-id", "acme")
            assert "Logged in as acme" in said  # without a question
            cli.ok("login", emulator.url, "--pat", "ada-token", "--user-id", "ada")
            assert "acme" in cli.ok("whoami", "--orgs")
            found = json.loads(cli.ok("whoami", "--orgs", "-o", "json"))
            assert (found["user_id"], found["organizations"]) == ("ada", [{"id": "acme", "name": "Acme Ltd"}])
            assert "API key" in cli.refused("login", emulator.url, "--pat", "of-nobody", stdin="\n")

    def test_contexts_are_made_chosen_and_deleted(self, cli: Commands, emulator: EmulatorThread) -> None:
        words = (
            "config",
            "create-context",
            "second",
            "--user-id",
            "me",
            "--base-url",
            emulator.url,
            "--pat",
            TOKEN,
        )
        cli.ok(*words)
        assert "already" in cli.refused(*words)
        cli.ok("config", "use-context", "second")
        assert cli.ok("config", "current-context").strip() == "second"
        cli.ok("config", "use-context", "default")
        assert cli.ok("config", "current-context").strip() == "default"
        assert "me" in cli.ok("--context", "second", "whoami")
        assert "nowhere" in cli.refused("--context", "nowhere", "config", "current-context")
        cli.ok("config", "delete-context", "second", stdin="y\n")
        assert list(config_of(cli)["contexts"]) == ["default"]

    def test_whoami_and_logout(self, cli: Commands) -> None:
        assert "me" in cli.ok("whoami")
        cli.ok("logout")
        assert not context_of(cli, "default").get("CLARIFAI_PAT")
        assert "Not logged in" in cli.refused("whoami")
        cli.refused("app", "list")

    @pytest.mark.parametrize(
        ("words", "tokens"),
        [
            ((), {"default": "", "second": TOKEN}),
            (("--context", "second"), {"default": TOKEN, "second": ""}),
            (("--all",), {"default": "", "second": ""}),
            (("--delete",), {"second": TOKEN}),
            (("--context", "second", "--delete"), {"default": TOKEN}),
        ],
    )
    def test_logout_is_of_the_contexts_it_is_told(
        self, cli: Commands, emulator: EmulatorThread, words: tuple[str, ...], tokens: dict[str, str]
    ) -> None:
        cli.ok("config", "create-context", "second", "--user-id", "me", "--base-url", emulator.url, "--pat", TOKEN)
        cli.ok("config", "use-context", "default")
        cli.ok("logout", *words)
        names = list(config_of(cli)["contexts"])
        assert {name: context_of(cli, name).get("CLARIFAI_PAT") or "" for name in names} == tokens

    def test_logout_says_what_it_cannot_do_and_what_goes_on(
        self, cli: Commands, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "nowhere" in cli.refused("logout", "--context", "nowhere")
        assert "--all" in cli.refused("logout", "--all", "--context", "default")
        monkeypatch.setenv("CLARIFAI_PAT", TOKEN)
        assert "CLARIFAI_PAT" in cli.ok("logout")

    def test_whoami_tells_what_it_knows_without_the_platform(self, cli: Commands) -> None:
        config = config_of(cli)
        config["contexts"]["default"]["env"]["CLARIFAI_API_BASE"] = "http://127.0.0.1:9"
        cli.config.write_text(yaml.safe_dump(config))
        assert "me" in cli.ok("whoami")


class TestApps:
    def test_apps_of_another_user_are_those_it_shows(self, cli: Commands, tmp_path: Path) -> None:
        accounts = tmp_path / "pats.yaml"
        accounts.write_text(
            "users: [{id: ada}, {id: eve}]\ntokens: [{token: a, user: ada}, {token: e, user: eve}]\n"
        )
        accounts.chmod(0o600)
        with running(pats_file=accounts, user_id="ada") as emulator, closing(Client(emulator.url, pat="a")) as ada:
            visible = {"id": "shown", "visibility": {"gettable": 50}}
            ada.call("PostApps", user_app_id={"user_id": "ada"}, apps=[visible, {"id": "hidden"}])
            said = Commands(emulator.url, tmp_path, pat="e", user_id="eve").ok("app", "ls", "--user_id", "ada")
            assert "shown" in said
            assert "hidden" not in said

    def test_apps_are_made_listed_and_deleted(self, cli: Commands) -> None:
        assert "No apps" in cli.ok("app", "list")
        for name in ("first", "second"):
            cli.ok("app", "create", name, "--base-workflow", "Universal")
        said = cli.ok("app", "ls")
        assert "first" in said
        assert "second" in said
        cli.ok("app", "delete", "first")
        assert "first" not in cli.ok("app", "list")
        assert "gone" in cli.refused("app", "delete", "gone")


class TestModels:
    @pytest.fixture
    def hello(self, emulator: EmulatorThread, cli: Commands) -> str:
        emulator.deploy(MODELS / "hello")
        return "me/demo/models/hello"

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("you",), "Hello,you!"),  # of two methods that fit, it takes the one that streams
            (("you", "--method", "predict"), "Hello, you!"),
            (("-i", "prompt=you", "-i", "n=2", "--method", "predict"), "Hello, you!!"),
            (("--inputs", '{"prompt": "you", "n": 3}', "--method", "predict"), "Hello, you!!!"),
            (("you", "--deployment", "deploy-hello"), "Hello,you!"),
            (("you", "-o", "json"), '{"result": "Hello,you!"}'),
            (("--info",), "generate"),
        ],
    )
    def test_a_model_is_called(self, cli: Commands, hello: str, words: tuple[str, ...], says: str) -> None:
        assert says in cli.ok("model", "predict", hello, *words)

    def test_what_the_model_does_not_have_is_said(self, cli: Commands, hello: str) -> None:
        assert "gone" in cli.refused("model", "predict", hello, "you", "--method", "gone")
        assert "does not exist" in cli.refused("model", "predict", "me/demo/models/gone", "you")
        assert "OpenAI" in cli.refused("model", "predict", hello, "--chat", "you")

    def test_models_are_listed(self, cli: Commands, hello: str) -> None:
        assert "hello" in cli.ok("model", "list", "me")
        user = User(user_id="me", pat="any", base_url=context_of(cli, "default")["CLARIFAI_API_BASE"])
        listed = user.list_models(user_id="me", app_id="demo", show=False)
        assert [each["id"] for each in listed] == ["hello"]
        (model,) = user.list_models(user_id="me", show=False, return_clarifai_model=True)
        assert model.predict(prompt="you") == "Hello, you!"
