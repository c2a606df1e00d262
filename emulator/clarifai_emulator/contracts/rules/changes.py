"""Rules about what changes between two versions of a model, and whom it breaks.

*Fetching* clients ask for the signatures when they start, as the SDK does. *Pinning* clients keep those they were
written against: a lock file, a replayed request, a client in another language. What each of them sees is proved by
running old clients against new models, in ``tests/flow/test_contract_changes.py``.
"""

from __future__ import annotations

from clarifai_emulator.contracts.rule import Rule, Severity

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_MEND = "Keep what clients rely on, or add a method with a new name beside the old one."

RULES: tuple[Rule, ...] = ()
