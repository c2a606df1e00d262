"""Says of calls that the SDK refused what `clarifai-emulator check` would: rule, signature, nearest name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from clarifai_emulator.api.access.auth import Caller
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.contracts.rules.name_findings import unknown_method
from clarifai_emulator.contracts.rules.rule import Severity
from clarifai_emulator.contracts.signatures.shapes import method_shape
from clarifai_emulator.contracts.values.python_values import check_arguments
from clarifai_emulator.messages.data_values import shown_call
from clarifai_emulator.spelling import nearest
from pytest_clarifai_emulator.contract_findings import CallFinding, place_of
from pytest_clarifai_emulator.sdk_calls import RefusedCall
from pytest_clarifai_emulator.serving import Serving


def explained(calls: Sequence[RefusedCall], serving: Serving, user_id: str, failure: str) -> list[CallFinding]:
    """Describe what is wrong with these calls, each thing once. ``failure``: what the failing test says; a method
    that was only looked for counts if the failure names it."""
    told: dict[CallFinding, None] = {}
    for call in calls:
        if call.probed and f"'{call.method}'" not in failure:
            continue
        key = (Caller(user_id).resolve(call.model[0]), *call.model[1:])
        for finding in _findings(call):
            if finding.severity is Severity.ERROR:
                told[_told(call, finding, key, serving)] = None
    return list(told)


def _findings(call: RefusedCall) -> Iterator[Finding]:
    signature = call.signatures.get(call.method)
    if signature is None:
        yield unknown_method(call.method, call.signatures)
        return
    rule, message = call.problem
    if rule:
        yield found(rule, message, method=call.method)
    for arguments in call.arguments:
        yield from check_arguments(signature, arguments)


def _told(call: RefusedCall, finding: Finding, key: tuple[str, ...], serving: Serving) -> CallFinding:
    written = call.method if call.method in call.signatures else nearest(call.method, call.signatures)
    signature = call.signatures.get(written)
    return CallFinding(
        rule=finding.rule,
        severity=finding.severity,
        message=finding.message,
        hint=finding.hint,
        model="/".join(key),
        method=call.method,
        call=shown_call(call.method, call.arguments[0]) if call.arguments else "",
        signature=str(method_shape(signature)) if signature is not None else "",
        place=serving.thread.run(partial(place_of, key, written)) if written else "",
        caller=str(call.place),
    )
