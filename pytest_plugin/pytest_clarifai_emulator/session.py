"""Keeps what belongs to a run of pytest: its options, its environment, and the emulator that tests asked for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from pytest_clarifai_emulator.settings import Settings
from pytest_clarifai_emulator.test_environment import Environment

if TYPE_CHECKING:
    from pytest_clarifai_emulator.serving import Serving
    from pytest_clarifai_emulator.shared.host import Host

ENVIRONMENT = pytest.StashKey[Environment]()
SETTINGS = pytest.StashKey[Settings]()
HOST: pytest.StashKey[Host] = pytest.StashKey()  # in xdist's controller, of the emulator that workers share
SERVING = pytest.StashKey["Serving"]()
STACK = pytest.StashKey[contextlib.ExitStack]()  # resources that are open until the session ends
CREDENTIAL = "clarifai_credential"  # in what xdist's controller tells a worker


def serving_of(config: pytest.Config) -> Serving:
    """Start the emulator of this process with the first call, and return it. It stops when the session is over, not
    with the last test that uses it."""
    environment = config.stash[ENVIRONMENT]
    environment.use()
    if SERVING not in config.stash:
        environment.require_usable_sdk()
        settings = config.stash[SETTINGS]
        parent = None
        if settings.backend == "process" and not environment.shared:
            from clarifai_emulator.backends.process.parent import launch_early

            start_method = settings.up.get("start_method", "auto")
            wanted = settings.up.get("env", ())
            parent = launch_early(environment.url, start_method, environment.of_models(), wanted)
        # This import takes about as long as the start of the parent, which goes on meanwhile.
        from pytest_clarifai_emulator.serving import joined, serving

        if environment.shared:
            started = joined(environment.shared, environment.url, environment.user_id, _credential(config))
        else:
            started = serving(settings, environment.port, parent, environ=environment.of_models)
        running = config.stash[SERVING] = config.stash[STACK].enter_context(started)
        running.sdk_clock, environment.clock.platform = environment.clock, running
    return config.stash[SERVING]


def _credential(config: pytest.Config) -> str:
    """Return what opens the account of this worker on the shared emulator."""
    told: dict[str, Any] = getattr(config, "workerinput", {})
    return str(told.get(CREDENTIAL, ""))
