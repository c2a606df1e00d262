"""A decision that had no choice to make is remembered until a resource changes."""

from __future__ import annotations

from typing import Any

import pytest

from clarifai_emulator.nodepools import router
from clarifai_emulator.nodepools.router import Router
from clarifai_emulator.routing import Ask, Decision, RoutingRule
from clarifai_emulator.store import Store

ASK = Ask(caller="me", model_user="me", model_app="app", model_id="hello")


class Landscape:
    """Counts how often it was asked how busy something is, as the real one does."""

    def __init__(self) -> None:
        self.times_load_was_asked = 0


UNUSED: Any = None


class Scene:
    """A router whose ``choose`` looks at ``places`` places, and counts how often it is asked."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.store, self.landscape = Store(), Landscape()
        self.places, self.asked = 1, 0
        patch.setattr(router, "choose", self._choose)
        landscape: Any = self.landscape
        self.router = Router(self.store, landscape, UNUSED, UNUSED, UNUSED)

    def _choose(self, ask: Ask, landscape: Any) -> Decision:
        self.asked += 1
        landscape.times_load_was_asked += self.places
        return Decision(
            RoutingRule.OWNER_DEFAULT, ("me", "d"), (("me", "c", "n"),), ask.model, f"v{self.asked}", "", "why", ()
        )


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(monkeypatch)


def test_with_one_place_to_go_the_rules_are_asked_once_for_all_requests_alike(scene: Scene) -> None:
    first = scene.router.decide(Ask(**{**_fields(ASK), "seed": "request-1"}))
    second = scene.router.decide(Ask(**{**_fields(ASK), "seed": "request-2"}))
    assert (second, scene.asked) == (first, 1)


def test_another_request_is_decided_for_itself(scene: Scene) -> None:
    scene.router.decide(ASK)
    scene.router.decide(Ask(**{**_fields(ASK), "version_id": "v"}))
    assert scene.asked == 2


def test_a_change_of_any_resource_ends_what_is_remembered(scene: Scene) -> None:
    for kind in scene.store.kinds:
        scene.router.decide(ASK)
        asked = scene.asked
        scene.store.put(kind, ("me", kind), object())
        scene.router.decide(ASK)
        assert scene.asked == asked + 1, kind


def test_with_several_places_every_request_is_decided_anew(scene: Scene) -> None:
    scene.places = 2
    assert scene.router.decide(ASK).version_id == "v1"
    assert scene.router.decide(ASK).version_id == "v2"


def _fields(ask: Ask) -> dict[str, Any]:
    return {name: getattr(ask, name) for name in ("caller", "model_user", "model_app", "model_id")}
