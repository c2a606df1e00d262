"""An engine is named by an address or a Docker context, and never spoken to in clear text over the network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from clarifai_emulator.backends.docker.engine_address import NoEngine, is_elsewhere, resolve


@pytest.mark.parametrize(
    ("address", "elsewhere"),
    [
        ("unix:///var/run/docker.sock", False),
        ("npipe:////./pipe/docker_engine", False),
        ("tcp://127.0.0.1:2375", False),
        ("tcp://localhost:2375", False),
        ("tcp://gpu-box:2376", True),
        ("https://10.0.0.7:2376", True),
        ("ssh://me@gpu-box", True),
        ("ssh://localhost", True),
    ],
)
def test_it_is_elsewhere_where_the_network_leads_to_it(address: str, elsewhere: bool) -> None:
    assert is_elsewhere(address) is elsewhere


def test_ssh_and_sockets_need_nothing_else() -> None:
    assert resolve("ssh://me@gpu-box:2222/run/docker.sock", {}).host == "gpu-box"
    assert resolve("unix:///run/docker.sock", {}).host == ""


def test_plain_tcp_to_another_machine_is_refused_with_what_to_do() -> None:
    with pytest.raises(NoEngine, match="in clear text, over the network") as refused:
        resolve("tcp://gpu-box:2375", {})
    assert "ssh://user@host" in str(refused.value)
    assert "DOCKER_CERT_PATH" in str(refused.value)


def test_what_docker_host_names_is_spoken_to_as_every_program_here_does() -> None:
    found = resolve("tcp://docker:2375", {}, may_be_clear=True)
    assert (found.url, found.tls, found.is_elsewhere) == ("tcp://docker:2375", None, True)


def test_a_folder_without_certificates_is_named(tmp_path: Path) -> None:
    with pytest.raises(NoEngine, match=r"has no ca\.pem, cert\.pem, key\.pem"):
        resolve("tcp://gpu-box:2376", {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)})


def test_the_certificates_of_dockers_variables_are_taken(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).touch()
    found = resolve("tcp://gpu-box:2376", {"DOCKER_CERT_PATH": str(tmp_path)})
    assert found.tls is not None
    assert (found.tls.ca_cert, found.tls.verify) == (str(tmp_path / "ca.pem"), True)


@pytest.mark.parametrize(
    "address", ["ssh://", "ftp://gpu-box", "tcp://gpu-box:99999", "ssh://-oProxyCommand=x", "ssh://-oUser@gpu-box"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(NoEngine, match="is no address of a container engine"):
        resolve(address, {})


def test_a_password_is_refused_and_not_repeated() -> None:
    with pytest.raises(NoEngine, match="no password") as refused:
        resolve("ssh://me:hidden-word@gpu-box", {})
    assert "hidden-word" not in str(refused.value)


def test_a_context_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(NoEngine, match=r"There is no Docker context 'no-such-box'; there are .*default"):
        resolve("no-such-box", {})


def test_a_context_as_the_docker_cli_lays_it_out_is_found_with_its_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _lay_out_context(tmp_path, "gpu-box", "tcp://gpu-box:2376")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    found = resolve("gpu-box", {})
    assert (found.said, found.url, found.host) == ("gpu-box", "tcp://gpu-box:2376", "gpu-box")
    assert found.tls is not None
    assert Path(found.tls.ca_cert).read_text() == "ca.pem"
    with pytest.raises(NoEngine, match="no Docker context 'gpu-bx'; there are default, gpu-box"):
        resolve("gpu-bx", {})


def _lay_out_context(config: Path, name: str, host: str) -> None:
    folder = hashlib.sha256(name.encode()).hexdigest()
    (config / "config.json").write_text("{}")
    meta = config / "contexts/meta" / folder
    certificates = config / "contexts/tls" / folder / "docker"
    meta.mkdir(parents=True)
    certificates.mkdir(parents=True)
    endpoint = {"Host": host, "SkipTLSVerify": False}
    described = {"Name": name, "Metadata": {}, "Endpoints": {"docker": endpoint}}
    (meta / "meta.json").write_text(json.dumps(described))
    for each in ("ca.pem", "cert.pem", "key.pem"):
        (certificates / each).write_text(each)
