"""Runs the SDK's own upload of a model directory up to the moment when it would send it, and says what it refuses.

Runs in the *model's* Python environment, as part of ``inspect_main.py``, with the standard library and the
SDK only. It is the SDK's ``upload_model``, whichever version it is: only what would ask the platform, Hugging Face,
an index or the terminal is answered here. It works on a copy of what it may write, in a process of its own, since
it imports model.py with every third-party module replaced by a mock.
"""

import contextlib
import importlib
import inspect
import json
import logging
import os
import select
import shutil
import signal
import sys
import tarfile
import time
import traceback
from unittest import mock

_BUILDER = "clarifai.runners.models.model_builder"
_PRESETS = "clarifai.utils.compute_presets"
# What the SDK writes into a model directory, or may; the rest is looked at where it is.
_WRITTEN = ("config.yaml", "requirements.txt", "Dockerfile")
_MOST_TEXT = 2000


class Sent(BaseException):
    """The upload came to the point where it sends the model."""


def refusal(*, folder, scratch, sdk, seconds, compute):
    """Why the SDK's upload refuses a model directory, the ``folder``: ``{"error": …, "kind": …}``; empty where it
    would send it, None where this SDK has no such upload. Never raises. ``sdk``: see ``sdk_main.py``.
    ``seconds``: how long it may take. ``compute``: what the instance type in config.yaml has, which it would ask
    the platform for."""
    try:
        if not all(sdk.optional(_BUILDER, name) for name in ("ModelBuilder", "upload_model")):
            return None
    except Exception:  # of an SDK that cannot be imported, which is told elsewhere
        return None
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _answer(write, folder, scratch, compute)
    os.close(write)
    said = _said(read, seconds)
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if said is None:
        return {"error": f"it did not come to an end within {seconds:.0f} s", "kind": "TimeoutError"}
    if not said:
        return {"error": "model.py ended the interpreter while it was being imported", "kind": "SystemExit"}
    return json.loads(said)


def _said(read, seconds):
    """The child's words; None where it is still at it after so many seconds."""
    said, until = b"", time.monotonic() + seconds
    with open(read, "rb", buffering=0) as pipe:
        while select.select([pipe], [], [], max(0.0, until - time.monotonic()))[0]:
            data = pipe.read(65536)
            if not data or data.endswith(b"\n"):
                return said + data  # what the model started may keep the pipe open
            said += data
    return None


def _answer(write, model_path, scratch, compute):
    """Say it, and leave this process."""
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        answer = _tried(_copied(model_path, scratch), compute)
    except BaseException as error:
        answer = {"error": f"{type(error).__name__}: {error}", "kind": "unknown"}
    os.write(write, json.dumps(answer).encode() + b"\n")
    os._exit(0)


def _copied(model_path, scratch):
    """A directory that the SDK may write into: copies of what it writes, links to all else."""
    folder = os.path.join(scratch, "upload", os.path.basename(model_path) or "model")
    os.makedirs(folder)
    for name in os.listdir(model_path):
        file = os.path.join(model_path, name)
        if name in _WRITTEN and os.path.isfile(file):
            shutil.copyfile(file, os.path.join(folder, name))
        else:
            os.symlink(file, os.path.join(folder, name))
    return folder


def _tried(folder, compute):
    errors = _Errors()
    logger = logging.getLogger("clarifai")
    logger.addHandler(errors)
    builder = importlib.import_module(_BUILDER)
    _keep_to_itself(builder)
    if compute:
        presets = importlib.import_module(_PRESETS)
        presets.get_inference_compute_for_gpu = lambda *args, **options: dict(compute)
    options = {"folder": folder, "verbose": True, "stage": "upload", "skip_dockerfile": False}
    known = inspect.signature(builder.upload_model).parameters
    try:
        builder.upload_model(**{name: value for name, value in options.items() if name in known})
    except Sent:
        return {}
    except SystemExit as stop:
        return _told(errors.last or f"it ends with exit code {stop.code}", "SystemExit", folder)
    except BaseException as error:
        text = "".join(traceback.format_exception_only(error)).strip()
        return _told(text or type(error).__name__, type(error).__name__, folder)
    return _told(errors.last or "it ends without sending the model", "", folder)


def _told(text, kind, folder):
    return {"error": text.replace(folder, "…")[-_MOST_TEXT:], "kind": kind}


class _Errors(logging.Handler):
    """Keeps the last error that the SDK logs: some refusals are told by nothing else."""

    last = ""

    def emit(self, record):
        if record.levelno >= logging.ERROR:
            self.last = record.getMessage()


def _keep_to_itself(builder):
    """Answer in the place of whatever is asked over the network, of programs, and of a person."""
    genuine = builder.ModelBuilder

    class Builder(genuine):
        # The account and what is in it are nothing that a directory is refused for.
        client = _client = property(_always(mock.MagicMock(name="the platform")), _always(None))

        def __init__(self, *args, **options):
            known = inspect.signature(genuine.__init__).parameters
            more = {"user_id": "me"} if "user_id" in known else {}
            super().__init__(*args, **{**options, **more})

        def maybe_create_model(self):
            raise Sent

        check_model_exists = _check_app_exists = _always(True)
        _is_clarifai_internal = _always(False)
        _process_secrets = _always([])
        # It goes on whatever these find.
        _validate_requirements = _always(True)
        _lint_python_code = _get_git_info = _check_git_status = _always(None)

        def download_checkpoints(self, *args, **options):
            return self.checkpoint_path

    builder.ModelBuilder = Builder
    loader = getattr(builder, "HuggingFaceLoader", None)
    if loader is not None:
        loader.validate_hftoken = _always(True)
        loader.validate_hf_repo_access = _always((True, ""))
        loader.download_config = _always(True)
        loader.get_huggingface_checkpoint_total_size = _always(0)
    builder.tarfile = mock.Mock(wraps=tarfile, open=_EmptyTar.of)
    sys.modules["builtins"].input = _always("")


def _always(answer):
    """A function, or a method, that gives this answer."""
    return lambda *args, **options: answer


class _EmptyTar(tarfile.TarFile):
    """An archive of every file and of nothing in them, so that what cannot be packed is found."""

    @classmethod
    def of(cls, name, mode="r", dereference=False, **options):
        if mode.startswith("r"):
            raise Sent  # what has been packed is looked at before it is sent
        return cls(name, mode="w", dereference=dereference)

    def addfile(self, tarinfo, fileobj=None):
        pass
