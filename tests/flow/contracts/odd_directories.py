"""Makes model directories that are odd in one way each: what an uploader and a checker have to agree about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_CONFIG = """\
model:
  id: odd
  user_id: me
  app_id: main
  model_type_id: any-to-any
build_info:
  python_version: "3.12"
inference_compute_info:
  cpu_limit: "1"
  cpu_memory: 1Gi
"""
_MODEL = """\
from typing import List

from clarifai.runners.models.model_class import ModelClass


class Odd(ModelClass):
    @ModelClass.method
    def predict(self, prompt: str = "") -> str:
        return prompt
"""
_BASE = {"config.yaml": _CONFIG, "requirements.txt": "clarifai==12.5.0\n", "1/model.py": _MODEL}
_CLASSIFIER = _CONFIG.replace("any-to-any", "visual-classifier")


@dataclass(frozen=True, slots=True)
class OddDirectory:
    """A directory to be written: ``files`` by their paths (None: a folder), ``links`` with what they point at."""

    name: str
    files: dict[str, bytes | None] = field(default_factory=dict[str, "bytes | None"])
    links: dict[str, str] = field(default_factory=dict[str, str])

    def write(self, into: Path) -> Path:
        """Write it below a folder, under its own name."""
        root = into / self.name
        root.mkdir(parents=True)
        for path, content in self.files.items():
            file = root / path
            if content is None:
                file.mkdir(parents=True, exist_ok=True)
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(content)
        for path, target in self.links.items():
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).symlink_to(target)
        return root


def _made(name: str, changes: dict[str, str | bytes | None], without: tuple[str, ...] = ()) -> OddDirectory:
    whole: dict[str, str | bytes | None] = {**_BASE, **changes}
    files = {
        path: text.encode() if isinstance(text, str) else text
        for path, text in whole.items()
        if path not in without
    }
    return OddDirectory(name, files)


def _config(old: str, new: str) -> str:
    assert old in _CONFIG
    return _CONFIG.replace(old, new)


def _section(name: str, text: str, base: str = _CONFIG) -> str:
    """Put a section in the place of the one that is there, or at the end."""
    lines = base.splitlines(keepends=True)
    kept: list[str] = []
    is_inside = False
    for line in lines:
        if not line.startswith(" "):
            is_inside = line.startswith(f"{name}:")
        if not is_inside:
            kept.append(line)
    return "".join(kept) + f"{name}:{text}\n"


_CONFIGS: dict[str, str | bytes] = {
    "empty": "",
    "comment-only": "# nothing\n",
    "list": "- model\n",
    "text": "model\n",
    "number": "12\n",
    "tabs": "model:\n\tid: odd\n",
    "two-documents": _CONFIG + "---\nmodel:\n  id: other\n",
    "duplicate-key": _CONFIG + "model:\n  id: second\n  user_id: me\n",
    "anchor": _CONFIG.replace("id: odd", "id: &it odd") + "extra: *it\n",
    "unknown-anchor": _CONFIG + "extra: *it\n",
    "python-tag": _CONFIG + "extra: !!python/object/apply:os.getcwd []\n",
    "merge-key": "base: &b\n  user_id: me\n  app_id: main\nmodel:\n  <<: *b\n  id: odd\ncompute: {instance: cpu}\n",
    "crlf": _CONFIG.replace("\n", "\r\n"),
    "bom": b"\xef\xbb\xbf" + _CONFIG.encode(),
    "utf-16": _CONFIG.encode("utf-16"),
    "latin-1": (_CONFIG + "note: caf\xe9\n").encode("latin-1"),
    "nul": _CONFIG + "note: a\0b\n",
    "unknown-section": _CONFIG + "surprise: {a: 1}\n",
    "no-model": _section("build_info", " {python_version: '3.12'}", "").lstrip(),
    "model-null": _section("model", ""),
    "model-list": _section("model", "\n  - id: odd"),
    "model-text": _section("model", " odd"),
    "model-number": _section("model", " 3"),
    "id-missing": _config("  id: odd\n", ""),
    "id-empty": _config("id: odd", "id: ''"),
    "id-null": _config("id: odd", "id:"),
    "id-blank": _config("id: odd", "id: '  '"),
    "id-number": _config("id: odd", "id: 12"),
    "id-float": _config("id: odd", "id: 1.5"),
    "id-true": _config("id: odd", "id: true"),
    "id-date": _config("id: odd", "id: 2024-01-01"),
    "id-list": _config("id: odd", "id: [odd]"),
    "id-dot": _config("id: odd", "id: odd.1"),
    "id-space": _config("id: odd", "id: odd model"),
    "id-slash": _config("id: odd", "id: odd/model"),
    "id-umlaut": _config("id: odd", "id: m\xf6del"),
    "id-long": _config("id: odd", f"id: {'o' * 200}"),
    "user-missing": _config("  user_id: me\n", ""),
    "user-empty": _config("user_id: me", "user_id: ''"),
    "user-null": _config("user_id: me", "user_id:"),
    "user-number": _config("user_id: me", "user_id: 12"),
    "app-missing": _config("  app_id: main\n", ""),
    "app-empty": _config("app_id: main", "app_id: ''"),
    "app-null": _config("app_id: main", "app_id:"),
    "app-list": _config("app_id: main", "app_id: [main]"),
    "type-missing": _config("  model_type_id: any-to-any\n", ""),
    "type-empty": _config("model_type_id: any-to-any", "model_type_id: ''"),
    "type-null": _config("model_type_id: any-to-any", "model_type_id:"),
    "type-number": _config("model_type_id: any-to-any", "model_type_id: 1"),
    "type-unknown": _config("any-to-any", "any-to-nothing"),
    "model-unknown-field": _config("  id: odd\n", "  id: odd\n  flavour: sweet\n"),
    "model-description": _config("  id: odd\n", "  id: odd\n  description: said\n"),
    "model-description-number": _config("  id: odd\n", "  id: odd\n  description: 3\n"),
    "model-camel-case": _config("  id: odd\n", "  id: odd\n  displayName: said\n"),
    "model-visibility-text": _config("  id: odd\n", "  id: odd\n  visibility: PUBLIC\n"),
    "model-visibility": _config("  id: odd\n", "  id: odd\n  visibility: {gettable: PUBLIC}\n"),
    "model-null-field": _config("  id: odd\n", "  id: odd\n  notes:\n"),
    "python-3-13": _config('"3.12"', '"3.13"'),
    "python-3-10": _config('"3.12"', '"3.10"'),
    "python-3-11": _config('"3.12"', '"3.11"'),
    "python-patch": _config('"3.12"', '"3.12.4"'),
    "python-float": _config('"3.12"', "3.12"),
    "python-text": _config('"3.12"', "newest"),
    "python-empty": _config('"3.12"', "''"),
    "python-null": _config('"3.12"', ""),
    "python-blank": _config('"3.12"', "' 3.12 '"),
    "python-list": _config('"3.12"', "['3.12']"),
    "build-missing": _CONFIG.replace('build_info:\n  python_version: "3.12"\n', ""),
    "build-null": _section("build_info", ""),
    "build-empty": _section("build_info", " {}"),
    "build-list": _section("build_info", " ['3.12']"),
    "build-text": _section("build_info", " '3.12'"),
    "build-image": _section("build_info", "\n  image: python:3.12"),
    "build-image-number": _section("build_info", "\n  image: 12"),
    "build-image-list": _section("build_info", "\n  image: [a]"),
    "build-image-and-python": _section("build_info", "\n  image: python:3.12\n  python_version: '3.9'"),
    "build-node": _section("build_info", "\n  node_version: '20.1.0'"),
    "build-node-number": _section("build_info", "\n  node_version: 20"),
    "build-platform": _section("build_info", "\n  platform: linux/amd64"),
    "build-platform-number": _section("build_info", "\n  platform: 3"),
    "build-platform-list": _section("build_info", "\n  platform: [linux/amd64]"),
    "build-unknown": _section("build_info", "\n  flavour: sweet"),
    "dereference-true": _section("build_info", "\n  dereference_symlinks: true"),
    "dereference-text": _section("build_info", "\n  dereference_symlinks: 'yes'"),
    "dereference-null": _section("build_info", "\n  dereference_symlinks:"),
    "dereference-number": _section("build_info", "\n  dereference_symlinks: 1"),
    "threads": _CONFIG + "num_threads: 4\n",
    "threads-zero": _CONFIG + "num_threads: 0\n",
    "threads-negative": _CONFIG + "num_threads: -1\n",
    "threads-text": _CONFIG + "num_threads: '4'\n",
    "threads-float": _CONFIG + "num_threads: 4.0\n",
    "threads-true": _CONFIG + "num_threads: true\n",
    "threads-false": _CONFIG + "num_threads: false\n",
    "threads-null": _CONFIG + "num_threads:\n",
    "threads-empty": _CONFIG + "num_threads: ''\n",
    "threads-list": _CONFIG + "num_threads: []\n",
    "threads-huge": _CONFIG + "num_threads: 99999999999\n",
    "compute-missing": _CONFIG.partition("inference_compute_info")[0],
    "compute-null": _section("inference_compute_info", ""),
    "compute-empty": _section("inference_compute_info", " {}"),
    "compute-list": _section("inference_compute_info", " [cpu_limit]"),
    "compute-text": _section("inference_compute_info", " cpu"),
    "compute-unknown": _section("inference_compute_info", "\n  cpus: 4"),
    "compute-cpu-int": _section("inference_compute_info", "\n  cpu_limit: 2\n  cpu_memory: 1Gi"),
    "compute-cpu-float": _section("inference_compute_info", "\n  cpu_limit: 1.5\n  cpu_memory: 1Gi"),
    "compute-cpu-true": _section("inference_compute_info", "\n  cpu_limit: true\n  cpu_memory: 1Gi"),
    "compute-cpu-word": _section("inference_compute_info", "\n  cpu_limit: many\n  cpu_memory: 1Gi"),
    "compute-memory-int": _section("inference_compute_info", "\n  cpu_limit: '2'\n  cpu_memory: 16"),
    "compute-memory-mb": _section("inference_compute_info", "\n  cpu_limit: '2'\n  cpu_memory: 16GB"),
    "compute-memory-missing": _section("inference_compute_info", "\n  cpu_limit: '2'"),
    "compute-memory-null": _section("inference_compute_info", "\n  cpu_limit: '2'\n  cpu_memory:"),
    "compute-requests-int": _section("inference_compute_info", "\n  cpu_limit: '2'\n  cpu_requests: 1"),
    "compute-accelerators": _section(
        "inference_compute_info", "\n  num_accelerators: 1\n  accelerator_type: [NVIDIA-A10G]"
    ),
    "compute-accelerator-text": _section(
        "inference_compute_info", "\n  num_accelerators: 1\n  accelerator_type: NVIDIA-A10G"
    ),
    "compute-accelerator-null": _section("inference_compute_info", "\n  num_accelerators: 1\n  accelerator_type:"),
    "compute-accelerators-text": _section("inference_compute_info", "\n  num_accelerators: '1'"),
    "compute-accelerators-word": _section("inference_compute_info", "\n  num_accelerators: one"),
    "compute-accelerators-negative": _section("inference_compute_info", "\n  num_accelerators: -1"),
    "compute-accelerators-float": _section("inference_compute_info", "\n  num_accelerators: 1.5"),
    "compute-accelerators-whole": _section("inference_compute_info", "\n  num_accelerators: 1.0"),
    "compute-accelerators-none": _section(
        "inference_compute_info", "\n  num_accelerators: 0\n  accelerator_type: [NVIDIA-A10G]"
    ),
    "compute-mixed": _section(
        "inference_compute_info", "\n  num_accelerators: 1\n  accelerator_type: [NVIDIA-A10G, AMD-MI300X]"
    ),
    "compute-amd": _section("inference_compute_info", "\n  num_accelerators: 1\n  accelerator_type: [AMD-MI300X]"),
    "compute-accelerator-numbers": _section(
        "inference_compute_info", "\n  num_accelerators: 1\n  accelerator_type: [1]"
    ),
    "compute-accelerator-memory": _section(
        "inference_compute_info", "\n  num_accelerators: 1\n  accelerator_memory: 16"
    ),
    "instance-cpu": _section("compute", " {instance: cpu}", _CONFIG.partition("inference_compute_info")[0]),
    "instance-known": _section("compute", " {instance: g5.xlarge}", _CONFIG.partition("inference_compute_info")[0]),
    "instance-unknown": _section("compute", " {instance: z9.huge}", _CONFIG.partition("inference_compute_info")[0]),
    "instance-number": _section("compute", " {instance: 5}", _CONFIG.partition("inference_compute_info")[0]),
    "instance-null": _section("compute", " {instance: }", _CONFIG.partition("inference_compute_info")[0]),
    "instance-list": _section("compute", " [cpu]", _CONFIG.partition("inference_compute_info")[0]),
    "instance-text": _section("compute", " cpu", _CONFIG.partition("inference_compute_info")[0]),
    "instance-gpu-key": _section("compute", " {gpu: A10G}", _CONFIG.partition("inference_compute_info")[0]),
    "instance-and-info": _CONFIG + "compute: {instance: z9.huge}\n",
    "instance-list-beside-info": _CONFIG + "compute: [cpu]\n",
    "instance-text-beside-info": _CONFIG + "compute: cpu\n",
    "concepts-wrong-type": _CONFIG + "concepts:\n  - {id: '0', name: cat}\n",
    "concepts": _CLASSIFIER + "concepts:\n  - {id: '0', name: cat}\n",
    "concepts-missing": _CLASSIFIER,
    "concepts-empty": _CLASSIFIER + "concepts: []\n",
    "concepts-null": _CLASSIFIER + "concepts:\n",
    "concepts-id-number": _CLASSIFIER + "concepts:\n  - {id: 0, name: cat}\n",
    "concepts-name-number": _CLASSIFIER + "concepts:\n  - {id: '0', name: 3}\n",
    "concepts-name-true": _CLASSIFIER + "concepts:\n  - {id: '0', name: yes}\n",
    "concepts-without-name": _CLASSIFIER + "concepts:\n  - {id: '0'}\n",
    "concepts-without-id": _CLASSIFIER + "concepts:\n  - {name: cat}\n",
    "concepts-unknown-field": _CLASSIFIER + "concepts:\n  - {id: '0', name: cat, colour: red}\n",
    "concepts-text": _CLASSIFIER + "concepts: [cat, dog]\n",
    "concepts-mapping": _CLASSIFIER + "concepts: {'0': cat}\n",
    "concepts-word": _CLASSIFIER + "concepts: cat\n",
    "secrets": _CONFIG + "secrets:\n  - {id: token, type: env, env_var: TOKEN, value: it}\n",
    "secrets-mapping": _CONFIG + "secrets: {id: token}\n",
    "secrets-null": _CONFIG + "secrets:\n",
    "secrets-empty": _CONFIG + "secrets: []\n",
    "secrets-text": _CONFIG + "secrets: [token]\n",
    "secrets-no-id": _CONFIG + "secrets:\n  - {env_var: TOKEN}\n",
    "secrets-no-variable": _CONFIG + "secrets:\n  - {id: token}\n",
    "secrets-type": _CONFIG + "secrets:\n  - {id: token, type: file, env_var: TOKEN}\n",
    "secrets-type-null": _CONFIG + "secrets:\n  - {id: token, type: , env_var: TOKEN, value: it}\n",
    "checkpoints-null": _CONFIG + "checkpoints:\n",
    "checkpoints-empty": _CONFIG + "checkpoints: {}\n",
    "checkpoints-list": _CONFIG + "checkpoints: [a]\n",
    "checkpoints-text": _CONFIG + "checkpoints: owner/name\n",
    "checkpoints-no-type": _CONFIG + "checkpoints: {when: runtime}\n",
    "checkpoints-type-null": _CONFIG + "checkpoints: {type: , when: runtime}\n",
    "checkpoints-type": _CONFIG + "checkpoints: {type: s3, repo_id: a/b}\n",
    "checkpoints-no-repo": _CONFIG + "checkpoints: {type: huggingface}\n",
    "checkpoints-when": _CONFIG + "checkpoints: {type: huggingface, repo_id: a/b, when: later}\n",
    "checkpoints-when-null": _CONFIG + "checkpoints: {type: huggingface, repo_id: a/b, when: }\n",
    "streaming-video": _CONFIG + "streaming_video_consumer: true\n",
}
_REQUIREMENTS: dict[str, str | bytes] = {
    "empty": "",
    "comment-only": "# clarifai\n",
    "unpinned": "clarifai\n",
    "lower-bound": "clarifai>=12.0\n",
    "compatible": "clarifai~=12.5\n",
    "not-equal": "clarifai!=12.4.0\n",
    "two-limits": "clarifai>=12,<13\n",
    "spaces": "clarifai == 12.5.0\n",
    "capital": "Clarifai==12.5.0\n",
    "extras": "clarifai[all]==12.5.0\n",
    "marker": "clarifai==12.5.0; python_version >= '3.8'\n",
    "hash": "clarifai==12.5.0 --hash=sha256:" + "0" * 64 + "\n",
    "comment-behind": "clarifai==12.5.0  # the SDK\n",
    "comment-close": "clarifai==12.5.0# the SDK\n",
    "git": "clarifai @ git+https://github.com/Clarifai/clarifai-python@12.5.0\n",
    "git-bare": "git+https://github.com/Clarifai/clarifai-python\n",
    "wheel": "./clarifai-12.5.0-py3-none-any.whl\n",
    "other-name": "clarifai-grpc==12.0.0\n",
    "wildcard": "clarifai==12.*\n",
    "arbitrary": "clarifai===12.5.0\n",
    "twice": "clarifai==12.5.0\nclarifai==12.5.0\n",
    "double-equals": "clarifai==12.5.0\nnumpy==1.26.0==2\n",
    "comparison-chain": "clarifai==12.5.0\nnumpy>=1>=2\n",
    "greater-chain": "clarifai==12.5.0\nnumpy>1,>0\n",
    "range": "clarifai==12.5.0\nnumpy>=1.26,<3\n",
    "two-greater-equal": "clarifai==12.5.0\nnumpy>=1.26,>=1.0\n",
    "nonsense": "clarifai==12.5.0\nthis is no requirement\n",
    "include": "clarifai==12.5.0\n-r extra.txt\n",
    "constraint": "clarifai==12.5.0\n-c limits.txt\n",
    "editable": "clarifai==12.5.0\n-e ./pkg\n",
    "folder": "clarifai==12.5.0\n./pkg\n",
    "index": "--extra-index-url https://example.com/simple\nclarifai==12.5.0\n",
    "continuation": "clarifai==\\\n12.5.0\n",
    "crlf": "clarifai==12.5.0\r\nnumpy\r\n",
    "bom": b"\xef\xbb\xbfclarifai==12.5.0\n",
    "utf-16": "clarifai==12.5.0\n".encode("utf-16"),
    "latin-1": "# caf\xe9\nclarifai==12.5.0\n".encode("latin-1"),
    "nul": "clarifai==12.5.0\n\0\n",
    "indented": "   clarifai==12.5.0\n",
    "no-newline": "clarifai==12.5.0",
    "vllm-amd": "clarifai==12.5.0\nvllm\n",
    "torch": "clarifai==12.5.0\ntorch==2.7.0\n",
    "environment-variable": "clarifai==12.5.0\n${EXTRA}\n",
}
_CODE: dict[str, str | bytes] = {
    "empty": "",
    "comment-only": "# nothing\n",
    "syntax": "class Odd(:\n",
    "python-2": "print 'hello'\n",
    "tabs-and-spaces": "def f():\n\tx = 1\n        y = 2\n",
    "bom": b"\xef\xbb\xbf" + _MODEL.encode(),
    "crlf": _MODEL.replace("\n", "\r\n"),
    "nul": _MODEL + "\0",
    "latin-1": (_MODEL + "# caf\xe9\n").encode("latin-1"),
    "latin-1-declared": ("# -*- coding: latin-1 -*-\n" + _MODEL + "# caf\xe9\n").encode("latin-1"),
    "no-class": "x = 1\n",
    "no-methods": _MODEL.replace("    @ModelClass.method\n", ""),
    "two-classes": _MODEL + "\n\nclass Other(Odd):\n    pass\n",
    "old-base": "class Odd(ModelRunner):\n    pass\n",
    "raises": "raise RuntimeError('no')\n" + _MODEL,
    "exits": "import sys\nsys.exit(3)\n" + _MODEL,
    "exits-zero": "import sys\nsys.exit(0)\n" + _MODEL,
    "interrupts": "raise KeyboardInterrupt\n" + _MODEL,
    "reads-a-missing-file": "open('/nowhere/at/all')\n" + _MODEL,
    "missing-package": "import nowhere_at_all\n" + _MODEL,
    "missing-package-used": "from nowhere_at_all import thing\nX = thing.part(3)\n" + _MODEL,
    "missing-package-compared": "import nowhere_at_all\nassert nowhere_at_all.version > 3\n" + _MODEL,
    "missing-base": _MODEL.replace("(ModelClass)", "(Base)").replace(
        "class Odd", "from nowhere_at_all import Base\n\n\nclass Odd"
    ),
    "missing-decorator": _MODEL.replace("    @ModelClass", "    @timed\n    @ModelClass").replace(
        "class Odd", "from nowhere_at_all import timed\n\n\nclass Odd"
    ),
    "missing-annotation-type": _MODEL.replace("prompt: str", "prompt: Thing").replace(
        "class Odd", "from nowhere_at_all import Thing\n\n\nclass Odd"
    ),
    "numpy-annotation": "import numpy as np\n" + _MODEL.replace('prompt: str = ""', "prompt: np.ndarray"),
    "pil-annotation": "from PIL import Image\n" + _MODEL.replace('prompt: str = ""', "prompt: Image.Image"),
    "numpy-default": "import numpy as np\n" + _MODEL.replace('prompt: str = ""', "prompt: float = np.pi"),
    "pydantic": "from pydantic import BaseModel\n\n\nclass Asked(BaseModel):\n    text: str\n\n\n"
    + _MODEL.replace('prompt: str = ""', "prompt: Asked"),
    "pydantic-beside": "from pydantic import BaseModel\n\n\nclass Asked(BaseModel):\n    text: str\n\n\n" + _MODEL,
    "dataclass": "from dataclasses import dataclass\n\n\n@dataclass\nclass Asked:\n    text: str\n\n\n"
    + _MODEL.replace('prompt: str = ""', "prompt: Asked"),
    "future-annotations": "from __future__ import annotations\n" + _MODEL,
    "optional": "from typing import Optional\n"
    + _MODEL.replace('prompt: str = ""', "prompt: Optional[str] = None"),
    "union": _MODEL.replace("prompt: str", "prompt: str | int"),
    "list-of-str": _MODEL.replace('prompt: str = ""', "prompts: List[str]").replace(
        "return prompt", "return prompts[0]"
    ),
    "no-result": _MODEL.replace(" -> str", ""),
    "none-result": _MODEL.replace("-> str", "-> None"),
    "no-annotation": _MODEL.replace('prompt: str = ""', "prompt"),
    "variadic": _MODEL.replace('prompt: str = ""', "*prompts: str").replace("return prompt", "return ''"),
    "keywords": _MODEL.replace('prompt: str = ""', "**prompts: str").replace("return prompt", "return ''"),
    "with-proto": _MODEL.replace('prompt: str = ""', "with_proto: bool"),
    "async": _MODEL.replace("    def predict", "    async def predict"),
    "any": "from typing import Any\n" + _MODEL.replace("prompt: str", "prompt: Any"),
    "literal": "from typing import Literal\n" + _MODEL.replace("prompt: str", 'prompt: Literal["a"]'),
    "tuple-ellipsis": "from typing import Tuple\n" + _MODEL.replace('prompt: str = ""', "prompt: Tuple[str, ...]"),
    "default-object": "class Thing:\n    pass\n\n\n" + _MODEL.replace('= ""', "= Thing()"),
    "default-lambda": _MODEL.replace('= ""', "= (lambda: 1)"),
    "default-wrong-type": _MODEL.replace('= ""', "= 3"),
    "default-set": _MODEL.replace('prompt: str = ""', "prompt: list = {1}"),
    "default-bytes": _MODEL.replace('prompt: str = ""', 'prompt: bytes = b"x"'),
    "default-huge": _MODEL.replace('= ""', "= 'x' * 100000"),
    "static-method": _MODEL.replace(
        "    @ModelClass.method\n    def predict(self, ",
        "    @staticmethod\n    @ModelClass.method\n    def predict(",
    ),
    "class-method": _MODEL.replace(
        "    @ModelClass.method\n    def predict(self, ",
        "    @classmethod\n    @ModelClass.method\n    def predict(cls, ",
    ),
    "property": _MODEL + "\n    @property\n    def ready(self) -> bool:\n        return True\n",
    "init-raises": _MODEL + "\n    def __init__(self):\n        raise RuntimeError\n",
    "load-raises": _MODEL + "\n    def load_model(self):\n        raise RuntimeError\n",
    "metaclass": "import abc\n" + _MODEL.replace("(ModelClass)", "(ModelClass, metaclass=abc.ABCMeta)"),
    "conditional-method": _MODEL.replace(
        '    @ModelClass.method\n    def predict(self, prompt: str = "") -> str:\n        return prompt\n',
        "    if True:\n        @ModelClass.method\n        def predict(self, prompt: str) -> str:\n"
        "            return ''\n",
    ),
    "agentic": "from clarifai.runners.models.agentic_class import AgenticModelClass\n"
    + _MODEL.replace("(ModelClass)", "(AgenticModelClass)"),
    "deleted-class": _MODEL + "\n\ndel Odd\n",
    "class-made-by-type": _MODEL.replace("class Odd(ModelClass):", "class Part:")
    + "\n\nOdd = type('Odd', (Part, ModelClass), {})\n",
    "class-in-function": "def make():\n"
    + "".join(f"    {line}\n" if line else "\n" for line in _MODEL.splitlines())
    + "    return Odd\n\n\nOdd = make()\n",
    "main-guard": _MODEL + "\n\nif __name__ == '__main__':\n    raise SystemExit(1)\n",
    "local-module-missing": "from helpers_missing import helper\n" + _MODEL,
    "relative-import": "from .helper import answer\n" + _MODEL,
}
_WITHOUT = ("config.yaml", "requirements.txt", "1/model.py")


def odd_directories() -> Iterator[OddDirectory]:
    """Yield every one; the first is not odd at all."""
    yield _made("plain", {})
    for name, config in _CONFIGS.items():
        yield _made(f"config-{name}", {"config.yaml": config})
    for name, requirements in _REQUIREMENTS.items():
        yield _made(f"requirements-{name}", {"requirements.txt": requirements})
    for name, code in _CODE.items():
        yield _made(f"code-{name}", {"1/model.py": code})
    yield from _trees()


def _trees() -> Iterator[OddDirectory]:
    for name in _WITHOUT:
        yield _made(f"without-{Path(name).name.partition('.')[0]}", {}, (name,))
    package = {"pkg/pyproject.toml": '[project]\nname = "pkg"\nversion = "1"\n', "pkg/pkg.py": ""}
    more: dict[str, dict[str, str | bytes | None]] = {
        "config-is-a-folder": {"config.yaml": None},
        "requirements-is-a-folder": {"requirements.txt": None},
        "model-is-a-folder": {"1/model.py": None},
        "one-is-a-file": {"1": "text"},
        "config-yml": {"config.yml": _CONFIG},
        "extra-files": {"README.md": "# odd\n", "LICENSE": "free\n", ".gitignore": "*.pyc\n"},
        "dockerfile": {"Dockerfile": "FROM python:3.12\nCOPY . /home/nonroot/main\n"},
        "dockerfile-empty": {"Dockerfile": ""},
        "dockerfile-latin-1": {"Dockerfile": "# caf\xe9\nFROM python:3.12\n".encode("latin-1")},
        "dockerfile-is-a-folder": {"Dockerfile": None},
        "dockerfile-nonsense": {"Dockerfile": "this is no Dockerfile\n"},
        "dockerfile-python-3-13": {
            "Dockerfile": "FROM python:3.13\nCOPY . /home/nonroot/main\n",
            "config.yaml": _CONFIG.replace('"3.12"', '"3.13"'),
        },
        "dockerfile-without-clarifai": {
            "Dockerfile": "FROM python:3.12\nCOPY . /home/nonroot/main\n",
            "requirements.txt": "numpy\n",
        },
        "vllm-amd-3-11": {
            "requirements.txt": "clarifai==12.5.0\nvllm\n",
            "config.yaml": _CONFIG.partition("inference")[0].replace('"3.12"', '"3.11"')
            + "inference_compute_info:\n  num_accelerators: 1\n  accelerator_type: [AMD-MI300X]\n",
        },
        "image-without-clarifai": {
            "requirements.txt": "numpy\n",
            "config.yaml": _section("build_info", "\n  image: python:3.12"),
        },
        "node-without-clarifai": {
            "requirements.txt": "numpy\n",
            "config.yaml": _section("build_info", "\n  node_version: '20.1.0'"),
        },
        "extra-txt": {"requirements.txt": "clarifai==12.5.0\n-r extra.txt\n", "extra.txt": "numpy\n"},
        "clarifai-in-extra-txt": {"requirements.txt": "-r extra.txt\n", "extra.txt": "clarifai==12.5.0\n"},
        "editable-package": {"requirements.txt": "clarifai==12.5.0\n-e ./pkg\n", **package},
        "root-model": {"model.py": _MODEL},
        "root-model-broken": {"model.py": "raise RuntimeError\n"},
        "lib-beside": {"lib/__init__.py": "answer = 1\n", "1/model.py": "from lib import answer\n" + _MODEL},
        "lib-base-beside": {
            "base.py": _MODEL.replace("class Odd", "class Base"),
            "1/model.py": "from base import Base\n\n\nclass Odd(Base):\n    pass\n",
        },
        "helper-in-1": {
            "1/helper.py": "answer = 1\n",
            "1/model.py": "import os\nimport sys\n\nsys.path.append(os.path.dirname(__file__))\n"
            "from helper import answer  # noqa: E402\n" + _MODEL,
        },
        "base-in-1": {
            "1/base.py": _MODEL.replace("class Odd", "class Base"),
            "1/model.py": "import os\nimport sys\n\nsys.path.append(os.path.dirname(__file__))\n"
            "from base import Base  # noqa: E402\n\n\nclass Odd(Base):\n    pass\n",
        },
        "mixin-in-1": {
            "1/mixin.py": "class Mixin:\n    def name(self):\n        return ''\n",
            "1/model.py": "import os\nimport sys\n\nsys.path.append(os.path.dirname(__file__))\n"
            "from mixin import Mixin  # noqa: E402\n" + _MODEL.replace("(ModelClass)", "(Mixin, ModelClass)"),
        },
    }
    for name, changes in more.items():
        yield _made(f"tree-{name}", changes, ("1/model.py",) if "1" in changes else ())
    plain = _made("", {}).files
    yield OddDirectory(
        "link-model", {**_without(plain, "1/model.py"), "1/real.py": plain["1/model.py"]}, {"1/model.py": "real.py"}
    )
    yield OddDirectory("link-broken", _without(plain, "1/model.py"), {"1/model.py": "nowhere.py"})
    yield OddDirectory("link-broken-data", plain, {"1/data.bin": "nowhere.bin"})
    yield OddDirectory("link-loop", plain, {"1/again": ".."})
    yield OddDirectory(
        "link-config",
        {**_without(plain, "config.yaml"), "real.yaml": plain["config.yaml"]},
        {"config.yaml": "real.yaml"},
    )


def _without(files: dict[str, bytes | None], *names: str) -> dict[str, bytes | None]:
    return {name: content for name, content in files.items() if name not in names}
