"""Lets a browser call methods of models: as any user, through the request chain, with the answers as they come.

methods?model=…&version=…     the methods of a model, as a form needs them (method_forms.py), and its versions
try                           a call: {try, request_id}, then {answer} for each, then {done} or {error}
try-more {try, value | end}   one more item of a stream that a call has open, or its end
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import aclosing
from typing import Any

from clarifai_emulator.api.call import ApiCall, only
from clarifai_emulator.background_work import beside
from clarifai_emulator.control.page.method_forms import STREAM, UNARY, chat_method, method_forms
from clarifai_emulator.control.page.open_tries import OpenTries, OpenTry
from clarifai_emulator.control.page.page_topics import Asked, PageContext, PageTopic, Read, Stream
from clarifai_emulator.control.page.told_answers import ToldAnswers
from clarifai_emulator.control.page.try_requests import Attempt, attempt_of, named_version

# Answers that wait for a browser to take them.
_AHEAD = 8
# The steps that give a call its id are taken at once, unless it is played from a cassette.
_TURNS = 20
_OVER = object()


class PageTries(PageTopic):
    """Tells of the methods that models have, and calls them."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self._open = OpenTries()

    def reads(self) -> Mapping[str, Read]:
        return {"methods": self._methods}

    def acts(self) -> Mapping[str, Read]:
        return {"try-more": self._more}

    def streams(self) -> Mapping[str, Stream]:
        return {"try": self._try}

    async def _methods(self, asked: Asked) -> dict[str, Any]:
        named = named_version(self.emulator.store, asked)
        return {
            "model": "/".join(named.address.key),
            "version": named.version.id if named.version is not None else "",
            "versions": named.newest_versions(self.emulator.store),
            "methods": method_forms(named.signatures),
            "chat": chat_method(named.signatures),
        }

    async def _more(self, asked: Asked) -> dict[str, Any]:
        opened = self._open.find(asked.text("try"))
        if asked.given.get("end"):
            opened.end()
        else:
            opened.feed(asked.given.get("value"))
        return {}

    async def _try(self, asked: Asked) -> AsyncGenerator[dict[str, Any]]:
        attempt = attempt_of(self.emulator.store, asked)
        user = asked.text("user") or self.emulator.config.user_id
        call = self.emulator.api.own_calls.begin(attempt.rpc, user, asked.peer)
        with self._open.begin(attempt.item) as opened:
            answers = self._answers(attempt, call, opened)
            async with aclosing(self._lines(attempt, call, opened.id, answers)) as lines:
                async for line in lines:
                    yield line

    def _answers(self, attempt: Attempt, call: ApiCall, opened: OpenTry) -> AsyncGenerator[Any]:
        """Give the answers to a call. Raises ``EmulatorError`` for arguments that cannot be sent."""
        own = self.emulator.api.own_calls
        if attempt.kind == STREAM:
            attempt.require_sendable()
            return own.stream(call, opened.items())
        request = attempt.request()
        return _only_answer(own.unary(call, request)) if attempt.kind == UNARY else own.stream(call, only(request))

    async def _lines(
        self, attempt: Attempt, call: ApiCall, try_id: str, answers: AsyncGenerator[Any]
    ) -> AsyncGenerator[dict[str, Any]]:
        waiting: asyncio.Queue[Any] = asyncio.Queue(_AHEAD)
        work = beside(_pass_on(answers, waiting))
        told = ToldAnswers(self.emulator, attempt, call)
        try:
            for _ in range(_TURNS):
                if not call.request_id:
                    await asyncio.sleep(0)
            yield {"try": try_id, "request_id": call.request_id}
            while (answer := await waiting.get()) is not _OVER:
                line = told.line(answer)
                yield line
                if "error" in line:
                    return
            yield told.end()
        finally:
            work.cancel()
            await asyncio.wait([work])


async def _only_answer(answer: Awaitable[Any]) -> AsyncGenerator[Any]:
    yield await answer


async def _pass_on(answers: AsyncGenerator[Any], waiting: asyncio.Queue[Any]) -> None:
    """Put what a call gives into a queue: all of it comes in one task, which ends it where it is cancelled."""
    try:
        async with aclosing(answers):
            async for answer in answers:
                await waiting.put(answer)
    except Exception as error:
        await waiting.put(error)
    else:
        await waiting.put(_OVER)
