"""Tells a browser what a request was asked and answered, and sends it again.

call?id=ID          the messages of a call, as far as they are kept
value?id=ID&…       one value of it as a file (value_files.py)
find?words=WORDS    the calls in which each of these words was said (call_search.py)
snippets?id=ID      the call as programs and commands that make it (call_snippets.py)
call_body?id=ID     the JSON that one of them sends
again {id}          sends it again; answers with the new request's id
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from clarifai_emulator.api.kept_calls import MOST_CALLS, KeptCall
from clarifai_emulator.control.page.call_literals import CannotWrite
from clarifai_emulator.control.page.call_repeats import CallRepeats
from clarifai_emulator.control.page.call_search import MOST_WORDS, calls_that_say
from clarifai_emulator.control.page.call_snippets import CallSnippets
from clarifai_emulator.control.page.call_views import INPUT, OUTPUT, KeptCallView
from clarifai_emulator.control.page.known_secrets import known_secrets
from clarifai_emulator.control.page.page_topics import (
    Asked,
    File,
    PageContext,
    PageFile,
    PageTopic,
    Read,
    SavedShown,
    bad_request,
    not_there,
)
from clarifai_emulator.control.page.value_files import value_file

NOT_KEPT = (
    f"What this request was asked and answered is not kept: that of the last {MOST_CALLS} calls of models is, "
    "as far as there is room."
)
NO_VALUE = "The call has no such value, or it is no longer kept."


class PageCalls(PageTopic):
    """Tells of the calls whose messages are kept."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self._repeats = CallRepeats(self.emulator)

    def reads(self) -> Mapping[str, Read]:
        return {"call": self._call, "find": self._find, "snippets": self._snippets}

    def acts(self) -> Mapping[str, Read]:
        return {"again": self._again}

    def files(self) -> Mapping[str, File]:
        return {"value": self._value, "call_body": self._body}

    def saved(self, shown: SavedShown) -> Iterator[tuple[str, dict[str, str]]]:
        return (("call", {"id": each}) for each in shown.requests)

    async def _call(self, asked: Asked) -> dict[str, Any]:
        kept = self.emulator.api.kept_calls.find(asked.text("id"))
        if kept is None:  # no failure: of most look-ups a page may ask in vain
            return {"id": asked.text("id"), "is_kept": False, "said": NOT_KEPT}
        return {"is_kept": True, **await asyncio.to_thread(KeptCallView.of(self.emulator, kept).as_dict)}

    async def _find(self, asked: Asked) -> dict[str, Any]:
        words = asked.text("words").lower().split()[:MOST_WORDS]
        calls, secrets = self.emulator.api.kept_calls.all(), list(known_secrets(self.emulator))
        return {"found": await asyncio.to_thread(calls_that_say, calls, words, secrets)}

    async def _again(self, asked: Asked) -> dict[str, Any]:
        return {"id": await self._repeats.again(self._kept(asked), asked.peer)}

    async def _snippets(self, asked: Asked) -> dict[str, Any]:
        view = KeptCallView.of(self.emulator, self._kept(asked))
        return {"forms": await asyncio.to_thread(_forms, view, self.emulator.url, self.emulator.config.user_id)}

    async def _body(self, asked: Asked) -> PageFile:
        view = KeptCallView.of(self.emulator, self._kept(asked))
        try:
            body = await asyncio.to_thread(CallSnippets(view, self.emulator.url, "").body)
        except CannotWrite as error:
            raise bad_request(str(error)) from None
        return PageFile(body, "application/json", "request.json")

    async def _value(self, asked: Asked) -> PageFile:
        way = asked.text("way")
        if way not in (INPUT, OUTPUT):
            raise bad_request(f"'way' is '{INPUT}' or '{OUTPUT}', not '{way[:50]}'.")
        message, item = int(asked.number("message")), int(asked.number("input"))
        view = KeptCallView.of(self.emulator, self._kept(asked))
        file = await asyncio.to_thread(_value_of, view, way, message, item, asked.text("part"))
        if file is None:
            raise not_there(NO_VALUE)
        return file

    def _kept(self, asked: Asked) -> KeptCall:
        kept = self.emulator.api.kept_calls.find(asked.text("id"))
        if kept is None:
            raise not_there(NOT_KEPT)
        return kept


def _forms(view: KeptCallView, url: str, own_user: str) -> list[dict[str, Any]]:
    try:
        return CallSnippets(view, url, own_user).all()
    except CannotWrite as error:
        return [{"name": "Python", "text": "", "why_not": str(error), "files": [], "notes": []}]


def _value_of(view: KeptCallView, way: str, message: int, item: int, part: str) -> PageFile | None:
    data = view.data_at(way, message, item)
    return value_file(data, part, view.secrets) if data is not None else None
