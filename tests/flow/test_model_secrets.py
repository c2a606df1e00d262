"""Secrets that config.yaml asks for are in the model's environment, wherever it runs."""

from __future__ import annotations

from pathlib import Path

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import Client, inference_request, logged, text_of, write_model

TELLS = """
import os
from clarifai.runners.models.model_class import ModelClass

class Tells(ModelClass):
    @ModelClass.method
    def predict(self, name: str) -> str:
        return os.environ.get(name, "not set")
"""
WANTED = """
secrets:
  - {id: hf-token, type: env, env_var: TOKEN_OF_TEST}
  - {id: nobody-has-it, type: env, env_var: MISSING_OF_TEST}
  - {id: inline, type: env, env_var: INLINE_OF_TEST, value: from-config}
"""


def test_a_model_has_the_secrets_it_asks_for_and_no_others(
    emulator: EmulatorThread, client: Client, tmp_path: Path
) -> None:
    kept = [{"id": "hf-token", "value": "planted-secret"}, {"id": "other", "value": "not-for-it"}]
    client.call("PostSecrets", user_app_id={"user_id": "me"}, secrets=kept)
    directory = write_model(tmp_path, "tells", TELLS)
    config = directory / "config.yaml"
    config.write_text(config.read_text() + WANTED)
    emulator.deploy(directory)

    def told(name: str) -> str:
        return text_of(client.call("PostModelOutputs", inference_request("tells", name=name)))

    assert told("TOKEN_OF_TEST") == "planted-secret"
    assert told("INLINE_OF_TEST") == "from-config"
    assert told("MISSING_OF_TEST") == "not set"
    printed = logged(emulator)
    assert (
        "[emulator] config.yaml wants secret 'nobody-has-it' as MISSING_OF_TEST: user 'me' has no such secret, "
        "and the variable is not set"
    ) in printed
    assert "planted-secret" not in "\n".join(printed)
