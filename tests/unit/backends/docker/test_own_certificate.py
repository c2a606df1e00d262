"""A certificate of the emulator's own vouches for one address, and signs no other."""

from __future__ import annotations

import ssl

import pytest
from cryptography import x509

from clarifai_emulator.backends.docker.own_certificate import OwnCertificate


def shake_hands(certificate: OwnCertificate, name: str, trusted: bytes) -> str:
    """Let a client that trusts ``trusted`` connect to a server of the certificate; return their protocol."""
    theirs = ssl.create_default_context(cadata=trusted.decode())
    theirs.set_alpn_protocols(["h2"])
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = theirs.wrap_bio(to_client, to_server, server_hostname=name)
    server = certificate.server_context().wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return client.selected_alpn_protocol() or ""


@pytest.mark.parametrize("address", ["10.0.0.7", "laptop.example.com", "fd00::7"])
def test_who_trusts_it_reaches_its_address(address: str) -> None:
    certificate = OwnCertificate(address)
    assert shake_hands(certificate, address, certificate.pem) == "h2"


def test_it_is_good_for_no_other_address() -> None:
    certificate = OwnCertificate("10.0.0.7")
    with pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch"):
        shake_hands(certificate, "10.0.0.8", certificate.pem)


def test_another_ones_is_not_trusted() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(OwnCertificate("10.0.0.7"), "10.0.0.7", OwnCertificate("10.0.0.7").pem)


def test_it_may_sign_nothing() -> None:
    certificate = x509.load_pem_x509_certificate(OwnCertificate("10.0.0.7").pem)
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
