"""The commands ``contract lock`` and ``diff`` read a model URL over TLS with a token, as of the platform itself.

A TLS front with a certificate of its own stands before the emulator; the command is told to trust it by gRPC's own
variable.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme

from clarifai_emulator.control.thread import EmulatorThread
from flow.driver import MODELS, running
from flow.test_cli import Shell

URL = "https://clarifai.com/ada/demo/models/hello"
TOKEN = "the-token-of-ada"


@dataclass
class TlsFront(grpc.GenericRpcHandler):
    """Hands every unary call on as it came. ``seen``: the calls, and the authorization of each."""

    emulator: EmulatorThread
    seen: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def service(self, handler_call_details: Any) -> Any:
        name = handler_call_details.method

        def forward(request: bytes, context: Any) -> bytes:
            given = dict(context.invocation_metadata())["authorization"]
            self.seen.append((name.rpartition("/")[2], given))
            with grpc.insecure_channel(self.emulator.url.removeprefix("http://")) as channel:
                return channel.unary_unary(name)(request, metadata=[("authorization", given)])

        return grpc.unary_unary_rpc_method_handler(forward)


@dataclass
class Platform:
    """The platform as its user sees it, and a shell that trusts its certificate."""

    url: str
    front: TlsFront
    shell: Shell
    model: Path


@contextmanager
def tls(front: TlsFront, authority: trustme.CA) -> Iterator[int]:
    """Yield the port that the front listens on."""
    certificate = authority.issue_cert("localhost")
    key, chain = certificate.private_key_pem.bytes(), b"".join(each.bytes() for each in certificate.cert_chain_pems)
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, handlers=[front])
        port = server.add_secure_port("localhost:0", grpc.ssl_server_credentials([(key, chain)]))
        server.start()
        try:
            yield port
        finally:
            server.stop(0).wait()


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    shell = Shell(tmp_path)
    shell.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(tmp_path / "authority.pem")
    with running(user_id="ada", pats={TOKEN: "ada"}) as emulator:
        emulator.deploy(MODELS / "hello")
        front = TlsFront(emulator)
        with tls(front, authority) as port:
            yield Platform(f"https://localhost:{port}", front, shell, MODELS / "hello")


def test_a_model_url_is_asked_over_tls_with_the_token(platform: Platform, tmp_path: Path) -> None:
    platform.shell.environ["CLARIFAI_PAT"] = TOKEN
    lock = tmp_path / "remote.yaml"

    told = platform.shell.run("contract", "lock", URL, "-o", lock, "--base-url", platform.url)

    assert (told.returncode, told.stdout) == (0, f"{lock}: 1 model, 3 methods\n"), told.stderr
    assert platform.front.seen == [("GetModel", f"Key {TOKEN}")]


def test_the_address_may_come_from_the_environment_as_the_sdk_takes_it(platform: Platform) -> None:
    platform.shell.environ.update(CLARIFAI_PAT=TOKEN, CLARIFAI_API_BASE=platform.url)

    told = platform.shell.run("contract", "diff", URL, platform.model)

    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("nothing found; 1 model compared in ")


def test_a_token_that_is_not_known_is_told_in_the_platforms_words(platform: Platform) -> None:
    platform.shell.environ["CLARIFAI_PAT"] = "no-such-token"

    told = platform.shell.run("contract", "diff", URL, platform.model, "--base-url", platform.url)

    assert told.returncode == 2
    assert f"Error: {platform.url} cannot be asked for {URL}:\n  - 11009 API key not found: " in told.stderr
    assert told.stderr.endswith("Next: Check the model URL, and what the token may see.\n")


def test_a_certificate_that_is_not_trusted_is_told(platform: Platform) -> None:
    del platform.shell.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"]
    platform.shell.environ["CLARIFAI_PAT"] = TOKEN

    told = platform.shell.run("contract", "diff", URL, platform.model, "--base-url", platform.url)

    assert told.returncode == 2
    assert f"Error: {platform.url} cannot be asked for {URL}:\n  - UNAVAILABLE: " in told.stderr
    assert told.stderr.endswith(
        "Next: Its certificate is signed by no authority that gRPC knows. Where that is as it should be, name the "
        "file with the authority's certificate in GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.\n"
    )
    assert platform.front.seen == []


def test_without_an_emulator_and_a_token_nobody_is_asked(platform: Platform) -> None:
    told = platform.shell.run("contract", "diff", URL, platform.model)

    assert told.returncode == 2
    assert told.stderr == (
        f"Error: '{URL}' is on a control plane, and none was named:\n"
        "  - neither a running emulator nor CLARIFAI_PAT was found\n"
        "Next: Start the emulator, or set CLARIFAI_PAT to ask the platform itself.\n"
    )
