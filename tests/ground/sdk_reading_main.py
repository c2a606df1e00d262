"""Reads model directories as the SDK's own upload does, in an environment with that SDK: one fork for each.

Standard input: a JSON list of directories. Standard output: one JSON object a line: ``directory``, ``sdk``,
``refused`` (what its builder says, empty where it takes the directory), ``signatures`` (base64 of each message that
its loader makes, with mocks for packages of others, as at an upload), ``unreadable`` (why there are none).
Nothing is asked over the network: the address of the platform is one where nobody listens.
"""

# pyright: basic
# Runs in the environment of another SDK, as the modules of inside/ do.

import base64
import contextlib
import importlib
import io
import json
import os
import signal
import sys
import time

SECONDS = 20


def read(directory):
    """Say what the SDK makes of one directory."""
    import logging

    from clarifai.runners.models.model_builder import ModelBuilder

    logging.disable(logging.CRITICAL)
    answer = {"directory": directory, "refused": "", "signatures": [], "unreadable": ""}
    try:
        builder = built(ModelBuilder, directory)
    except BaseException as error:
        answer["refused"] = said(error)
        builder = ModelBuilder.__new__(ModelBuilder)
        builder.folder, builder.config = directory, {}
    try:
        answer["signatures"] = [base64.b64encode(each.SerializeToString()).decode() for each in signatures(builder)]
    except BaseException as error:
        answer["unreadable"] = said(error)
    return answer


def signatures(builder):
    """Return the messages that an upload would send."""
    if hasattr(builder, "get_method_signatures"):
        return builder.get_method_signatures()
    return [each.signature for each in builder.load_model_class(mocking=True)._get_method_infos().values()]


def built(builder, directory):
    """Make the SDK's builder, told that the account, the application and the weights are there."""
    from clarifai.runners.models import model_builder

    if hasattr(builder, "_check_app_exists"):
        builder._check_app_exists = lambda self: True
    if hasattr(builder, "_is_clarifai_internal"):
        builder._is_clarifai_internal = lambda self: False
    with contextlib.suppress(ImportError):  # an older SDK asks for no account
        from clarifai.utils import config

        config.resolve_user_id = lambda **_: "me"
    loader = getattr(model_builder, "HuggingFaceLoader", None)
    for name in ("validate_hftoken", "validate_hf_repo_access"):
        if hasattr(loader, name):
            setattr(loader, name, staticmethod(lambda *_, **__: (True, "")))
    return builder(directory)


def said(error):
    """Return an exception as one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:400]


def main():
    """Answer for each directory."""
    os.environ.setdefault("CLARIFAI_API_BASE", "http://127.0.0.1:9")
    os.environ.setdefault("CLARIFAI_PAT", "none")
    os.environ.setdefault("CLARIFAI_USER_ID", "me")
    os.environ["HF_HUB_OFFLINE"] = "1"
    directories = json.load(sys.stdin)
    import clarifai

    importlib.import_module("clarifai.runners.models.model_builder")  # once, before the forks

    version = clarifai.__version__
    for directory in directories:
        sys.stdout.flush()
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.close(reading)
            signal.alarm(SECONDS)
            time.sleep = lambda seconds: (
                None
            )  # between the SDK's tries to reach the platform, of which there are many
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                try:
                    answer = read(directory)
                except BaseException as error:
                    answer = {"directory": directory, "refused": "", "signatures": [], "unreadable": said(error)}
            with os.fdopen(writing, "w") as pipe:
                pipe.write(json.dumps({**answer, "sdk": version}))
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as pipe:
            text = pipe.read()
        os.waitpid(child, 0)
        ended = {"directory": directory, "sdk": version, "refused": "", "signatures": [], "unreadable": "it ended"}
        print(text or json.dumps(ended), flush=True)


if __name__ == "__main__":
    main()
