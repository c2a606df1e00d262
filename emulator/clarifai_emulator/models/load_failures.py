"""Explains why a model fails to load, if its traceback tells, and what to do about it.

Known causes: a server that does not answer, weights that need a network or a token, a GPU, a variable that is not
set.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_LOCAL_URL = re.compile(r"https?://(?:localhost|127\.0\.0\.1|\[::1\]|0\.0\.0\.0)(?::\d+)?[^\s\"'`)\]}]*")
_WEIGHTS = (
    "Its weights are not on this machine and could not be fetched from Hugging Face: check the network or the "
    "proxy (HTTPS_PROXY), or fetch them where there is one, with `hf download`; HF_HOME says where they lie."
)
_VARIABLE = (
    "It wants the variable {what}: set it where the emulator starts, or name it as a secret in config.yaml "
    "(`secrets`) and make that secret."
)
# The last line of a traceback, or a line of it → what to say. The first that matches wins.
_CAUSES: tuple[tuple[str, str], ...] = (
    (
        r"GatedRepoError|Access to model .* is restricted|401 Client Error.*huggingface",
        "Its weights are behind a licence on Hugging Face: accept it there, and set HF_TOKEN for the emulator.",
    ),
    (
        r"huggingface\.co|LocalEntryNotFoundError|OfflineModeIsEnabled|couldn't connect to .*hugging",
        _WEIGHTS,
    ),
    (
        r"No CUDA GPUs are available|Found no NVIDIA driver|Torch not compiled with CUDA|libcuda\.so"
        r"|CUDA driver version is insufficient|no NVIDIA GPU",
        "It needs a real GPU with its driver, which this machine does not have (simulated ones are names only): "
        "run it on one that has, or let its code fall back to the CPU.",
    ),
    (
        r"FileNotFoundError: \[Errno 2\] No such file or directory: '(?P<what>[\w.+-]+)'",
        "It starts or reads '{what}', which is not here. A program must be on the PATH; or take the model to a "
        "container whose Dockerfile installs it (`clarifai-emulator up --backend docker`).",
    ),
    (r"^KeyError: '(?P<what>[A-Z][A-Z0-9_]{2,})'", _VARIABLE),
    (r"(?P<what>[A-Z][A-Z0-9_]*(?:_KEY|TOKEN|SECRET|_PAT))\b.*(?:not set|must be set|required|missing)", _VARIABLE),
    (r"(?:must be|not|missing).*(?P<what>\b[A-Z][A-Z0-9_]*(?:_KEY|TOKEN|SECRET|_PAT))\b", _VARIABLE),
)
_REFUSED = re.compile(
    r"Connection ?[Rr]efused|APIConnectionError|ConnectError|ConnectionError|NewConnectionError|URLError"
    r"|Name or service not known|Temporary failure in name resolution"
)


def way_out(traceback: str, code: str = "") -> str:
    """Say in a sentence or two how to mend it; empty where the traceback does not tell. ``code``: the model's
    source, where the address of a server may stand."""
    lines = traceback.splitlines()
    for pattern, text in _CAUSES:
        match = next((found for line in reversed(lines) if (found := re.search(pattern, line.strip()))), None)
        if match is not None:
            return text.format(**match.groupdict())
    if any(_REFUSED.search(line) for line in lines[-12:]):
        if any("huggingface_hub" in line or "download_checkpoints" in line for line in lines):
            return _WEIGHTS
        return _no_server(_local_urls(traceback, code))
    return ""


def _local_urls(*texts: str) -> Sequence[str]:
    return list(dict.fromkeys(match[0].rstrip(".,;") for text in texts for match in _LOCAL_URL.finditer(text)))


def _no_server(urls: Sequence[str]) -> str:
    if urls:
        return (
            f"It asks a server at {' or '.join(urls[:3])}, and nothing answers there: start that server, then "
            "deploy again. (In a container that address is the container's own.)"
        )
    return "It asks a server that does not answer: start it, or check the network, then deploy again."
