"""Model directories of a group: ``router`` asks ``ranker``, as models on the platform do."""

from __future__ import annotations

_CONFIG = """
model:
  id: {id}
  user_id: me
  app_id: main
  model_type_id: text-to-text
inference_compute_info:
  cpu_limit: "500m"
  cpu_memory: "256Mi"
  num_accelerators: 0
"""

_RANKER = """
from typing import Iterator, List

from clarifai.runners.models.model_class import ModelClass


class Ranker(ModelClass):
    @ModelClass.method
    def predict(self, query: str, n: int = 2) -> List[str]:
        return [f"{query}{number}" for number in range(n)]

    @ModelClass.method
    def generate(self, query: str) -> Iterator[str]:
        yield from (f"{query} first", f"{query} second")

    @ModelClass.method
    def stream(self, queries: Iterator[str]) -> Iterator[str]:
        for query in queries:
            yield f"real {query}"

    @ModelClass.method
    def unused(self, query: str) -> str:
        return query
"""

_ROUTER = """
from typing import Iterator

from clarifai.client import Model
from clarifai.runners.models.model_class import ModelClass


class Router(ModelClass):
    def load_model(self):
        self.ranker = None

    def ask(self):
        if self.ranker is None:
            self.ranker = Model(url="https://clarifai.com/me/main/models/ranker")
        return self.ranker

    @ModelClass.method
    def predict(self, query: str) -> str:
        return " ".join(self.ask().predict(query=query))

    @ModelClass.method
    def generate(self, query: str) -> Iterator[str]:
        yield from self.ask().generate(query=query)
"""


def _model(name: str, code: str, folder: str = "") -> dict[str, str]:
    folder = folder or name
    return {
        f"{folder}/config.yaml": _CONFIG.format(id=name),
        f"{folder}/requirements.txt": "clarifai\n",
        f"{folder}/1/model.py": code,
    }


GROUP = {**_model("ranker", _RANKER), **_model("router", _ROUTER)}
FAKE = _model(
    "ranker", _RANKER.replace('[f"{query}{number}" for number in range(n)]', '["fake", query]'), "fakes/ranker"
)
