"""Says whether a model's files look as if its code used a GPU, or only named an instance type that has one.

`clarifai model init` writes ``compute: {instance: g5.xlarge}`` for every model, also for one that adds two numbers.
Reads, runs nothing. In doubt the answer is that it does.
"""

from __future__ import annotations

import re
from pathlib import Path

from clarifai_emulator.models.config_content import ConfigFile
from clarifai_emulator.models.requirements import required_names

# Packages that compute on a GPU, or serve models from one, by their normalised names.
_PACKAGES = {
    "accelerate", "auto-gptq", "autoawq", "bitsandbytes", "ctranslate2", "cupy", "deepspeed", "diffusers",
    "faster-whisper", "flash-attn", "jax", "jaxlib", "keras", "lightning", "llama-cpp-python", "lmdeploy",
    "mxnet", "onnxruntime-gpu", "openai-whisper", "optimum", "peft", "pytorch-lightning",
    "sentence-transformers", "sglang", "tensorflow", "tensorrt", "timm", "torch", "torchaudio", "torchvision",
    "transformers", "triton", "ultralytics", "unsloth", "vllm", "xformers",
}  # fmt: skip
_FAMILIES = ("cupy-", "nvidia-", "paddlepaddle-", "tensorflow-", "tensorrt-")
_IN_CODE = re.compile(
    r"cuda|nvidia|\b(?:cupy|diffusers|jax|lmdeploy|sglang|tensorflow|tensorrt|torch|transformers|vllm)\b",
    re.IGNORECASE,
)
_LARGEST = 1024 * 1024


def only_names_a_gpu(directory: Path, config: ConfigFile, model_file: Path, requirements: Path) -> bool:
    """Tell whether an instance type is all that asks for a GPU: nothing in requirements.txt, in the code, in the
    Dockerfile and in the rest of config.yaml does."""
    if not config.instance or not config.compute_info.num_accelerators:
        return False
    compute = config.values.get("compute") or {}
    if "instance" not in compute or compute.get("num_gpus") or config.values.get("checkpoints"):
        return False
    if _IN_CODE.search(str(config.values.get("build_info") or "")):
        return False
    if any(map(_computes_on_a_gpu, required_names(requirements))):
        return False
    files = (directory / "Dockerfile", *model_file.parent.rglob("*.py"))
    return not any(map(_mentions_a_gpu, files))


def _computes_on_a_gpu(package: str) -> bool:
    return package in _PACKAGES or package.startswith(_FAMILIES)


def _mentions_a_gpu(file: Path) -> bool:
    try:
        if not file.is_file():  # a pipe would never end
            return False
        if file.stat().st_size > _LARGEST:
            return True
        return _IN_CODE.search(file.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        return True
