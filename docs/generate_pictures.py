"""Takes the pictures of docs/page.md: each panel of the page, light and dark, on a small and a large screen.

They are of an emulator that runs the tour (``fixtures/tour``) and answers real calls. `make docs-pictures` runs it;
it needs Chromium.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

TOUR = Path(__file__).parents[1] / "fixtures" / "tour"
PICTURES = Path(__file__).with_name("pictures")
SCHEMES = ("light", "dark")
SIZES = ((400, 860), (1440, 900))
# As many colours are enough for a page, and a tenth of the bytes.
COLOURS = 128
PORT = 7989


class Tour:
    """Runs the tour's emulator in a folder, and does in it what a team would have done in an hour."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tour = folder / "tour"
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("CLARIFAI_")},
            "XDG_STATE_HOME": str(folder / "state"),
            "CLARIFAI_EMULATOR_PORT": str(PORT),
        }
        shutil.copytree(TOUR, self._tour)

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run a command of the emulator, and return what it printed."""
        command = [sys.executable, "-m", "clarifai_emulator", *arguments]
        done = subprocess.run(
            command, env=self._environ, cwd=self._tour, capture_output=True, text=True, check=False
        )
        if done.returncode and not fails:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def start(self) -> None:
        """Start the emulator with everything deployed."""
        topology = str(self._tour / "topology.yaml")
        gpu = ("--accelerators", "simulated:1xNVIDIA-A10G")
        self.run("up", "--detach", "--port", str(PORT), "--topology", topology, *gpu)
        self.run("init", "my-model")
        self.run("deploy", "my-model", "--port", str(PORT))
        self.run("contract", "lock", "models/ranker")
        model = self._tour / "models" / "ranker" / "1" / "model.py"
        model.write_text(model.read_text().replace("top: int = 3", "top: int = 3, minimum: int = 0"))
        place = ("--deployment-id", "ranker-prod", "--cluster", "aws-east", "--nodepool", "small")
        self.run("deploy", "models/ranker", *place, "--port", str(PORT))

    def test(self) -> Path:
        """Run the tests of a client's project, and return the page of the run."""
        report = self.folder / "run.html"
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "--clarifai-html",
            str(report),
            ".",
        ]
        project = TOUR.parent / "clients" / "greeter"
        done = subprocess.run(command, env=self._environ, cwd=project, capture_output=True, text=True, check=False)
        if not report.exists():
            raise RuntimeError(f"{done.stdout}{done.stderr}")
        return report

    def stop(self) -> None:
        """Stop it."""
        self.run("down", "--port", str(PORT), fails=True)

    @property
    def address(self) -> str:
        """Return the address of its page."""
        return self.run("page", "--no-open", "--port", str(PORT)).strip()

    def work(self) -> None:
        """Make calls of every kind: quick and slow ones, pictures and chats, refused and failed ones."""
        url = f"http://127.0.0.1:{PORT}"
        os.environ |= {"CLARIFAI_API_BASE": url, "CLARIFAI_PAT": "any", "CLARIFAI_USER_ID": "me"}
        from clarifai.client import Model
        from clarifai.runners.utils.data_types import Image

        def model(name: str, **more: Any) -> Any:
            return Model(url=f"https://clarifai.com/me/{name}", **more)

        reader, ranker = model("shop/models/reader"), model("shop/models/ranker")
        canary = model("shop/models/ranker", deployment_id="ranker-canary")
        assistant, mine = model("shop/models/assistant"), model("main/models/my-model")
        texts = ["red shoes", "blue shoes", "a hat", "red hat", "green socks"]
        ask = '{"model": "x", "messages": [{"role": "user", "content": "Which shoes are red?"}]}'
        for number in range(6):
            reader.predict(image=Image(bytes=_painted(number)), language="en")
            ranker.predict(query="red shoes", texts=texts, top=1 + number % 3)
            mine.predict(prompt="Hello")
            list(ranker.explain(query="red shoes for a walk"))
            time.sleep(0.3)
        reader.thumbnail(image=Image(bytes=_painted(7)), size=160)
        canary.predict(query="a hat", texts=texts)
        list(assistant.openai_stream_transport(msg=ask))
        self._fail(lambda: model("shop/models/ranker", deployment_id="ranker-staging").predict(query="x", texts=[]))
        self.run("fault", "add", "slow-ranker", "--model", "ranker", "--latency", "0.4", "--probability", "0.5")
        for number in range(4):
            ranker.predict(query="green socks", texts=texts, top=number + 1)
        self._fail(lambda: ranker.predict(query=" ", texts=texts))

    @staticmethod
    def _fail(call: Callable[[], Any]) -> None:
        with suppress(Exception):  # the SDK raises Exception itself for every status
            call()


def _painted(number: int) -> bytes:
    """Return a picture, as PNG."""
    from PIL import Image as Picture
    from PIL import ImageDraw

    picture = Picture.new("RGB", (320, 200), (240 - 20 * number, 220, 120 + 15 * number))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((60, 30, 200, 170), fill=(200, 60 + 20 * number, 60))
    draw.rectangle((190, 90, 290, 180), fill=(40, 90, 160))
    whole = io.BytesIO()
    picture.save(whole, "PNG")
    return whole.getvalue()


def requests(page: Any) -> None:
    """Show the requests, and one that was given a picture and answered one."""
    page.get_by_role("link", name="Requests", exact=True).click()
    page.get_by_role("link", name=re.compile(r"^reader\.thumbnail")).first.click()
    page.get_by_role("region", name="reader.thumbnail").get_by_role("img").nth(1).wait_for()


def map_of_request(page: Any) -> None:
    """Show the way of a request that named a deployment."""
    page.get_by_role("link", name="Requests", exact=True).click()
    page.get_by_label("Filter requests").fill("rule:owner model:ranker")
    page.get_by_role("link", name=re.compile(r"^ranker\.explain")).first.click()
    page.get_by_role("link", name="Show its way on the map").click()
    page.get_by_role("heading", name="Map").wait_for()


def resources(page: Any) -> None:
    """Show a deployment as JSON, with links to what it names."""
    page.get_by_role("link", name="Resources", exact=True).click()
    page.get_by_role("link", name=re.compile("^deployments?", re.IGNORECASE)).first.click()
    page.get_by_role("link", name=re.compile("ranker-prod")).first.click()


def replicas(page: Any) -> None:
    """Show when what replica was busy, and the log of one."""
    page.get_by_role("link", name="Replicas", exact=True).click()
    page.get_by_role("row").filter(has_text="assistant-prod").get_by_role("link").first.click()


def faults(page: Any) -> None:
    """Show what is set, how often it struck, and the form."""
    page.get_by_role("link", name="Faults", exact=True).click()
    page.get_by_text("slow-ranker").first.wait_for()


def traffic(page: Any) -> None:
    """Show requests per second, latency, what waits, and replicas."""
    page.get_by_role("link", name="Traffic", exact=True).click()


def try_it(page: Any) -> None:
    """Show a call with a picture, and what came back."""
    page.get_by_role("link", name="Try it", exact=True).click()
    page.get_by_label("Model", exact=True).select_option("me/shop/reader")
    page.get_by_label("Method", exact=True).select_option("thumbnail")
    form = page.get_by_role("form", name="Call thumbnail")
    picture = {"name": "shoes.png", "mimeType": "image/png", "buffer": _painted(3)}
    form.get_by_label("image, file").set_input_files(picture)
    form.get_by_role("img", name="Preview of image").wait_for()
    form.get_by_role("button", name="Send").click()
    page.get_by_role("region", name="Answer").get_by_role("img").wait_for()


def chat(page: Any) -> None:
    """Show a conversation."""
    page.get_by_role("link", name="Try it", exact=True).click()
    page.get_by_label("Model", exact=True).select_option("me/shop/assistant")
    conversation = page.get_by_role("region", name="Conversation")
    conversation.get_by_label("Message", exact=True).fill("Which of these shoes are red?")
    conversation.get_by_role("button", name="Send").click()
    conversation.get_by_text("several words.").first.wait_for()


def contracts(page: Any) -> None:
    """Show what models promise, and how one differs from its lock file."""
    page.get_by_role("link", name="Contracts", exact=True).click()
    page.get_by_role("link", name="me/shop/ranker").first.click()


def tests(page: Any) -> None:
    """Show one test of a run, with its calls."""
    page.get_by_role("link", name="Tests", exact=True).click()
    page.get_by_role("row").nth(1).get_by_role("link").first.click()


# Of the page of a test run, which is a file.
SAVED = ("tests",)
PANELS: dict[str, Callable[[Any], None]] = {
    "requests": requests,
    "map": map_of_request,
    "replicas": replicas,
    "try": try_it,
    "chat": chat,
    "traffic": traffic,
    "faults": faults,
    "contracts": contracts,
    "resources": resources,
    "tests": tests,
}


@contextmanager
def running_tour() -> Iterator[Tour]:
    """Run the tour while the block lasts."""
    with tempfile.TemporaryDirectory(prefix="tour-") as folder:
        tour = Tour(Path(folder))
        try:
            tour.start()
            tour.work()
            yield tour
        finally:
            tour.stop()


def save(shot: bytes, path: Path) -> None:
    """Write a picture with few colours."""
    from PIL import Image as Picture

    with Picture.open(io.BytesIO(shot)) as picture:
        picture.convert("RGB").quantize(COLOURS).save(path, "PNG", optimize=True)


def take_pictures(names: list[str]) -> None:
    """Take the pictures of these panels; of all where none is named."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("There is no Chromium to take pictures with; on Debian: apt-get install chromium")
    PICTURES.mkdir(exist_ok=True)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with running_tour() as tour, sync_playwright() as playwright:
        address, run = tour.address, tour.test().as_uri()
        with playwright.chromium.launch(executable_path=chromium, args=arguments) as browser:
            for scheme in SCHEMES:
                for width, height in SIZES:
                    size = {"width": width, "height": height}
                    context = browser.new_context(color_scheme=scheme, viewport=size)
                    page = context.new_page()
                    page.set_default_timeout(15_000)
                    page.goto(address)
                    for name in names or PANELS:
                        if name in SAVED:
                            page.goto(run)
                        PANELS[name](page)
                        page.mouse.move(0, 0)
                        page.wait_for_timeout(600)
                        save(page.screenshot(), PICTURES / f"{name}-{scheme}-{width}.png")
                    context.close()


if __name__ == "__main__":
    take_pictures(sys.argv[1:])
