"""Runs the SDK's server in a container, where the model's calls name the request that they are part of. The runner
of a model that has a CLARIFAI_PAT of its own keeps its replica's.

On another machine than the emulator's, its connections are secured by an authority of the emulator's own, which is
trusted for the emulator's address alone.

Runs in the *model's* environment, in place of ``python -m clarifai.runners.server``, with the same arguments; the
standard library and the SDK only. The replica's credential comes in a variable that the model does not see; other
users of the machine read neither it nor the command line's.
"""

import functools
import importlib
import importlib.util
import os
import runpy
import ssl
import sys
import tempfile

VARIABLE = "CLARIFAI_EMULATOR_PAT"
AUTHORITY = "CLARIFAI_ROOT_CERTIFICATES_PATH"
_RUNNER = "clarifai.runners.models.model_runner"
_BUNDLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def keep_pat(pat):
    """Let the SDK's runner fetch its work with this token, whatever it is given."""
    runner = importlib.import_module(_RUNNER).ModelRunner
    genuine = runner.__init__

    @functools.wraps(genuine)
    def make(self, *args, **options):
        genuine(self, *args, **{**options, "pat": pat})

    runner.__init__ = make


def call_chain():
    """Load the module that lies beside this one."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "call_chain_main.py")
    spec = importlib.util.spec_from_file_location("clarifai_emulator_call_chain_main", path)
    chain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chain)
    return chain


def trust(authority, base_url, place_of):
    """Let gRPC trust this authority at the emulator's address, and nowhere else; and HTTP clients trust it beside
    those that they trust already: it is good for that address only."""
    grpc = importlib.import_module("grpc")
    with open(authority, "rb") as file:
        pem = file.read()
    own = place_of(base_url)

    def trusting(genuine):
        @functools.wraps(genuine)
        def secure_channel(target, credentials, *args, **named):
            try:
                is_own = place_of(str(target).rpartition("/")[2]) == own
            except ValueError:  # no address with a port
                is_own = False
            given = grpc.ssl_channel_credentials(pem) if is_own else credentials
            return genuine(target, given, *args, **named)

        return secure_channel

    for module in (grpc, grpc.aio):
        module.secure_channel = trusting(module.secure_channel)
    bundle_with(pem)


def bundle_with(pem):
    """Name a file of the authorities that HTTP clients trust, with this one."""
    for variable in _BUNDLES:
        known = os.environ.get(variable) or certifi_file() or ssl.get_default_verify_paths().cafile or ""
        with tempfile.NamedTemporaryFile("wb", prefix="authorities-", suffix=".pem", delete=False) as bundle:
            if os.path.isfile(known):
                with open(known, "rb") as file:
                    bundle.write(file.read() + b"\n")
            bundle.write(pem)
        os.environ[variable] = bundle.name


def certifi_file():
    try:
        return importlib.import_module("certifi").where()
    except ImportError:
        return ""


def main():
    sys.path[0] = os.getcwd()  # as with `-m`
    if VARIABLE in os.environ:
        keep_pat(os.environ.pop(VARIABLE))
    base_url, chain = os.environ["CLARIFAI_API_BASE"], call_chain()
    if base_url.startswith("https://") and AUTHORITY in os.environ:
        trust(os.environ[AUTHORITY], base_url, chain.place_of)
    chain.CallChain(base_url).install()
    runpy.run_module("clarifai.runners.server", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
