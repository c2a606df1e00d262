"""Node's clients work by base URL alone, and clients of gRPC-Web in a real browser."""

from __future__ import annotations

import http.server
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from clarifai_emulator.control.thread import EmulatorThread
from clients.environments import node, node_modules
from clients.tried import PROGRAMS, documented, printed
from flow.driver import running
from real_browser import browser as browser


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which Node finds the clients."""
    folder = tmp_path_factory.mktemp("node")
    (folder / "node_modules").symlink_to(node_modules() / "node_modules")
    return folder


@pytest.mark.parametrize(
    ("page", "heading", "name", "prints"),
    [
        ("clients-openai.md", "OpenAI's client for Node", "openai.mjs", "You said: Hello"),
        ("clients.md", "clarifai-nodejs", "clarifai.cjs", "Hello, Hello!"),
    ],
)
def test_the_documented_snippet_does_what_it_says(
    emulator: EmulatorThread, folder: Path, page: str, heading: str, name: str, prints: str
) -> None:
    (folder / name).write_text(documented(page, heading, "js", emulator.url))
    assert printed([*node(), name], cwd=folder) == prints


WORKFLOWS = """
const { App, Workflow } = require('clarifai-nodejs')
const authConfig = { userId: 'me', appId: 'demo', pat: 'any', base: BASE }
const app = new App({ authConfig })
async function main () {
  const made = await app.createWorkflow({ configFilePath: 'workflow.yml', display: false })
  console.log(made.nodesList.map((each) => each.id).join())
  for await (const page of app.listWorkflows()) console.log(page.map((each) => each.id).join())
  const workflow = new Workflow({ workflowId: made.id, authConfig })
  // It takes its two numbers for each other.
  const versions = await workflow.listVersions({ pageNo: 1, perPage: 1 }).next()
  console.log(versions.value.workflowVersionsList.length)
  await workflow.exportWorkflow('exported.yml')
  await app.deleteWorkflow({ workflowId: made.id })
  await app.workflow({ workflowId: 'gone' })
}
main().catch((error) => console.log(String(error)))
"""
DEFINED = """
workflow:
  id: greet-twice
  nodes:
    - {id: first, model: {modelId: hello, userId: me, appId: demo}}
    - {id: second, model: {modelId: hello, userId: me, appId: demo}, nodeInputs: [{nodeId: first}]}
"""


def test_clarifai_nodejs_makes_lists_exports_and_deletes_workflows(emulator: EmulatorThread, folder: Path) -> None:
    (folder / "workflow.yml").write_text(DEFINED)
    (folder / "workflows.cjs").write_text(WORKFLOWS.replace("BASE", f"'{emulator.url}'"))
    ran = subprocess.run([*node(), "workflows.cjs"], cwd=folder, capture_output=True, text=True, check=False)
    said = [line for line in ran.stdout.splitlines() if line and line != "Ok" and not line.startswith("Workflow")]
    assert said[:3] == ["first,second", "greet-twice", "1"], ran
    assert "11101" in said[3] or "does not exist" in said[3], ran
    assert "modelVersionId: " in (folder / "exported.yml").read_text()


class Pages(http.server.BaseHTTPRequestHandler):
    """Serves one page, with one script."""

    script: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        """Answer with the page, or with its script."""
        is_script = self.path == "/page.js"
        self.send_response(200)
        self.send_header("content-type", "text/javascript" if is_script else "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(self.script if is_script else b"<!doctype html><script src=page.js></script>")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def origin() -> Iterator[str]:
    """Serve pages at a port of their own, as a development server does."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def bundled(folder: Path, name: str, source: str) -> bytes:
    """Make one script of a page's module and all that it imports."""
    (folder / f"{name}.js").write_text(source)
    command = ["node_modules/esbuild/bin/esbuild", f"{name}.js", "--bundle", f"--outfile={name}.bundle.js"]
    ran = subprocess.run([*node(), *command], cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return (folder / f"{name}.bundle.js").read_bytes()


def test_clarifai_web_grpc_in_a_browser(
    emulator: EmulatorThread, folder: Path, browser: Any, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    snippet = documented("clients.md", "clarifai-web-grpc, in a browser", "js", emulator.url)
    monkeypatch.setattr(Pages, "script", bundled(folder, "web", snippet))
    page = browser.new_page()
    with page.expect_console_message() as said:
        page.goto(origin)
    assert said.value.text == "hello"
    page.close()


def test_a_browser_reads_a_stream_as_it_comes_and_its_end(
    emulator: EmulatorThread, folder: Path, browser: Any, origin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pages, "script", bundled(folder, "stream", (PROGRAMS / "grpc_web_stream.js").read_text()))
    page = browser.new_page()
    page.goto(origin)
    for form in ("text", "binary"):
        asked = [emulator.url, {"Authorization": "Key any"}, form]
        seen = page.evaluate("asked => generate(...asked)", [*asked, "hello"])
        assert seen == {"texts": ["Hello,", "you!"], "statuses": [], "ended": [0, "owner_default"]}
        refused = page.evaluate("asked => generate(...asked)", [*asked, "nothing"])
        assert (refused["texts"], len(refused["statuses"]), refused["ended"]) == ([], 1, [0, ""])
    page.close()


def test_a_page_that_is_not_named_is_refused_where_a_developer_looks(browser: Any, origin: str) -> None:
    with running() as emulator:
        page = browser.new_page()
        page.goto(origin)
        failed = page.evaluate(
            "url => fetch(url, {headers: {Authorization: 'Key any'}}).catch(error => String(error))",
            f"{emulator.url}/v2/users/me",
        )
        assert failed == "TypeError: Failed to fetch"
        assert emulator.events("connection.cors")[-1].fields["what"] == (
            f"Pages of '{origin}' may not use this emulator. Start it with --cors localhost to let all pages of "
            f"this machine, whatever their port, or with --cors {origin} for these alone."
        )
        page.close()
