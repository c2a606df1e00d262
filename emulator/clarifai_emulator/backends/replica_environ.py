"""Decides which variables of the emulator's environment its replicas have: those that models need on a developer's
machine, and no credentials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

# What it is for, and the names; `*` stands for the rest of one. docs/environment.md has the same list.
INHERITED: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "user, folders, programs",
        ("HOME", "LOGNAME", "PATH", "SHELL", "TEMP", "TMP", "TMPDIR", "USER", "XDG_*"),
    ),
    (
        "language, time, terminal",
        (
            "COLORTERM",
            "COLUMNS",
            "FORCE_COLOR",
            "LANG",
            "LANGUAGE",
            "LC_*",
            "LINES",
            "NO_COLOR",
            "TERM",
            "TZ",
            "TZDIR",
        ),
    ),
    (
        "proxies",
        (
            "ALL_PROXY",
            "FTP_PROXY",
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "NO_PROXY",
            "all_proxy",
            "ftp_proxy",
            "http_proxy",
            "https_proxy",
            "no_proxy",
        ),
    ),
    (
        "certificates",
        (
            "AWS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "GIT_SSL_CAINFO",
            "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
            "HTTPLIB2_CA_CERTS",
            "NIX_SSL_CERT_FILE",
            "NODE_EXTRA_CA_CERTS",
            "PIP_CERT",
            "REQUESTS_CA_BUNDLE",
            "SSL_CERT_DIR",
            "SSL_CERT_FILE",
            "UV_NATIVE_TLS",
            "UV_SYSTEM_CERTS",
        ),
    ),
    (
        "caches and weights",
        (
            "EASYOCR_MODULE_PATH",
            "HF_*",
            "HUGGINGFACE_HUB_CACHE",
            "KERAS_HOME",
            "MODELSCOPE_CACHE",
            "MPLCONFIGDIR",
            "NLTK_DATA",
            "NUMBA_CACHE_DIR",
            "OLLAMA_*",
            "PADDLE_HOME",
            "PIP_CACHE_DIR",
            "SENTENCE_TRANSFORMERS_HOME",
            "TFDS_DATA_DIR",
            "TFHUB_CACHE_DIR",
            "TIKTOKEN_CACHE_DIR",
            "TORCHINDUCTOR_CACHE_DIR",
            "TRANSFORMERS_*",
            "UV_CACHE_DIR",
            "UV_OFFLINE",
            "YOLO_CONFIG_DIR",
            "npm_config_cache",
        ),
    ),
    (
        "accelerators and what computes on them",
        (
            "CUDA_*",
            "CUDNN_*",
            "DYLD_*",
            "GPU_DEVICE_ORDINAL",
            "HIP_*",
            "HSA_*",
            "JAX_*",
            "LD_LIBRARY_PATH",
            "LD_PRELOAD",
            "LMDEPLOY_*",
            "NCCL_*",
            "NVIDIA_*",
            "PYTORCH_*",
            "ROCM_*",
            "ROCR_*",
            "SGLANG_*",
            "TF_CPP_*",
            "TF_ENABLE_*",
            "TF_FORCE_*",
            "TF_GPU_*",
            "TF_NUM_*",
            "TF_USE_*",
            "TF_XLA_*",
            "TORCH_*",
            "TRITON_*",
            "VLLM_*",
            "XLA_*",
        ),
    ),
    (
        "threads and memory",
        (
            "BLIS_NUM_THREADS",
            "GOMP_*",
            "KMP_*",
            "MALLOC_*",
            "MKL_*",
            "NUMEXPR_*",
            "OMP_*",
            "OPENBLAS_NUM_THREADS",
            "RAYON_NUM_THREADS",
            "TOKENIZERS_PARALLELISM",
            "VECLIB_MAXIMUM_THREADS",
        ),
    ),
    ("Python, Node and Java", ("CONDA_*", "JAVA_HOME", "NODE_*", "NVM_DIR", "PYENV_*", "PYTHON*", "VIRTUAL_ENV")),
    ("coverage and debuggers", ("COVERAGE_*", "COV_CORE_*", "DEBUGPY_*", "PYDEVD_*")),
)
# A name with one of these words in it is a credential's, whatever it begins with: HF_TOKEN, VLLM_API_KEY.
CREDENTIALS = ("AUTH", "CREDENTIAL", "KEY", "PASS", "SECRET", "TOKEN")
# Models have these wherever they run; some read them when they are imported, to make a client. While signatures
# are read there is no replica yet: the token is nobody's.
WHILE_READ = {"CLARIFAI_PAT": "signatures-are-read", "CLARIFAI_USER_ID": "me"}
# For the emulator's own process: with it, compiled parts of the SDK crash.
_NOT_FOR_MODELS = "PYTHONDEVMODE"
# Set for each replica, or the user's own account; neither is a matter of what it inherits.
_CLARIFAI = "CLARIFAI_"
_EXACT = frozenset(name for _, names in INHERITED for name in names if "*" not in name)
_PATTERNS = tuple(name for _, names in INHERITED for name in names if "*" in name)


def is_inherited(name: str) -> bool:
    """Tell whether replicas have a variable of this name from the emulator's environment."""
    if name == _NOT_FOR_MODELS:
        return False
    if name in _EXACT:
        return True
    return any(fnmatchcase(name, each) for each in _PATTERNS) and not any(
        word in name.upper() for word in CREDENTIALS
    )


def runner_environ(environ: Mapping[str, str], wanted: Sequence[str] = ()) -> dict[str, str]:
    """Return the part of an environment that a replica inherits, and what is ``wanted`` beside it: each a NAME of
    the environment, with `*` for the rest of one, or NAME=VALUE."""
    inherited = {name: value for name, value in environ.items() if is_inherited(name)}
    for name in ("no_proxy", "NO_PROXY"):
        # The runner's gRPC would go through a proxy even to this machine.
        inherited[name] = ",".join(filter(None, [inherited.get(name), "127.0.0.1", "localhost"]))
    return {**inherited, **wanted_variables(environ, wanted)}


def wanted_variables(environ: Mapping[str, str], wanted: Iterable[str]) -> dict[str, str]:
    """Return the variables that are asked for. A NAME that is not set is left out, and with `*` no setting of
    Clarifai's is meant, and not PYTHONDEVMODE."""
    found: dict[str, str] = {}
    for each in wanted:
        name, equals, value = each.partition("=")
        if equals:
            found[name] = value
        elif "*" in name:
            meant = (known for known in environ if fnmatchcase(known, name) and not _is_only_named(known))
            found.update((known, environ[known]) for known in meant)
        elif name in environ:
            found[name] = environ[name]
    return found


def _is_only_named(name: str) -> bool:
    return name.startswith(_CLARIFAI) or name == _NOT_FOR_MODELS


def container_variables(environ: Mapping[str, str], wanted: Sequence[str]) -> dict[str, str]:
    """Return the variables of this machine that a container is to get. Those that all replicas inherit are about
    this machine, and a container has its own: it gets one only by its whole name."""
    named = [each.partition("=")[0] for each in wanted]
    found = wanted_variables(environ, wanted)
    return {name: value for name, value in found.items() if name in named or not is_inherited(name)}


def withheld_names(environ: Mapping[str, str], given: Mapping[str, str]) -> list[str]:
    """Return the names of an environment that a replica does not get, which has ``given``. The user's Clarifai
    settings are not told: a replica has its own."""
    return sorted(name for name in environ if name not in given and not name.startswith(_CLARIFAI))


def unset_names(environ: Mapping[str, str], wanted: Iterable[str]) -> list[str]:
    """Return the names that are asked for and not set."""
    return [each for each in wanted if "=" not in each and not wanted_variables(environ, [each])]
