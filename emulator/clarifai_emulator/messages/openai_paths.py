"""Lists the paths of the OpenAI-compatible API, and words what is wrong with a request to them.

The site that serves them and the check of clients say the same of the same mistake.
"""

from __future__ import annotations

from clarifai_emulator.spelling import nearest

PREFIX = "/v2/ext/openai/v1"
CHAT, RESPONSES, EMBEDDINGS, IMAGES = "/chat/completions", "/responses", "/embeddings", "/images/generations"
COMPLETIONS, MODELS = "/completions", "/models"
# The endpoints that the SDK's OpenAIModelClass serves; those that it also serves as a stream.
ENDPOINTS = (CHAT, RESPONSES, EMBEDDINGS, IMAGES)
STREAMED = (CHAT, RESPONSES)
TRANSPORT, STREAM_TRANSPORT = "openai_transport", "openai_stream_transport"
HOW_TO_NAME = (
    "`model` must be a model's URL, as https://clarifai.com/USER/APP/models/MODEL, or USER/APP/models/MODEL, "
    "with /versions/VERSION behind it for a certain version; a hosted model's id alone will do."
)
NEEDS_METHOD = "This endpoint needs a model whose class has that method."

_NO_COMPLETIONS = (
    f"There is no {PREFIX}{COMPLETIONS}: models here have chat completions. Let the client use these: "
    "OpenAILike(…, is_chat_model=True) in llama-index, ChatOpenAI in LangChain, the prefix openai/ in LiteLLM, "
    "client.chat.completions in OpenAI's own."
)


def no_such_path(path: str) -> str:
    """Say that a path below ``PREFIX`` is not there, and which are."""
    if path == COMPLETIONS:
        return _NO_COMPLETIONS
    known = (*ENDPOINTS, MODELS)
    near = nearest(path, known)
    meant = f" Did you mean {PREFIX}{near}?" if near else ""
    return f"There is no {PREFIX}{path[:200]}.{meant} There are {', '.join(known)}."


def no_stream(endpoint: str) -> str:
    """Say that an endpoint has no streaming answer."""
    return f"{endpoint} has no streaming answer; leave out `stream`."


def wrong_base(path: str, host: str) -> str:
    """Say that a base URL ends elsewhere than at ``PREFIX``. ``host``: with the scheme, as ``http://HOST``."""
    return f"There is no {path[:200]}. OpenAI's API is at {PREFIX}: give the client base_url='{host}{PREFIX}'."
