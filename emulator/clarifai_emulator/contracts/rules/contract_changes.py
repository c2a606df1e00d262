"""Defines the rules about what changes between two versions of a model, and whom it breaks."""

from __future__ import annotations

from clarifai_emulator.contracts.rules.rule import Breaks, Rule, Severity

_ERROR, _WARNING, _NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE
_ALL, _FETCHING, _PINNING, _NOBODY = Breaks.ALL, Breaks.FETCHING, Breaks.PINNING, Breaks.NOBODY
_KEEP = "Keep what clients rely on, or add a method with a new name beside the old one."


def _rule(id_: str, severity: Severity, breaks: Breaks, title: str, explanation: str, fix: str = _KEEP) -> Rule:
    return Rule(id_, severity, breaks, title, explanation, fix)


METHODS = (
    _rule(
        "model-removed",
        _ERROR,
        _ALL,
        "A model is gone",
        "Every call of it fails.",
    ),
    _rule("model-added", _NOTE, _NOBODY, "A model is new", "No client knows it yet."),
    _rule(
        "method-removed",
        _ERROR,
        _ALL,
        "A method is gone",
        "Fetching: AttributeError. Pinning: a failure from the runner, `Method … not found in model class`.",
    ),
    _rule(
        "method-added",
        _NOTE,
        _NOBODY,
        "A method is new",
        "No client calls it yet.",
        "",
    ),
    _rule(
        "method-starts-streaming",
        _ERROR,
        _ALL,
        "A method that gave one result gives a stream",
        "Fetching: the call gives a generator, and nothing runs until it is read. Pinning: a failure from the "
        "runner.",
    ),
    _rule(
        "method-stops-streaming",
        _ERROR,
        _ALL,
        "A method that gave a stream gives one result",
        "A loop over a str gets its letters, silently, from both kinds of clients.",
    ),
    _rule(
        "stream-input-changed",
        _ERROR,
        _ALL,
        "A method reads a stream where it took one value, or the other way, or streams another parameter",
        "Clients send in one way what is read in another: the call fails.",
    ),
)

PARAMETERS = (
    _rule(
        "required-parameter-added",
        _ERROR,
        _ALL,
        "A parameter without a default is new",
        "Fetching: `Missing required argument`. Pinning: a failure from the runner, `Missing required field`.",
        "Give it a default.",
    ),
    _rule(
        "optional-parameter-added",
        _NOTE,
        _NOBODY,
        "A parameter with a default is new",
        "Clients that do not give it get the default.",
        "",
    ),
    _rule(
        "parameter-removed",
        _ERROR,
        _ALL,
        "A parameter is gone",
        "Fetching: TypeError or `Got unexpected key`. Pinning: the argument is dropped, silently.",
        "Keep it with a default, and ignore it.",
    ),
    _rule(
        "parameter-renamed",
        _ERROR,
        _ALL,
        "A parameter seems to have another name",
        "Fetching: `Got unexpected key`. Pinning: a required one fails, one with a default is dropped, silently.",
        "Keep the old name.",
    ),
    _rule(
        "parameter-now-required",
        _ERROR,
        _ALL,
        "A parameter has lost its default",
        "Fetching: `Missing required argument`. Pinning: a failure from the runner; where it is the first "
        "parameter, "
        "a TypeError of Python from inside it.",
        "Keep the default.",
    ),
    _rule(
        "parameter-now-optional",
        _NOTE,
        _NOBODY,
        "A parameter has got a default",
        "Clients that give it see no difference.",
        "",
    ),
    _rule(
        "integer-to-float",
        _ERROR,
        _PINNING,
        "An int parameter is a float",
        "Fetching: the number arrives as a float. Pinning: the model gets 0.0, silently.",
    ),
    _rule(
        "type-reinterpreted",
        _ERROR,
        _PINNING,
        "A parameter has a type that takes the old values for something else",
        "bytes → str, int → bool, bool → float, str → Text, str → List[str]. Fetching: accepted, and what the "
        "model "
        "gets may mean something else: a str becomes a list of letters. Pinning: an empty value, silently.",
    ),
    _rule(
        "type-changed",
        _ERROR,
        _ALL,
        "A parameter has another type",
        "Fetching: TypeError, `Incompatible type`. Pinning: an empty value, silently.",
    ),
    _rule(
        "items-changed",
        _ERROR,
        _ALL,
        "A list, a tuple or a named field holds another type",
        "As for a parameter of that type; pinning clients get a list of empty values, silently.",
    ),
    _rule(
        "json-default-changed",
        _WARNING,
        _NOBODY,
        "A JSON parameter's default is a list where it was a dict, or the other way",
        "A signature has one type for both: a dict and a list both arrive as they are, and the model may expect "
        "the "
        "other one.",
    ),
    _rule(
        "json-container-changed",
        _ERROR,
        _PINNING,
        "A parameter is JSON where it was a container, or the other way",
        "list ↔ List[…], NamedFields → dict. Fetching: accepted. Pinning: None or an empty list, silently.",
    ),
    _rule(
        "array-list-changed",
        _ERROR,
        _PINNING,
        "A parameter is a list where it was an array, or the other way",
        "Fetching: accepted. Pinning: an empty list or None, silently.",
    ),
    _rule(
        "tuple-length-changed",
        _ERROR,
        _ALL,
        "A tuple has another length",
        "Fetching: ValueError in the client. Pinning: ValueError in the runner.",
    ),
    _rule(
        "field-added",
        _ERROR,
        _ALL,
        "A NamedFields parameter has a new field",
        "Fetching: `Missing field`. Pinning: `Missing part` from the runner.",
    ),
    _rule(
        "field-removed",
        _WARNING,
        _ALL,
        "A NamedFields parameter has lost a field",
        "It is dropped silently.",
    ),
    _rule(
        "concept-list-changed",
        _ERROR,
        _FETCHING,
        "A Concept, Region or Frame parameter is a list of them, or the other way",
        "Fetching: the client raises. Pinning: it arrives, for both travel alike.",
    ),
    _rule(
        "default-changed",
        _WARNING,
        _ALL,
        "A default is another",
        "Clients that do not give the argument get another behaviour, silently.",
        "Say it in the notes of the release.",
    ),
    _rule(
        "default-no-longer-none",
        _ERROR,
        _ALL,
        "A default was None and is something else",
        "Fetching: a client that gives None gets TypeError. Pinning: None is not sent, and the new default "
        "holds, silently.",
        "Keep None, and set the value inside the method.",
    ),
    _rule(
        "default-now-none",
        _WARNING,
        _ALL,
        "A default is None and was something else",
        "Clients that do not give the argument get None in the model, silently.",
        "Keep the default.",
    ),
    _rule(
        "limits-narrowed",
        _WARNING,
        _NOBODY,
        "A choice is gone, or a range is narrower",
        "Nothing enforces it: the model gets values that it no longer declares. The emulator records a finding, "
        "and "
        "refuses them with `--contract strict`.",
        "Keep what clients may give.",
    ),
    _rule(
        "parameters-reordered",
        _WARNING,
        _FETCHING,
        "The parameters have another order",
        "Fetching: arguments without a name go to other parameters. Pinning: they have their names from the old "
        "order.",
        "Keep the order, and add new parameters at the end.",
    ),
)

RESULTS = (
    _rule(
        "result-type-changed",
        _ERROR,
        _ALL,
        "A method gives another type",
        "Fetching: the client's code gets the new type. Pinning: '', 0 or None, silently.",
    ),
    _rule(
        "result-items-changed",
        _ERROR,
        _ALL,
        "A list, tuple or named field of the result holds another type",
        "Fetching: the client's code gets the new type. Pinning: empty values, silently.",
    ),
    _rule(
        "result-field-added",
        _NOTE,
        _NOBODY,
        "A NamedFields result has a new field",
        "Clients that do not know it do not see it.",
        "",
    ),
    _rule(
        "result-field-removed",
        _ERROR,
        _ALL,
        "A NamedFields result has lost a field",
        "Fetching: AttributeError where the client reads it. Pinning: `Missing part with key`.",
    ),
    _rule(
        "result-tuple-length-changed",
        _ERROR,
        _ALL,
        "A tuple result has another length",
        "Fetching: the client's code gets more or fewer values. Pinning: ValueError.",
    ),
)

RULES: tuple[Rule, ...] = (*METHODS, *PARAMETERS, *RESULTS)
