"""Tells of what models promise: their methods, which of them are called, what was found, and the lock file.

contracts?find=TEXT    every model with how many methods it has, and how many of them nobody has called
contract?model=NAME    one of them, its findings, and its directory held against its lock file
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from clarifai_emulator.control.page.finding_groups import KIND, counts_by_name, grouped_findings, names_of
from clarifai_emulator.control.page.lock_comparison import DeployedContract, compare_with_lock
from clarifai_emulator.control.page.model_contracts import ModelContracts
from clarifai_emulator.control.page.page_masks import PageMasks
from clarifai_emulator.control.page.page_topics import Asked, PageTopic, Read, SavedShown, bad_request, not_there
from clarifai_emulator.messages.address import ModelAddress, ModelKey
from clarifai_emulator.models.version_source import ModelSource
from clarifai_emulator.store import Kind

_MOST_MODELS = 200
_MOST_SAVED = 50


class PageContracts(PageTopic):
    """Tells of the contracts of all models."""

    def reads(self) -> Mapping[str, Read]:
        return {"contracts": self._list, "contract": self._one}

    def saved(self, shown: SavedShown) -> Iterable[tuple[str, dict[str, str]]]:
        if not shown.is_whole:
            return
        yield "contracts", {}
        for model in islice(self._models(""), _MOST_SAVED):
            yield "contract", {"model": "/".join(model)}

    async def _list(self, asked: Asked) -> dict[str, Any]:
        models = self._models(asked.text("find").strip().lower())
        found = counts_by_name(self.emulator.events.recent(KIND))
        contracts = ModelContracts(self.emulator)
        told = [
            {**contracts.summary(each), "findings": sum(found[name] for name in names_of(each))}
            for each in models[:_MOST_MODELS]
        ]
        return {"models": told, "left_out": len(models) - len(told)}

    async def _one(self, asked: Asked) -> dict[str, Any]:
        name = asked.text("model")
        parts = name.split("/")
        if len(parts) != 3:
            raise bad_request(f"'{name[:100]}' is no model's name: USER/APP/MODEL, as the list of models has it.")
        key: ModelKey = (parts[0], parts[1], parts[2])
        if self.emulator.store.get(Kind.MODEL, key) is None:
            raise not_there(f"There is no model '{name[:200]}' any longer, or it was never there.")
        contracts = ModelContracts(self.emulator)
        told = contracts.detail(key)
        told["findings"] = grouped_findings(key, self.emulator.events.recent(KIND))
        source, version = contracts.source(key), contracts.version(key)
        told["code"] = None
        if version is not None and isinstance(source, ModelSource) and self._is_of_people(source):
            deployed = DeployedContract(ModelAddress(*key).name, source.path, list(version.method_signatures))
            told["code"] = await asyncio.to_thread(compare_with_lock, deployed)
        return PageMasks(self.emulator).masked(told)

    def _models(self, words: str) -> list[ModelKey]:
        """Return the models whose names have these words in them, those of the emulator's own user first."""
        own = self.emulator.config.user_id
        keys = [(key[0], key[1], key[2]) for key in self.emulator.store.keys(Kind.MODEL)]
        found = [each for each in keys if words in "/".join(each).lower()]
        return sorted(found, key=lambda each: (each[0] != own, each))

    def _is_of_people(self, source: ModelSource) -> bool:
        """Tell whether somebody works in the directory: what was uploaded, and what was made for a stand-in, is
        kept where nobody looks."""
        return not source.path.is_relative_to(self.emulator.config.cache_dir)
