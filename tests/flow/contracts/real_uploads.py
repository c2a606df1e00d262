"""Uploads every model directory of a folder with the unmodified SDK, each up to the moment when it would be sent.

Run by the tests with the interpreter that has the SDK, since each upload imports model.py its own way: prints, as
JSON, what the upload said against each directory, empty where it would have sent it.
"""

from __future__ import annotations

import builtins
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from clarifai.runners.models import model_builder


class Sent(BaseException):
    """The model would be sent now."""


def _send(*_: Any) -> Any:
    raise Sent


def _yes(*_: Any) -> str:
    return "y"


def said_of(directory: Path) -> str:
    """Return what the upload says against a directory; empty for nothing."""
    try:
        model_builder.upload_model(str(directory))
    except Sent:
        return ""
    except BaseException as error:
        return traceback.format_exception_only(error)[-1].strip() or repr(error)
    return "it ended without sending the model"


def said_in_a_child(directory: Path) -> str:
    """Return it from a process of its own, which may do with itself what it likes."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.write(write, (said_of(directory) or "-").encode("utf-8", "replace")[:60_000])
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(child, 0)
    return "" if said == "-" else said or "the interpreter ended"


if __name__ == "__main__":
    setattr(model_builder.ModelBuilder, "maybe_create_model", _send)  # noqa: B010
    builtins.input = _yes  # to make the app, where it is asked
    print(json.dumps({each.name: said_in_a_child(each) for each in sorted(Path(sys.argv[1]).iterdir())}))
