"""Serves methods of a model with functions of this process, such as those of a test, in a lane of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from clarifai_emulator.backends.inprocess_items import LeanThreads
from clarifai_emulator.background_work import begin_thread
from clarifai_emulator.clock import Clock
from clarifai_emulator.dispatch.dispatcher import Credential, Dispatcher
from clarifai_emulator.dispatch.lane import Lane, LaneKey, RunnerLink
from clarifai_emulator.dispatch.lean import LeanReplica
from clarifai_emulator.dispatch.substitutes import FUNCTIONS, Substitute
from clarifai_emulator.inside import functions_main, lean_main
from clarifai_emulator.messages.address import ModelKey

# So many calls are answered at once. Functions mostly wait, if they do anything that takes time.
_THREADS = 64
_QUEUE = 10_000


class FunctionReplica:
    """The functions of a test as a replica. Made and ended in the emulator's event loop."""

    def __init__(
        self, model: ModelKey, functions: Mapping[str, Callable[..., Any]], dispatcher: Dispatcher, clock: Clock
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._dispatcher = dispatcher
        self._functions = dict(functions)
        nodepool = (model[0], *FUNCTIONS)
        lane = Lane(
            LaneKey(model[0], f"functions of a test for {model[2]}", "", "/".join(model)),
            queue_size=_QUEUE,
            clock=clock,
            on_demand=lambda lane: None,
        )
        self.substitute = Substitute(model, frozenset(functions), lane, nodepool)
        self._link = RunnerLink((*nodepool, model[2]), lane)
        lane.runners[self._link.key] = self._link
        self._credential: Credential = dispatcher.issue_credential(self._link.key)
        self._threads = LeanThreads(lambda: None)
        self._lean = LeanReplica(dispatcher, self._link, self._credential.replica_id, self._threads)

    def serve(
        self, signatures: Mapping[str, Any], defaults: Mapping[str, Mapping[str, Any]], runner_url: str
    ) -> None:
        """Begin to answer. ``signatures``: what clients know of each method; ``defaults``: what its arguments are
        that they leave out. Raises what the SDK raises."""
        user, cluster, nodepool, runner_id = self._link.key
        runner = functions_main.make_runner(
            runner_id,
            self._functions,
            signatures,
            defaults,
            _THREADS,
            user_id=user,
            compute_cluster_id=cluster,
            nodepool_id=nodepool,
            runner_id=runner_id,
            base_url=runner_url,
            pat=self._credential.token,
        )
        work = partial(self._threads.serve, lean_main.ItemRunner(runner, _THREADS))
        begin_thread(work, f"functions for {runner_id}", self._end, loop=self._loop)

    def end(self) -> None:
        """Answer nothing any more; what it works on ends with an error."""
        self._end("the test took its functions back")

    def _end(self, reason: str) -> None:
        self._dispatcher.lose(self._link, self._credential.replica_id, reason)
        self._lean.lost()
        self._dispatcher.revoke(self._credential)
