"""Defines the rules about the SDK's own functions: ``Model(…)``, and what older clients call on it."""

from __future__ import annotations

from clarifai_emulator.contracts.rules.rule import Breaks, Rule, Severity

_ERROR = Severity.ERROR

RULES = (
    Rule(
        "sdk-argument",
        _ERROR,
        Breaks.ALL,
        "A function of the SDK gets an argument that it does not have, or lacks one",
        "Python raises TypeError before anything is sent. Functions of the SDK have other parameters in other "
        "versions: `predict_by_url` took a deployment_id from 10.8.9 to 11.2.3.",
        "Give what the message names.",
    ),
    Rule(
        "sdk-value",
        _ERROR,
        Breaks.ALL,
        "A function of the SDK gets a value that it refuses",
        "The SDK raises UserError before anything is sent.",
        "Give one that the message names.",
    ),
    Rule(
        "ignored-argument",
        _ERROR,
        Breaks.ALL,
        "The SDK takes an argument and does nothing with it",
        "The call goes elsewhere than meant, or is made with other parameters, silently: next to a url, `Model` "
        "drops all arguments that it does not have, and always a nodepool without its cluster.",
        "Write the name that the message suggests, give what belongs to it, or leave it out.",
    ),
    Rule(
        "input-kind",
        _ERROR,
        Breaks.ALL,
        "An input of an older client has a kind that the model's method does not take",
        "The runner answers `Field … is required but not set`, or the method is called without the input.",
        "Call the method with its own arguments.",
    ),
    Rule(
        "method-not-called",
        _ERROR,
        Breaks.ALL,
        "A method is used as if it was what it gives",
        "It shows as `<bound method …>`, is true always, and raises TypeError where a list or a text is needed.",
        "Call it: write the brackets.",
    ),
)
