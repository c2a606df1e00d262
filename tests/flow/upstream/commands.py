"""Runs commands of the official `clarifai` CLI in this process, which is fast, as its own tests do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml
from click.testing import CliRunner, Result

TOKEN = "0123456789abcdef0123456789abcdef"


class Commands:
    """Runs `clarifai` with a config file of its own, whose context leads to one emulator."""

    def __init__(self, url: str, folder: Path, *, pat: str = TOKEN, user_id: str = "me") -> None:
        self.config = folder / "clarifai-config.yaml"
        context = {"CLARIFAI_API_BASE": url, "CLARIFAI_PAT": pat, "CLARIFAI_USER_ID": user_id}
        contexts = {"default": {"env": context}}
        self.config.write_text(yaml.safe_dump({"contexts": contexts, "current_context": "default"}))

    def run(self, *words: str | Path, stdin: str = "") -> Result:
        """Run a command; its end may be of either kind."""
        from clarifai.cli.base import cli

        return CliRunner().invoke(cli, ["--config", str(self.config), *map(str, words)], input=stdin)

    def ok(self, *words: str | Path, stdin: str = "") -> str:
        """Return what a command prints that must succeed."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code == 0, (result.output, result.exception)
        return result.output

    def refused(self, *words: str | Path, stdin: str = "") -> str:
        """Return what a command prints that must fail, and why it did."""
        result = self.run(*words, stdin=stdin)
        assert result.exit_code != 0, result.output
        return f"{result.output}\n{result.exception or ''}"

    def rows(self, *words: str) -> Iterator[list[str]]:
        """Yield the rows of a table that a command prints, without its head."""
        for line in self.ok(*words).splitlines()[1:]:
            if line.strip():
                yield line.split()
