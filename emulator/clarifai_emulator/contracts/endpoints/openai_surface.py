"""Lists the calls of OpenAI's own client, the endpoints that they ask, and the parameters of those.

Read from openai 1.54 to 3.57 (their union); see https://platform.openai.com/docs/api-reference, too.
"""

from __future__ import annotations

from clarifai_emulator.messages.openai_paths import CHAT, COMPLETIONS, EMBEDDINGS, IMAGES, MODELS, RESPONSES

CLIENTS = frozenset(
    f"{module}.{name}"
    for module in ("openai", "langfuse.openai", "posthog.ai.openai")
    for name in ("OpenAI", "AsyncOpenAI", "Client", "AsyncClient")
)
# What follows the client, and the endpoint that it asks.
CALLS: dict[tuple[str, ...], str] = {
    ("chat", "completions", "create"): CHAT,
    ("chat", "completions", "parse"): CHAT,
    ("chat", "completions", "stream"): CHAT,
    ("chat", "completions", "create_with_completion"): CHAT,
    ("chat", "completions", "create_partial"): CHAT,
    ("chat", "completions", "create_iterable"): CHAT,
    ("ChatCompletion", "create"): CHAT,
    ("ChatCompletion", "acreate"): CHAT,
    ("responses", "create"): RESPONSES,
    ("responses", "parse"): RESPONSES,
    ("responses", "stream"): RESPONSES,
    ("embeddings", "create"): EMBEDDINGS,
    ("Embedding", "create"): EMBEDDINGS,
    ("images", "generate"): IMAGES,
    ("images", "edit"): "/images/edits",
    ("images", "create_variation"): "/images/variations",
    ("completions", "create"): COMPLETIONS,
    ("Completion", "create"): COMPLETIONS,
    ("moderations", "create"): "/moderations",
    ("audio", "speech", "create"): "/audio/speech",
    ("audio", "transcriptions", "create"): "/audio/transcriptions",
    ("audio", "translations", "create"): "/audio/translations",
    ("models", "list"): MODELS,
    ("models", "retrieve"): MODELS,
    ("files", "create"): "/files",
    ("batches", "create"): "/batches",
    ("fine_tuning", "jobs", "create"): "/fine_tuning/jobs",
    ("assistants", "create"): "/assistants",
    ("threads", "create"): "/threads",
    ("vector_stores", "create"): "/vector_stores",
}
# Between the client and those.
BETWEEN = frozenset({"with_raw_response", "with_streaming_response", "beta"})
# What the client keeps for itself.
CLIENT_ONLY = frozenset(
    [
        "extra_headers",
        "extra_query",
        "extra_body",
        "timeout",
        "response_model",
        "max_retries",
        "context",
        "validation_context",
        "strict",
        "hooks",
        "name",
        "metadata",
        "langfuse_prompt",
        "session_id",
        "user_id",
        "tags",
        "trace_id",
        "parent_observation_id",
    ]
)
_CHAT = (
    "messages model audio frequency_penalty function_call functions logit_bias logprobs max_completion_tokens "
    "max_tokens metadata modalities moderation n parallel_tool_calls prediction presence_penalty prompt_cache_key "
    "prompt_cache_options prompt_cache_retention reasoning_effort response_format safety_identifier seed "
    "service_tier stop store stream stream_options temperature tool_choice tools top_logprobs top_p user verbosity "
    "web_search_options"
)
_RESPONSES = (
    "access_programs background background_options context_management conversation image include input "
    "instructions max_output_tokens max_tool_calls metadata model moderation parallel_tool_calls "
    "previous_response_id prompt prompt_cache_key prompt_cache_options prompt_cache_retention reasoning "
    "safety_identifier service_tier store stream stream_options temperature text text_format tool_choice tools "
    "top_logprobs top_p truncation user"
)
_IMAGES = (
    "prompt background complexity frame_count frame_duration_ms model moderation n output_compression "
    "output_format partial_images quality response_format safety_identifier size stream style svg user"
)
PARAMETERS: dict[str, frozenset[str]] = {
    CHAT: frozenset(_CHAT.split()),
    RESPONSES: frozenset(_RESPONSES.split()),
    EMBEDDINGS: frozenset(["input", "model", "dimensions", "encoding_format", "user"]),
    IMAGES: frozenset(_IMAGES.split()),
}
REQUIRED: dict[str, str] = {CHAT: "messages", EMBEDDINGS: "input", IMAGES: "prompt"}
_ARRAYS = frozenset({"messages", "tools", "functions", "include", "modalities"})
_BOOLS = frozenset({"stream", "logprobs", "store", "parallel_tool_calls", "background"})
_NUMBERS = [
    "temperature",
    "top_p",
    "frequency_penalty",
    "presence_penalty",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "seed",
    "top_logprobs",
    "dimensions",
]
_TEXTS = frozenset({"model", "user"})


def expected_kind(name: str, value: object) -> str:
    """Return what a parameter must be where ``value`` can't be taken for it; an empty text where it may. A number
    in a text is left to the model."""
    if value is None:
        return ""
    if name in _ARRAYS:
        return "" if isinstance(value, list | tuple) else "a list"
    if name in _BOOLS:
        return "" if isinstance(value, bool) else "a bool"
    if name in _TEXTS:
        return "" if isinstance(value, str) else "a str"
    if name in _NUMBERS:
        return "" if _is_number(value) else "a number"
    return ""


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, int | float) and not isinstance(value, bool)
