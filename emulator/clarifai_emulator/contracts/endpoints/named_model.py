"""Finds which of the given models a request names, and words why it is not known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from clarifai_emulator.contracts.endpoints.known_endpoints import EndpointModel, EndpointModels, shown_address
from clarifai_emulator.contracts.endpoints.platform_urls import model_address
from clarifai_emulator.contracts.endpoints.written_value import UNSEEN, WrittenValue
from clarifai_emulator.contracts.rules import found
from clarifai_emulator.contracts.rules.finding import Finding
from clarifai_emulator.spelling import did_you_mean, nearest


@dataclass(frozen=True, slots=True)
class NamedModel:
    """The name of a model in a request. ``texts``: what it may be; ``expected``: how models are named there."""

    shown: str
    value: WrittenValue
    texts: tuple[str, ...]
    expected: str


def named_models(named: NamedModel, models: EndpointModels) -> Iterator[Finding | EndpointModel]:
    """Yield every model that is named, and a finding for every name that leads to none."""
    where = named.value.location
    texts = [each for each in named.texts if each.strip(UNSEEN)]
    if not texts and named.value.is_known:
        got = type(named.value.value).__name__
        yield found("wrong-url", f"{named.shown}: {named.expected} Got {got}.", where)
    elif not texts:
        if models.any is not None:
            yield models.any
        else:
            reason = named.value.reason or "it is only known when the program runs"
            yield found("unknown-model", f"{named.shown}: which model it is, cannot be seen: {reason}.", where)
    for text in texts:
        yield _named(named, text, models)


def _named(named: NamedModel, text: str, models: EndpointModels) -> Finding | EndpointModel:
    where = named.value.location
    address = model_address(text)
    if address is None:
        return _not_an_address(named, text, models)
    if not address.model_id:
        if models.any is not None:
            return models.any
        return found("unknown-model", _known_later(named, text), where)
    model = models.find(address)
    if model is not None:
        return model
    name = shown_address(address)
    near = did_you_mean(name, models.names, lead=" ")
    message = f"{named.shown}: no --model was given for {name}, so it is not checked.{near}"
    meant = nearest(name, models.names)
    hint = f"Write {meant}, or add --model DIR={name}." if meant else f"Add --model DIR={name}."
    return found("model-not-given", message, where, hint=hint)


def _not_an_address(named: NamedModel, text: str, models: EndpointModels) -> Finding | EndpointModel:
    where = named.value.location
    if UNSEEN in text:
        if models.any is not None:
            return models.any
        return found("unknown-model", _known_later(named, text), where)
    own = [name for name in models.names if name.rpartition("/")[2] == text]
    if "/" not in text and not own:
        message = f"{named.shown}: no --model was given for '{text}', which may be a model that Clarifai hosts."
        return found("model-not-given", message, where, hint="Add --model DIR=USER/APP/models/ID.")
    meant = own[0] if own else nearest(text, models.names)
    near = f" Did you mean '{meant}'?" if meant else ""
    message = f"{named.shown}: {named.expected} Got '{text}'.{near}"
    hint = f"Write '{meant}'." if meant else None
    return found("wrong-url", message, where, hint=hint, edit=named.value.written_as(meant))


def _known_later(named: NamedModel, text: str) -> str:
    return f"{named.shown}: which model '{text.replace(UNSEEN, '…')}' is, is only known when it runs."
