"""Runs ``clarifai-emulator conform`` against emulators that stand for the platform, and sees what is left there."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

ME = {"CLARIFAI_PAT": "conformer-token", "CLARIFAI_USER_ID": "conformer", "CLARIFAI_OTHER_PAT": "stranger-token"}


class ConformShell:
    """Runs the command in a folder of its own, with no settings but those given."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ledgers = folder / "state" / "clarifai-emulator" / "conform"

    def environ(self, **settings: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLARIFAI_", "XDG_"))}
        kept = {name: value for name, value in kept.items() if not name.lower().endswith("_proxy")}
        state = {"XDG_STATE_HOME": str(self.folder / "state"), "HOME": str(self.folder)}
        return {**kept, **state, **settings}

    def start(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "clarifai_emulator", "conform", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env=self.environ(**settings),
        )

    def run(self, *words: str, **settings: str) -> tuple[int, str]:
        process = self.start(*words, **settings)
        said, _ = process.communicate(timeout=120)
        return process.returncode, said


@contextmanager
def web_server(status: int, content_type: str, body: bytes) -> Generator[str]:
    """Answer every request so."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
