"""Lists the libraries that are made on OpenAI's API: where each is told the model and the base URL.

The names are those of the versions that docs/clients-openai.md shows, and of the ones before that still run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clarifai_emulator.messages.openai_paths import CHAT, COMPLETIONS, EMBEDDINGS, IMAGES, RESPONSES


@dataclass(frozen=True, slots=True)
class Framework:
    """A class or function that names a model. ``positions``: names of its positional arguments; ``models``,
    ``bases``: those that may hold the model, and the base URL. ``is_litellm``: a provider may stand before the
    name. ``sends_arguments``: it is one request, with OpenAI's own parameters."""

    endpoint: str = CHAT
    positions: tuple[str, ...] = ()
    models: tuple[str, ...] = ("model",)
    bases: tuple[str, ...] = ("base_url", "api_base")
    is_litellm: bool = False
    sends_arguments: bool = False


_LANGCHAIN = ("base_url", "openai_api_base", "api_base")
_LITELLM = Framework(positions=("model", "messages"), is_litellm=True, sends_arguments=True)
_NAMED_FIRST = Framework(positions=("model",))


def _litellm(endpoint: str, second: str) -> Framework:
    return Framework(endpoint, ("model", second), is_litellm=True, sends_arguments=True)


# By the first part of the full name, and the last.
FRAMEWORKS: Mapping[tuple[str, str], Framework] = {
    ("litellm", "completion"): _LITELLM,
    ("litellm", "acompletion"): _LITELLM,
    ("litellm", "completion_with_retries"): _LITELLM,
    ("litellm", "text_completion"): Framework(positions=("prompt", "model"), is_litellm=True),
    ("litellm", "atext_completion"): Framework(positions=("prompt", "model"), is_litellm=True),
    ("litellm", "embedding"): _litellm(EMBEDDINGS, "input"),
    ("litellm", "aembedding"): _litellm(EMBEDDINGS, "input"),
    ("litellm", "responses"): Framework(RESPONSES, ("input", "model"), is_litellm=True, sends_arguments=True),
    ("litellm", "aresponses"): Framework(RESPONSES, ("input", "model"), is_litellm=True, sends_arguments=True),
    ("litellm", "image_generation"): Framework(IMAGES, ("prompt", "model"), is_litellm=True, sends_arguments=True),
    ("litellm", "aimage_generation"): Framework(IMAGES, ("prompt", "model"), is_litellm=True, sends_arguments=True),
    ("langchain_openai", "ChatOpenAI"): Framework(models=("model", "model_name"), bases=_LANGCHAIN),
    ("langchain_openai", "OpenAI"): Framework(COMPLETIONS, models=("model", "model_name"), bases=_LANGCHAIN),
    ("langchain_openai", "OpenAIEmbeddings"): Framework(EMBEDDINGS, bases=_LANGCHAIN),
    ("langchain_litellm", "ChatLiteLLM"): Framework(models=("model", "model_name"), is_litellm=True),
    ("langchain_community", "ChatLiteLLM"): Framework(models=("model", "model_name"), is_litellm=True),
    ("langchain_community", "ChatOpenAI"): Framework(models=("model", "model_name"), bases=_LANGCHAIN),
    ("langchain_community", "OpenAI"): Framework(COMPLETIONS, models=("model", "model_name"), bases=_LANGCHAIN),
    ("langchain", "ChatOpenAI"): Framework(models=("model", "model_name"), bases=_LANGCHAIN),
    ("langchain", "OpenAI"): Framework(COMPLETIONS, models=("model", "model_name"), bases=_LANGCHAIN),
    ("langchain", "init_chat_model"): _NAMED_FIRST,
    ("llama_index", "OpenAILike"): _NAMED_FIRST,
    ("llama_index", "OpenAILikeEmbedding"): Framework(EMBEDDINGS, ("model_name",), ("model_name",)),
    ("llama_index", "OpenAI"): _NAMED_FIRST,
    ("llama_index", "LiteLLM"): Framework(positions=("model",), is_litellm=True),
    ("crewai", "LLM"): Framework(positions=("model",), is_litellm=True),
    ("agno", "OpenAILike"): Framework(positions=("id",), models=("id",)),
    ("agno", "OpenAIChat"): Framework(positions=("id",), models=("id",)),
    ("agno", "OpenAIResponses"): Framework(RESPONSES, ("id",), ("id",)),
    ("agno", "LiteLLM"): Framework(positions=("id",), models=("id",), is_litellm=True),
    ("phi", "OpenAILike"): Framework(positions=("id",), models=("id",)),
    ("phi", "OpenAIChat"): Framework(positions=("id",), models=("id",)),
    ("pydantic_ai", "OpenAIChatModel"): Framework(positions=("model_name",), models=("model_name",)),
    ("pydantic_ai", "OpenAIModel"): Framework(positions=("model_name",), models=("model_name",)),
    ("pydantic_ai", "OpenAIResponsesModel"): Framework(RESPONSES, ("model_name",), ("model_name",)),
    ("agents", "OpenAIChatCompletionsModel"): Framework(positions=("model", "openai_client")),
    ("agents", "OpenAIResponsesModel"): Framework(RESPONSES, ("model", "openai_client")),
    ("agents", "LitellmModel"): Framework(positions=("model", "base_url"), is_litellm=True),
    ("google", "LiteLlm"): Framework(positions=("model",), is_litellm=True),
    ("smolagents", "OpenAIServerModel"): Framework(positions=("model_id", "api_base"), models=("model_id",)),
    ("smolagents", "OpenAIModel"): Framework(positions=("model_id", "api_base"), models=("model_id",)),
    ("smolagents", "LiteLLMModel"): Framework(
        positions=("model_id", "api_base"), models=("model_id",), is_litellm=True
    ),
    ("dspy", "LM"): Framework(positions=("model",), is_litellm=True),
    ("autogen_ext", "OpenAIChatCompletionClient"): Framework(),
    ("strands", "OpenAIModel"): Framework(models=("model_id",)),
    ("strands", "LiteLLMModel"): Framework(models=("model_id",), is_litellm=True),
    ("haystack", "OpenAIGenerator"): Framework(bases=("api_base_url",)),
    ("haystack", "OpenAIChatGenerator"): Framework(bases=("api_base_url",)),
    ("semantic_kernel", "OpenAIChatCompletion"): Framework(models=("ai_model_id",)),
    ("camel", "create"): Framework(models=("model_type",), bases=("url",)),
}
# Objects that hold the base URL for one of those.
PROVIDERS = frozenset(
    {
        "pydantic_ai.providers.openai.OpenAIProvider",
        "pydantic_ai.providers.litellm.LiteLLMProvider",
        "agents.OpenAIProvider",
    }
)


def framework_of(name: str) -> Framework | None:
    """Return the library's class or function of this full name."""
    first, _, rest = name.partition(".")
    return FRAMEWORKS.get((first, rest.rpartition(".")[2])) if rest else None
