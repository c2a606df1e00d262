"""Decides where a request goes: the platform's routing rules as one pure function, ``choose``.

    Ask ──► choose ──► Decision | RoutingError
               │
               ├ rules.py                  which rule applies
               ├ candidate_deployments.py  which deployments can serve, and which is first
               ├ nodepool_ranking.py       which of its nodepools, in what order
               ├ search.py                 looks up what the request names, or refuses it
               └ decision.py               the words: Ask, Landscape, Decision, RoutingError

The first rule that applies decides (seed, "Here's how prediction requests are routed"):

1. ``explicit_deployment``  the request names a deployment
2. ``explicit_nodepool``    it names a nodepool, and maybe a runner in it; without a deployment there, a runner that
                            its user registered has the request
3. ``owner_default``        the model's owner has a deployment for that version (else the caller has one)
4. ``shared``               the model belongs to Clarifai: its cheapest shared nodepool that can run it

Everything that was considered and not taken is in ``rejected``, with the reason. Called by the dispatcher for every
request, and by the CLI's ``route``.
"""

from __future__ import annotations

from clarifai_emulator.routing.decision import (
    Ask,
    Candidate,
    Decision,
    Landscape,
    Load,
    RoutingError,
    RoutingRule,
)
from clarifai_emulator.routing.nodepool_ranking import SCHEDULING
from clarifai_emulator.routing.rules import choose

__all__ = [
    "SCHEDULING",
    "Ask",
    "Candidate",
    "Decision",
    "Landscape",
    "Load",
    "RoutingError",
    "RoutingRule",
    "choose",
]
