"""Measures what a call costs that a model makes while it answers another, beside the same call by a client, and
whether many agents at once come to an end.

    client ──► asker (times 50 calls of hello) ──► hello        client (times 50 calls of hello) ──► hello

The two take turns. Both use the SDK's ``Model``; the asker's calls name the request that they belong to.
"""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, alone, compared
from benchmarks.peers import MODELS, deploy, emulator, free_port, processor_seconds, routed_client

_CALLS = 50
_AGENTS = 50
_TOOLS = ("first", "second", "third")

_ASKER = '''
import os, time
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass

class Asker(ModelClass):
    @ModelClass.method
    def predict(self, url: str, calls: int) -> str:
        """Ask so often; tell the milliseconds of each call, and those of this process on a processor."""
        if url not in self.__dict__:
            self.__dict__[url] = Model(url=url, base_url=os.environ["CLARIFAI_API_BASE"])
        model, times = self.__dict__[url], []
        spent = time.process_time()
        for _ in range(calls):
            began = time.perf_counter()
            model.predict(prompt="x")
            times.append((time.perf_counter() - began) * 1000)
        return " ".join(map(str, [(time.process_time() - spent) * 1000 / calls, *times]))
'''
_AGENT = '''
import os
from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass

class Agent(ModelClass):
    def load_model(self):
        self.tools = {}

    @ModelClass.method
    def predict(self, urls: str) -> str:
        """Ask each tool, one after the other, with what the one before has answered."""
        said = "x"
        for url in urls.split():
            if url not in self.tools:
                self.tools[url] = Model(url=url, base_url=os.environ["CLARIFAI_API_BASE"])
            said = self.tools[url].predict(prompt=said[:20])
        return said
'''


def measure(*, quick: bool = False) -> list[Figure]:
    """Return the figures; times are milliseconds."""
    port = free_port()
    with emulator(port) as up, tempfile.TemporaryDirectory() as folder:
        figures = _inner_beside_outer(up.pid, port, Path(folder), rounds=4 if quick else 30)
        return [*figures, *_agents(port, Path(folder), runs=100 if quick else 1000)]


def _inner_beside_outer(emulator_pid: int, port: int, folder: Path, *, rounds: int) -> list[Figure]:
    url = deploy("hello", port)["model_url"]
    asker = routed_client(deploy(_written(folder, "asker", _ASKER), port)["model_url"], port)
    hello = routed_client(url, port)

    def inner() -> tuple[float, list[float]]:
        own, *times = map(float, asker.predict(url=url, calls=_CALLS).split())
        return own, times

    def outer() -> tuple[float, list[float]]:
        times: list[float] = []
        spent = time.process_time()
        for _ in range(_CALLS):
            began = time.perf_counter()
            hello.predict(prompt="x")
            times.append((time.perf_counter() - began) * 1000)
        return (time.process_time() - spent) * 1000 / _CALLS, times

    took: dict[Any, list[float]] = {inner: [], outer: []}
    by_caller: dict[Any, list[float]] = {inner: [], outer: []}
    by_emulator: dict[Any, list[float]] = {inner: [], outer: []}
    for number in range(-2, rounds):
        for ask in (inner, outer) if number % 2 else (outer, inner):
            before = processor_seconds(emulator_pid)
            own, times = ask()
            below = (processor_seconds(emulator_pid) - before) * 1000 / _CALLS
            if number >= 0:  # what comes before warms up
                took[ask] += times
                by_caller[ask].append(own)
                by_emulator[ask].append(below)
    spent = [[sum(both) for both in zip(by_caller[ask], by_emulator[ask], strict=True)] for ask in (inner, outer)]
    return [
        compared("inner call p50, beside a client's", took[inner], took[outer], unit="ms", target=1.15),
        compared("inner call, processor time of caller and emulator", *spent, unit="ms", target=1.15),
    ]


def _agents(port: int, folder: Path, *, runs: int) -> list[Figure]:
    hello = str(MODELS / "hello")
    urls = [deploy(hello, port, "--model", f"me/tools/models/{each}")["model_url"] for each in _TOOLS]
    directory = _written(folder, "agent", _AGENT)
    url = deploy(directory, port)["model_url"]
    agents = [routed_client(url, port) for _ in range(_AGENTS)]

    def run(number: int) -> float:
        began = time.perf_counter()
        try:
            agents[number % _AGENTS].predict(urls=" ".join(urls))
        except Exception:
            return -1.0
        return (time.perf_counter() - began) * 1000

    with ThreadPoolExecutor(_AGENTS) as pool:
        list(pool.map(run, range(_AGENTS)))
        times = list(pool.map(run, range(runs), timeout=600))
    failed = sum(each < 0 for each in times)
    return [
        alone(f"{_AGENTS} agents with three tools, failed of {runs}", [float(failed)], unit="runs", target=0.0),
        alone(f"{_AGENTS} agents with three tools, a run p50", times, unit="ms", target=None),
    ]


def _written(folder: Path, model_id: str, source: str) -> str:
    """Write a model directory whose model takes as many requests at once as there are agents."""
    directory = folder / model_id
    (directory / "1").mkdir(parents=True)
    (directory / "1" / "model.py").write_text(source)
    (directory / "requirements.txt").write_text("clarifai\n")
    config = (MODELS / "hello" / "config.yaml").read_text().replace("id: hello", f"id: {model_id}")
    (directory / "config.yaml").write_text(f"{config}\nnum_threads: {_AGENTS}\n")
    return str(directory)
