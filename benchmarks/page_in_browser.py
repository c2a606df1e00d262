"""Measures the page in a real browser: how soon it is there, whether it keeps scrolling under load, what it keeps.

Chromium looks at an emulator of this process. What it shows is compared with what the same browser does without the
load, in rounds that alternate; a page that only has the same bytes stands beside it for the first content.
"""

from __future__ import annotations

import asyncio
import http.server
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import resources
from typing import Any

from benchmarks.figures import Figure, alone, compared
from benchmarks.paged_emulator import RecordedRequests, address_of, paged_emulator, populate
from clarifai_emulator.control.thread import EmulatorThread
from clarifai_emulator.emulator import Emulator

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_RATE = 500
_REQUESTS = 200_000
_MANY = {"nodepools": 1000, "deployments": 10_000, "replicas": 100}
_FEW = {"nodepools": 10, "deployments": 10, "replicas": 10}
# By panel: what is measured, and what is there when the panel has its content.
_CONTENTS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "requests": ("requests, state", lambda page: page.get_by_text("replicas live")),
    "map": ("map", lambda page: page.get_by_role("heading", name="growth")),
    "replicas": ("replicas", lambda page: page.get_by_role("row").filter(has_text="deploy-hello")),
    "resources": ("resources", lambda page: page.get_by_role("link", name="deployment")),
}
# Scrolls the page to its end and back for some seconds, and gives the milliseconds between frames.
_SCROLL = """seconds => new Promise(done => {
  const frames = [], began = performance.now();
  let last = began;
  const frame = now => {
    frames.push(now - last);
    last = now;
    const end = document.documentElement.scrollHeight - innerHeight;
    const way = ((now - began) / 2000) % 2;
    scrollTo(0, end * (way < 1 ? way : 2 - way));
    if (now - began < seconds * 1000) requestAnimationFrame(frame);
    else done(frames.slice(1));
  };
  requestAnimationFrame(frame);
})"""
_FIRST_CONTENT = """() => new Promise(done => {
  const look = () => {
    const [entry] = performance.getEntriesByName('first-contentful-paint');
    entry ? done(entry.startTime) : setTimeout(look, 5);
  };
  look();
})"""


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; none where there is no Chromium."""
    if CHROMIUM is None:
        print("there is no Chromium to look at the page with; on Debian: apt-get install chromium", file=sys.stderr)
        return []
    with chromium() as browser:
        return [
            *_first_content(browser, rounds=5 if quick else 30),
            *_under_load(browser, requests=5_000 if quick else _REQUESTS, rounds=2 if quick else 8),
            *_among_many(browser, scale=20 if quick else 1, rounds=2 if quick else 10),
        ]


@contextmanager
def chromium() -> Generator[Any]:
    """Run the machine's own Chromium."""
    from playwright.sync_api import sync_playwright

    # Its sandbox does not work for root, which containers are.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        with playwright.chromium.launch(executable_path=CHROMIUM, args=arguments) as browser:
            yield browser


@contextmanager
def _opened(browser: Any, emulator: EmulatorThread) -> Generator[Any]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.goto(address_of(emulator))
    page.get_by_role("heading", name="Requests").wait_for()
    yield page
    context.close()


# ── first content ───────────────────────────────────────────────────────────────────────────────────────


def _first_content(browser: Any, *, rounds: int) -> list[Figure]:
    with paged_emulator() as emulator, _static_page() as static, _opened(browser, emulator) as page:
        ours, theirs = list[float](), list[float]()
        for number in range(rounds + 1):
            pair = [(emulator.url, ours), (static, theirs)]
            for url, times in pair if number % 2 else reversed(pair):
                page.goto("about:blank")
                page.goto(url)
                times.append(page.evaluate(_FIRST_CONTENT))
        name = "page: first content, beside a static page of the same bytes"
        return [compared(name, ours[1:], theirs[1:], unit="ms", target=2)]


@contextmanager
def _static_page() -> Generator[str]:
    """Serve a page without a script, as large as the page of the emulator is in all."""
    folder = resources.files("clarifai_emulator.control.page").joinpath("built")
    size = sum(len(folder.joinpath(name).read_bytes()) for name in ("index.html", "app.js", "app.css"))
    text = b"<!doctype html><title>static</title><h1>Static</h1><p>"
    text += b"word " * ((size - len(text)) // 5)

    class StaticPage(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), StaticPage)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# ── under load ──────────────────────────────────────────────────────────────────────────────────────────


def _under_load(browser: Any, *, requests: int, rounds: int) -> list[Figure]:
    """Scroll with and without traffic, in turns; then look what is kept after a quarter of all requests and all."""
    with paged_emulator() as emulator, ThreadPoolExecutor(1) as pool, _opened(browser, emulator) as page:
        recorded = RecordedRequests(emulator)
        recorded.feed(_RATE, seconds=2)
        page.wait_for_timeout(1_000)
        busy, calm = list[float](), list[float]()
        seconds, fed = 4.0, 2 * _RATE
        for _ in range(rounds):
            feeding = pool.submit(recorded.feed, _RATE, seconds=seconds + 0.5)
            page.wait_for_timeout(250)
            busy += page.evaluate(_SCROLL, seconds)
            fed += feeding.result()
            page.wait_for_timeout(1_000)
            calm += page.evaluate(_SCROLL, seconds)
        fed += _feed_up_to(recorded, fed, requests // 4)
        first = _heap(page)
        fed += _feed_up_to(recorded, fed, requests)
        last = _heap(page)
    name = f"page: frames while scrolling, {_RATE} requests/s, p95, beside none"
    kept = f"page: heap after {fed} requests, beside a quarter of them"
    return [
        compared(name, busy, calm, unit="ms", target=2, quantile=0.95),
        compared(kept, [last], [first], unit="MiB", target=1.15),
    ]


def _feed_up_to(recorded: RecordedRequests, fed: int, requests: int) -> int:
    return recorded.feed(_RATE, seconds=max(0, requests - fed) / _RATE)


def _heap(page: Any) -> float:
    """Return the MiB that the page keeps, once what came has been shown."""
    page.wait_for_timeout(2_000)
    session = page.context.new_cdp_session(page)
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 2**20


# ── among many ──────────────────────────────────────────────────────────────────────────────────────────


def _among_many(browser: Any, *, scale: int, rounds: int) -> list[Figure]:
    many = {name: number // scale for name, number in _MANY.items()}
    with paged_emulator() as small, paged_emulator() as large:
        populate(small, **_FEW)
        populate(large, **many)
        with _opened(browser, small) as of_few, _opened(browser, large) as of_many:
            held = [_longest_turn(large, of_many) for _ in range(rounds)]
            figures = [alone("page: its state of many, longest turn in the event loop", held, unit="ms", target=20)]
            for panel, (name, content) in _CONTENTS.items():
                ours, theirs = list[float](), list[float]()
                for number in range(rounds + 1):
                    pair = [(of_many, large, ours), (of_few, small, theirs)]
                    for page, emulator, times in pair if number % 2 else reversed(pair):
                        times.append(_until_shown(page, f"{emulator.url}/#/{panel}", content))
                what = f"page: {name} of many, beside ten of each"
                figures.append(compared(what, ours[1:], theirs[1:], unit="ms", target=4))
    return figures


def _until_shown(page: Any, url: str, content: Callable[[Any], Any]) -> float:
    """Return the milliseconds from the navigation to the content."""
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    content(page).first.wait_for()
    return (time.perf_counter() - began) * 1000


def _longest_turn(emulator: EmulatorThread, page: Any) -> float:
    """Return the milliseconds of processor time between two turns of another task while the browser gets the state:
    by the clock, they would be those of whatever else runs on this machine, too."""
    turns, is_over = list[float](), threading.Event()

    async def watch(_: Emulator) -> None:
        last = time.thread_time()
        while not is_over.is_set():
            await asyncio.sleep(0)
            now = time.thread_time()
            turns.append(now - last)
            last = now

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(emulator.wait, watch)
        page.evaluate("fetch('/_page/state').then(answer => answer.text())")
        is_over.set()
        watching.result()
    return max(turns) * 1000
