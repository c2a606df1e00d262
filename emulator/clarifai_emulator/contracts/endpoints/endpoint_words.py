"""Tells of which files, by their words alone, that nothing in them can ask the platform's endpoints for anything.

Most clients use the SDK and nothing else: they need not be searched for requests in all the other ways there are.
"""

from __future__ import annotations

import re

from clarifai_emulator.contracts.calls.client_kinds import ClientKind
from clarifai_emulator.contracts.calls.client_project import ClientProject, File
from clarifai_emulator.contracts.endpoints.openai_frameworks import FRAMEWORKS
from clarifai_emulator.contracts.endpoints.openai_surface import CALLS
from clarifai_emulator.contracts.endpoints.unclaimed_python import LOOKED_AT_ELSEWHERE

# OpenAI's client may have come from anywhere: what is called on it are attributes, `.chat.completions.create`.
_ATTRIBUTES = sorted({path[-2] for path in CALLS})
_WORDS = sorted(
    {
        *(first for first, _ in FRAMEWORKS),
        *("openai", "litellm", "langchain", "llama_index", "mcp", "call_tool"),
        *("requests", "httpx", "aiohttp", "urllib", "niquests", "curl_cffi", "v2"),
        *("ModelOutputs", "WorkflowResults", "Workflow", "ClarifaiApp"),
    }
)
_ASKING = re.compile(rf"\.[\s\\]*(?:{'|'.join(_ATTRIBUTES)})\b|{'|'.join(map(re.escape, _WORDS))}".encode())


def may_ask(file: File, project: ClientProject) -> bool:
    """Tell whether the words of a Python file, or its imports of other packages, leave it open that it asks an
    endpoint. A file that imports it may then ask, too. Markdown may: it has other languages in it."""
    if file.kind is ClientKind.MARKDOWN or _ASKING.search(file.content) is not None:
        return True
    outside = {name.partition(".")[0] for name in file.imports if name and not name.startswith(".")}
    return any(
        root not in LOOKED_AT_ELSEWHERE and project.locate(root, file.path) is None for root in sorted(outside)
    )
