"""Decides which pages may use the HTTP endpoints: origins by name, those of this machine, all of them, and none."""

from __future__ import annotations

import pytest

from clarifai_emulator.api.transport.cross_origin import Origins


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost",
        "http://localhost:3000",
        "https://localhost:8443",
        "http://LOCALHOST:3000",
        "http://app.localhost:3000",
        "http://127.0.0.1:5173",
        "http://127.0.0.9",
        "http://[::1]:5173",
        "http://[::1]",
    ],
)
def test_localhost_is_every_page_of_this_machine(origin: str) -> None:
    assert Origins(["localhost"]).allows(origin)


@pytest.mark.parametrize(
    "origin",
    [
        "http://localhost.evil.example",
        "http://evil.example:3000",
        "http://10.0.0.1:3000",
        "http://[2001:db8::1]:3000",
        "http://[::1",
        "ftp://localhost",
        "file://localhost",
        "http://",
        "localhost",
        "null",
        "",
    ],
)
def test_localhost_is_no_other_page(origin: str) -> None:
    assert Origins(["localhost"]).allows(origin) == (origin == "localhost")  # which no browser sends


@pytest.mark.parametrize(
    ("named", "origin"),
    [
        ("http://app.example", "http://app.example:80"),
        ("https://app.example:443", "https://app.example"),
        ("http://App.Example/", "http://app.example"),
        ("http://[2001:db8::1]:80", "http://[2001:db8::1]"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("null", "null"),
        ("*", "null"),
        ("*", "https://anything.example:1"),
    ],
)
def test_an_origin_is_known_however_it_is_written(named: str, origin: str) -> None:
    assert Origins([named]).allows(origin)


@pytest.mark.parametrize(
    "origin", ["http://app.example:8080", "https://app.example", "null", "http://app.example.org"]
)
def test_another_port_scheme_or_name_is_another_origin(origin: str) -> None:
    assert not Origins(["http://app.example"]).allows(origin)
