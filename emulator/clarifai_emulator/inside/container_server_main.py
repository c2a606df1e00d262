"""Runs the SDK's server in a container, where the model's calls name the request that they are part of. The runner
of a model that has a CLARIFAI_PAT of its own keeps its replica's.

Runs in the *model's* environment, in place of ``python -m clarifai.runners.server``, with the same arguments; the
standard library and the SDK only. The replica's credential comes in a variable that the model does not see; other
users of the machine read neither it nor the command line's.
"""

import functools
import importlib
import importlib.util
import os
import runpy
import sys

VARIABLE = "CLARIFAI_EMULATOR_PAT"
_RUNNER = "clarifai.runners.models.model_runner"


def keep_pat(pat):
    """Let the SDK's runner fetch its work with this token, whatever it is given."""
    runner = importlib.import_module(_RUNNER).ModelRunner
    genuine = runner.__init__

    @functools.wraps(genuine)
    def make(self, *args, **options):
        genuine(self, *args, **{**options, "pat": pat})

    runner.__init__ = make


def name_calls(base_url):
    """Let the model's calls to the emulator name their request."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "call_chain_main.py")
    spec = importlib.util.spec_from_file_location("clarifai_emulator_call_chain_main", path)
    chain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chain)
    chain.CallChain(base_url).install()


def main():
    sys.path[0] = os.getcwd()  # as with `-m`
    if VARIABLE in os.environ:
        keep_pat(os.environ.pop(VARIABLE))
    name_calls(os.environ["CLARIFAI_API_BASE"])
    runpy.run_module("clarifai.runners.server", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
