"""Lists what differs between versions of the Clarifai SDK in a model's environment: the one table of it.

The code looks names up and asks no version; this table says what is added to an environment before anything can be
looked up, and lets messages name versions. Each line is held by a test with the versions on both sides installed
(``tests/flow/models/test_sdk_versions.py``). Source: the releases of ``clarifai`` on the package index.
"""

import collections
import re

# ``since``: the first version that has it. ``look``: where that is seen, ``module:attribute`` of the SDK, or empty.
# ``what``: what such a version has. ``before``: what is done for those that have it not. ``pins``: requirements
# that environments of those get.
Difference = collections.namedtuple("Difference", "key since look what before pins", defaults=((),))

# The oldest that was tried and runs a model; some before it have a server, too, and name less of what it needs.
OLDEST = "10.8.9"
DIFFERENCES = (
    Difference(
        "server",
        OLDEST,
        "clarifai.runners.server",
        "a server that runs a model (`clarifai.runners.server`) with everything it needs",
        "refused",
    ),
    Difference(
        "requests",
        "11.1.0",
        "",
        "names `requests` among what it needs",
        "`requests` is added to the environment",
        ("requests",),
    ),
    Difference(
        "model-class",
        "11.1.0",
        "clarifai.runners.models.model_builder",
        "a model is a subclass of `ModelClass`; before, of `ModelRunner`, which is its own runner",
        "both forms run",
    ),
    Difference(
        "methods",
        "11.3.0",
        "clarifai.runners.models.model_class:ModelClass.method",
        "`@ModelClass.method` and method signatures; before, a model has `predict(self, request)`, `generate` and "
        "`stream` on messages",
        "both forms run; a model of the old form has no signatures, clients call it with `predict_by_bytes` …",
    ),
    Difference(
        "data-types",
        "11.3.0",
        "clarifai.runners.utils.data_types",
        "`clarifai.runners.utils.data_types`",
        "a model that imports it is refused",
    ),
    Difference(
        "api-base",
        "11.4.3",
        "clarifai.utils.constants:DEFAULT_BASE",
        "its clients look at `CLARIFAI_API_BASE`",
        "the address in it is replaced before the model's code runs",
    ),
    Difference(
        "mcp",
        "11.4.3",
        "clarifai.runners.models.mcp_class",
        "`MCPModelClass`",
        "a model that imports it is refused",
    ),
    Difference(
        "openai",
        "11.4.5",
        "clarifai.runners.models.openai_class",
        "`OpenAIModelClass`",
        "a model that imports it is refused",
    ),
    Difference(
        "method-infos",
        "11.5.5",
        "clarifai.runners.models.model_class:ModelClass._get_method_infos",
        "`_get_method_infos`; from 11.3.0 on it was `_get_method_info`",
        "either is asked",
    ),
    Difference(
        "model-server",
        "11.7.3",
        "clarifai.runners.server:ModelServer",
        "`ModelServer`, which can change the model behind its runner",
        "`serve()`, or `main()` before there was one; the model is set as the runner's attribute",
    ),
    Difference(
        "agentic",
        "12.1.3",
        "clarifai.runners.models.agentic_class",
        "`AgenticModelClass`, `StdioMCPModelClass`",
        "a model that imports it is refused",
    ),
    Difference(
        "protobuf-7",
        "12.2.0",
        "",
        "can be imported beside protobuf 7",
        "`protobuf<7` is added to the environment, and what was released after the SDK is left out",
        ("protobuf<7",),
    ),
    Difference(
        "health-port",
        "12.2.2",
        "",
        "the port of the runner's health server can be chosen; before it was 8080, on every address",
        "a process has none",
    ),
    Difference(
        "vllm",
        "12.3.4",
        "clarifai.runners.models.vllm_openai_class",
        "`VLLMOpenAIModelClass`",
        "a model that imports it is refused",
    ),
)
# The SDK leaves its runner, clarifai-protocol, to the requirements; some of those that they lead to cannot be
# imported by some Python. ``instead`` takes its place, for versions ``before`` this one (empty: any); where they
# allow one older than ``since``, as a limit when versions are chosen, else afterwards.
Replaced = collections.namedtuple("Replaced", "before since instead why")
REPLACED = (
    Replaced(
        "11.0.7",
        "",
        "clarifai-protocol==0.0.25; python_version == '3.12'",
        "0.0.14 was compiled for a symbol that Python 3.12 does not have",
    ),
    Replaced(
        "",
        "12.5.0",
        "clarifai-protocol<0.0.60; python_full_version == '3.13.0'",
        "0.0.60 and later crash while Python 3.13.0 imports them",
    ),
)


def numbers(version):
    """The first three numbers of a version, to compare."""
    found = [int(each) for each in re.findall(r"\d+", version)[:3]]
    return tuple(found + [0] * (3 - len(found)))


def has(key, version):
    """Tell whether this version of the SDK has what a line of the table names."""
    return numbers(version) >= numbers(since(key))


def since(key):
    """The first version that has it."""
    return next(each.since for each in DIFFERENCES if each.key == key)


def came_with(module):
    """The version of the SDK that brought this module of it; None for one that the table does not know."""
    return next((each.since for each in DIFFERENCES if each.look and each.look == module), None)
