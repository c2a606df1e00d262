"""Attacks over HTTP/1.1: requests that can be read in two ways, do not end, or only cost time and memory."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import time
from collections.abc import Iterator, Mapping

from attack.beside import attacking
from attack.good_client import GoodClient
from attack.measured import Measure, attack, count
from attack.scene import FEW, Scene
from attack.senders import SENDERS
from attack.victims import EmulatorVictim

# What may be held for one connection (`--max-connection-buffer-bytes`), with what Python needs besides.
_HELD = 576.0
_STATUS = re.compile(rb"^HTTP/1\.1 (\d{3}) ", re.M)
_OUTPUTS = "/v2/users/me/apps/main/models/m/outputs"
_KEY = "authorization: Key any-token\r\n"
# A request that nobody sent, hidden in another: its path is in an answer only if it was taken for one.
_HIDDEN = "GET /v2/hidden HTTP/1.1\r\nhost: localhost\r\n\r\n"


def _request(head: str, body: str = "", *, line: str = f"POST {_OUTPUTS} HTTP/1.1") -> bytes:
    return f"{line}\r\nhost: localhost\r\n{_KEY}{head}\r\n{body}".encode("latin-1")


def _lengths() -> Iterator[tuple[str, bytes]]:
    """Yield requests whose length can be read in two ways: what follows must not become a request."""
    chunked, hidden = "transfer-encoding: chunked\r\n", _HIDDEN
    length = f"content-length: {len(hidden)}\r\n"
    yield "two lengths", _request(f"content-length: 0\r\n{length}", hidden)
    yield "a list of lengths", _request(f"content-length: 0, {len(hidden)}\r\n", hidden)
    yield "a signed length", _request(f"content-length: +{len(hidden)}\r\n", hidden)
    yield "a length in hexadecimal", _request("content-length: 0x2d\r\n", hidden)
    yield "a length of digits of another script", _request("content-length: \xd9\xa3\r\n", hidden)
    yield "a negative length", _request("content-length: -1\r\n", hidden)
    yield "a length too large for any number", _request(f"content-length: {'9' * 400}\r\n", hidden)
    yield "a length with a space in its name", _request("content-length : 0\r\n", hidden)
    yield "a folded length", _request(f"x: y\r\n {length}", "")
    yield (
        "chunks with a space in the name",
        _request(f"transfer-encoding : chunked\r\n{length}", f"0\r\n\r\n{hidden}"),
    )
    yield "chunks twice", _request(f"{chunked}{chunked}", f"0\r\n\r\n{hidden}")
    yield "chunks that are not last", _request("transfer-encoding: chunked, identity\r\n", f"0\r\n\r\n{hidden}")
    yield "another encoding", _request(f"transfer-encoding: xchunked\r\n{length}", f"0\r\n\r\n{hidden}")
    yield "chunks after a tab", _request(f"transfer-encoding:\tchunked\r\n{length}", "0\r\n\r\n")
    yield "chunks of HTTP/1.0", _request(chunked, f"0\r\n\r\n{hidden}", line=f"POST {_OUTPUTS} HTTP/1.0")
    yield "a chunk of a negative size", _request(chunked, f"-1\r\n{hidden}")
    yield "a chunk of an endless size", _request(chunked, f"{'f' * 300}\r\n{hidden}")
    yield "a chunk without its end", _request(chunked, f"1\r\nxx\r\n{hidden}")
    yield "a chunk size with a space", _request(chunked, "0 \r\n\r\n")
    yield "an extension of 100 KB", _request(chunked, f"1;{'x' * 100_000}\r\nx\r\n0\r\n\r\n")
    yield "a newline alone in a chunk", _request(chunked, f"1\nx\n0\n\n{hidden}")
    yield "a length in the trailers", _request(chunked, f"0\r\n{length}\r\n")


def _heads() -> Iterator[tuple[str, bytes]]:
    """Yield requests whose head is odd."""
    yield "no host", f"GET /health HTTP/1.1\r\n{_KEY}\r\n".encode()
    yield "two hosts", _request("host: evil.example\r\n", line="GET /v2/users/me HTTP/1.1")
    yield "a field without a name", _request(": x\r\n")
    yield "a null in a value", _request("x: a\0b\r\n")
    yield "a return in a value", _request("x: a\rb\r\n")
    yield "a name with spaces", _request("a b: c\r\n")
    yield "a head of 70 KB", _request(f"x: {'y' * 70_000}\r\n")
    yield "20,000 fields", _request("x: y\r\n" * 20_000)
    yield "a target of 70 KB", _request("", line=f"GET /{'a' * 70_000} HTTP/1.1")
    yield "a target that leads up", _request("", line="GET /v2/../../../etc/passwd HTTP/1.1")
    yield "a target that leads up in code", _request("", line="GET /v2/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1")
    yield "a target with a null", _request("", line="GET /v2/%00 HTTP/1.1")
    yield "a target of bytes", b"GET /v2/\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n"
    yield "another version", _request("", line="GET /health HTTP/9.9")
    yield "no version", b"GET /health\r\n\r\n"
    yield "a method of its own", _request("", line="FROBNICATE /health HTTP/1.1")
    yield "a proxy's connect", _request("", line="CONNECT evil.example:443 HTTP/1.1")
    yield "a trace", _request("", line="TRACE /health HTTP/1.1")
    yield (
        "an upgrade",
        _request("connection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABk\r\n"),
    )
    yield "a web socket", _request("connection: upgrade\r\nupgrade: websocket\r\n", line="GET / HTTP/1.1")
    yield "TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200)
    yield "SSH", b"SSH-2.0-OpenSSH_9.2\r\n"
    yield "a question of HTTP/2 in HTTP/1", b"PRI * HTTP/1.1\r\n\r\n"
    yield "only newlines", b"\r\n" * 5_000
    yield "nonsense", bytes(range(256)) * 20
    yield "an endless first line", b"G" * 100_000
    yield "an expectation of its own", _request("expect: 200-ok\r\ncontent-length: 2\r\n", "{}")
    yield "a range", _request("range: bytes=0-0,-1\r\n", line="GET /v2/openapi.json HTTP/1.1")
    yield "an encoding of its own", _request("content-encoding: gzip, gzip\r\ncontent-length: 2\r\n", "{}")


def _answer(port: int, said: bytes) -> bytes:
    connection = socket.create_connection(("127.0.0.1", port), timeout=3)
    answered = b""
    with contextlib.suppress(OSError):
        connection.sendall(said)
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(1 << 16):
            answered += data
    connection.close()
    return answered


@attack("http1.odd-requests", short=True)
def odd_requests(scene: Scene) -> list[Measure]:
    """Lengths that can be read in two ways, odd heads, targets and chunks, other protocols: a connection each."""
    port = scene.emulator.port
    smuggled, failed, taken = list[str](), list[str](), list[str]()
    for name, said in (*_lengths(), *_heads()):
        answered = _answer(port, said)
        statuses = [int(each) for each in _STATUS.findall(answered)]
        if b"/v2/hidden" in answered:
            smuggled.append(name)
        if any(500 <= status != 501 and status != 505 for status in statuses):
            failed.append(name)
        if b"root:" in answered:
            taken.append(name)
    return [
        count("taken for two requests", smuggled),
        count("answered with a failure", failed),
        count("gave something away", taken),
    ]


@attack("http1.length-and-chunks", short=True)
def length_and_chunks(scene: Scene) -> list[Measure]:
    """A request with both Content-Length and Transfer-Encoding: refused, or its connection ends (RFC 9112)."""
    body = '{"inputs":[]}'
    head = f"transfer-encoding: chunked\r\ncontent-length: {len(body)}\r\n"
    said = _request(head, f"{len(body):x}\r\n{body}\r\n0\r\n\r\n")
    after = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
    connection = socket.create_connection(("127.0.0.1", scene.emulator.port), timeout=3)
    answered = b""
    with contextlib.suppress(OSError):
        connection.sendall(said)
        while data := connection.recv(1 << 16):
            answered += data
            if answered.count(b"HTTP/1.1 ") == 1:
                connection.sendall(after)
            if answered.count(b"HTTP/1.1 ") == 2:
                break
    connection.close()
    went_on = answered.count(b"HTTP/1.1 ") > 1 and b"HTTP/1.1 400" not in answered
    return [Measure("connections that go on after it", went_on)]


@attack("http1.target-of-another-host", short=True)
def target_of_another_host(scene: Scene) -> list[Measure]:
    """A request whose target names another host than its Host field: the target's counts (RFC 9112)."""
    said = _request("", line="GET http://evil.example/v2/users/me HTTP/1.1")
    return [Measure("answered", b'"code":10000' in _answer(scene.emulator.port, said))]


@attack("http1.slow-clients")
def slow_clients(scene: Scene) -> list[Measure]:
    """Heads that come a byte a second, and bodies that come 100 bytes a second."""
    port = scene.emulator.port
    said = {"head": b"GET / HTTP/1.1\r\nx-slow: ", "body": _request("content-length: 900000\r\n")}
    connections = {name: socket.create_connection(("127.0.0.1", port)) for name in said}
    began, ended = time.monotonic(), dict[str, float]()
    with GoodClient(port) as client:
        quiet = client.calls(1)
        for name, connection in connections.items():
            connection.sendall(said[name])
        during = client.calls(1)
        while len(ended) < len(said) and time.monotonic() - began < 60:
            for name, connection in connections.items():
                if name not in ended and _is_over(connection, b"x" if name == "head" else b"x" * 100):
                    ended[name] = time.monotonic() - began
            time.sleep(1)
    for connection in connections.values():
        connection.close()
    return [
        Measure("median", during.quantile(0.5) / quiet.quantile(0.5), "×", 3, 1.5),
        Measure("longest kept", max(ended.get(name, 999.0) for name in said), "s", 45, 45),
    ]


def _is_over(connection: socket.socket, more: bytes) -> bool:
    """Send a little more; tell whether the server has answered or closed."""
    connection.setblocking(False)
    try:
        connection.recv(1 << 16)
    except BlockingIOError:
        with contextlib.suppress(OSError):
            connection.sendall(more)
        return False
    except OSError:
        pass
    return True


@attack("http1.name-twice", short=True)
def name_twice(scene: Scene) -> list[Measure]:
    """JSON of 40,000 names, one of which stands twice, again and again."""
    return scene.beside("a name that stands twice", memory=FEW, peer=False)


@attack("http1.many-items", short=True)
def many_items(scene: Scene) -> list[Measure]:
    """JSON of two million items (6 MB) with a token that is not accepted: it is not to be read at all."""
    return _processor(scene, "two million items with a wrong token")


@attack("http1.many-items-of-a-user")
def many_items_of_a_user(scene: Scene) -> list[Measure]:
    """JSON of two million items with a token that is accepted: others are answered meanwhile."""
    return scene.beside("two million items", memory=_HELD, kept=_HELD, peer=False)


@attack("http1.deep-json")
def deep_json(scene: Scene) -> list[Measure]:
    """JSON of five million brackets."""
    return scene.beside("deep JSON", memory=FEW, peer=False, fresh=True)


def _processor(scene: Scene, name: str) -> list[Measure]:
    """Return what a sender's bodies cost, as many of the same size without content cost."""
    victim = scene.emulator
    before = victim.processor_seconds()
    with contextlib.suppress(OSError):
        SENDERS[name](victim.port)
    spent = victim.processor_seconds() - before
    return [Measure("processor time", spent, "s", 0.5, 0.1), *scene.beside(name, memory=FEW, peer=False)]


@attack("http1.chunks-of-one-byte", short=True)
def chunks_of_one_byte(scene: Scene) -> list[Measure]:
    """A body in chunks of one byte, without end, with a token that is not accepted."""
    return scene.beside("chunks of one byte", memory=FEW, peer=False)


@attack("http1.chunks-of-one-byte-of-a-user")
def chunks_of_one_byte_of_a_user(scene: Scene) -> list[Measure]:
    """A body in chunks of one byte, without end, with a token that is accepted."""
    return scene.beside("chunks of one byte with a token", memory=_HELD, kept=_HELD, peer=False, slower=6.0)


@attack("http1.broken-bodies")
def broken_bodies(scene: Scene) -> list[Measure]:
    """Bodies of 101 MiB of which 100 MiB come, one after the other, with a token that is accepted."""
    return scene.beside("bodies that break off", memory=_HELD, kept=_HELD, peer=False)


_STRANGE: dict[str, Mapping[str, str]] = {
    "another host": {"host": "evil.example"},
    "another host with the port": {"host": "evil.example:{port}"},
    "a host that begins like this machine": {"host": "localhost.evil.example"},
    "a host that ends like this machine": {"host": "evil-localhost"},
    "an address of another machine": {"host": "10.0.0.1"},
    "an address in decimal": {"host": "167772161"},
    "a page of another site": {"origin": "http://evil.example"},
    "a page without an origin": {"origin": "null"},
    "a page of this machine": {"origin": "http://localhost:3000"},
    "a form of another site": {"origin": "http://evil.example", "content-type": "text/plain"},
}


@attack("http1.other-hosts-and-pages", short=True)
def other_hosts_and_pages(scene: Scene) -> list[Measure]:
    """Requests that name other hosts (DNS rebinding) or come from pages of other sites, with a good token, here and
    where every address is listened at; cookies, queries and Basic credentials."""
    port = scene.emulator.port
    answered = [name for name, fields in _STRANGE.items() if _asked(port, fields)]
    unnamed = {"as a cookie": {"cookie": "Key=any-token"}, "as Basic": {"authorization": "Basic YTphbnktdG9rZW4="}}
    answered += [name for name, fields in unnamed.items() if _asked(port, fields, key=False)]
    if _asked(port, {}, key=False, path="/v2/users/me?authorization=Key%20any-token&key=any-token"):
        answered.append("as a query")
    with scene.own("--host", "0.0.0.0", CLARIFAI_EMULATOR_TOKEN="c" * 24) as everywhere:
        for name in ("another host", "another host with the port", "a page of another site"):
            if _asked(everywhere.port, _STRANGE[name]):
                answered.append(f"{name}, at 0.0.0.0")
    return [count("answered", answered)]


def _asked(port: int, fields: Mapping[str, str], *, key: bool = True, path: str = "/v2/users/me") -> bool:
    """Tell whether a request is answered with what it asks for."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    said = {"host": f"127.0.0.1:{port}", **({"authorization": "Key any-token"} if key else {})}
    said |= {name: value.format(port=port) for name, value in fields.items()}
    connection.putrequest("GET", path, skip_host=True)
    for name, value in said.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status == 200 and json.loads(body)["status"]["code"] == 10000


@attack("http1.open-files", short=True)
def open_files(scene: Scene) -> list[Measure]:
    """Four hundred idle connections of three kinds each to an emulator that may have 256 files open (ulimit -n)."""
    measures: list[Measure] = []
    kinds = (
        "connections that say nothing",
        "connections with half a head",
        "connections of HTTP/2 without settings",
    )
    with scene.own(prefix=["prlimit", "--nofile=256:256"]) as victim, GoodClient(victim.port) as client:
        client.calls(0.3)
        quiet = client.calls(1)
        said = victim.log.stat().st_size
        for kind in kinds[:1] if scene.short else kinds:
            with attacking(kind, victim.port) as attacker:
                during = client.calls(1, until=attacker.sent)
                new = _new_client(victim)
            median = during.quantile(0.5) / quiet.quantile(0.5)
            measures.append(Measure("median", median, "×", 3, 1.5))
            measures.append(Measure("errors", len(during.errors)))
            measures.append(Measure("new clients that got no answer", not new))
        grown = (victim.log.stat().st_size - said) / 1024
        return [*measures, Measure("log", grown, "KiB", 128), Measure("bugs in its log", victim.bugs())]


def _new_client(victim: EmulatorVictim) -> bool:
    with GoodClient(victim.port) as client:
        return not client.calls(0.2).errors
