"""Lists the places inside the SDK that this project stands on, by the part of it that does."""

from __future__ import annotations

_CLIENT = "clarifai.client.model_client:ModelClient"
_METHOD_SIGNATURES = "clarifai.runners.utils.method_signatures"
_MODEL_CLASS = "clarifai.runners.models.model_class:ModelClass"
_RUNNER = "clarifai.runners.models.model_runner:ModelRunner"
_TYPES = "clarifai.runners.utils.data_types"

# Part of this project → places of the SDK as ``module:name``.
STANDS_ON: dict[str, tuple[str, ...]] = {
    "the genuine runner": (
        "clarifai.runners.server:main",
        "clarifai.runners.server:ModelServer.__init__",
        "clarifai.runners.server:ModelServer.serve",
        "clarifai.runners.server:ModelBuilder",
        "clarifai.runners.server:ModelRunner",
        f"{_RUNNER}.__init__",
        "clarifai.utils.constants:DEFAULT_BASE",
        "clarifai.utils.misc",
        "clarifai.client.auth.helper",
    ),
    "the lean runner": (
        f"{_RUNNER}.runner_item_predict",
        f"{_RUNNER}.runner_item_generate",
        f"{_RUNNER}.runner_item_stream",
        f"{_RUNNER}._truncate_runner_item_output",
        f"{_RUNNER}.get_runner_item_output_for_status",
        "clarifai.runners.models.model_runner:ensure_urls_downloaded",
        "clarifai.runners.models.model_runner:inject_secrets",
        "clarifai.runners.models.model_runner:req_secrets_context",
        "clarifai.utils.logging:set_logger_context",
        "clarifai.utils.logging:clear_logger_context",
        "clarifai_protocol.base_runner:_item_id_context",
        "clarifai_protocol.base_runner:_trigger_abort",
    ),
    "reading signatures": (
        "clarifai.runners.models.model_builder:ModelBuilder.load_model_class",
        "clarifai.runners.models.model_builder:ModelBuilder.create_model_instance",
        "clarifai.runners.models.model_builder:is_related",
        f"{_MODEL_CLASS}.method",
        f"{_MODEL_CLASS}._get_method_infos",
        f"{_METHOD_SIGNATURES}:build_variable_signature",
        f"{_METHOD_SIGNATURES}:_normalize_data_type",
    ),
    "the classes that models inherit from": (
        "clarifai.runners.models.agentic_class:AgenticModelClass",
        "clarifai.runners.models.mcp_class:MCPModelClass",
        "clarifai.runners.models.openai_class:OpenAIModelClass",
        "clarifai.runners.models.vllm_openai_class:VLLMOpenAIModelClass",
    ),
    "the pytest plugin": (
        *(f"{_CLIENT}.{way}{name}" for way in ("_", "_async_") for name in ("predict", "generate", "stream")),
        f"{_CLIENT}._define_functions",
        f"{_CLIENT}.__getattr__",
        f"{_CLIENT}.fetch",
    ),
    "values of calls": tuple(
        f"{_TYPES}:{name}"
        for name in ("Audio", "Concept", "Frame", "Image", "NamedFields", "Region", "Text", "Video")
    ),
    "the demo": ("clarifai.client.user:User.__init__", "clarifai.client.model:Model.__init__"),
    "in process": ("clarifai.utils.logging:logger",),
}


def every_place() -> list[str]:
    """Return all of them, once each."""
    return sorted({place for places in STANDS_ON.values() for place in places})


def parts_on(place: str) -> str:
    """Name the parts of this project that stand on a place."""
    return ", ".join(part for part, places in STANDS_ON.items() if place in places)
