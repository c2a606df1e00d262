"""Pages in a browser may not use the HTTP endpoints, unless they are named."""

from __future__ import annotations

from typing import Any

import pytest

from http_port import http_client

PATH = "/v2/models/m"
PREFLIGHT = {
    "origin": "http://app.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization",
}


def get_model(call: Any, request: Any) -> Any:
    return call.rpc.response_type(model={"id": request.model_id})


async def test_without_cors_no_page_is_answered() -> None:
    async with http_client({"GetModel": get_model}) as client:
        for method, headers in (("GET", {"origin": "http://app.example"}), ("OPTIONS", PREFLIGHT)):
            answer = await client.ask(method, PATH, headers=headers)
            assert answer.status == 403
            assert "access-control-allow-origin" not in answer.headers
            assert answer.json["status"]["details"] == (
                "Pages of 'http://app.example' may not use this emulator. "
                "Start it with --cors http://app.example to let them."
            )


@pytest.mark.parametrize("allowed", ["http://app.example", "*"])
async def test_a_page_that_is_named_is_answered_and_may_ask_first(allowed: str) -> None:
    async with http_client({"GetModel": get_model}, cors=("http://other.example", allowed)) as client:
        answer = await client.ask("GET", PATH, headers={"origin": "http://app.example"})
        assert answer.status == 200
        assert answer.headers["access-control-allow-origin"] == "http://app.example"
        assert answer.headers["vary"] == "origin"
        preflight = await client.ask("OPTIONS", PATH, headers=PREFLIGHT, key="")
        assert preflight.status == 200
        assert preflight.headers["access-control-allow-methods"] == "post"
        assert preflight.headers["access-control-allow-headers"] == "authorization"


async def test_a_page_that_is_refused_is_an_event_with_the_way_out() -> None:
    async with http_client({"GetModel": get_model}) as client:
        await client.ask("OPTIONS", PATH, headers={**PREFLIGHT, "origin": "http://localhost:5173"})
        await client.ask("GET", PATH, headers={"origin": "null"})
        assert [event.fields["what"] for event in client.events.recent("connection.cors")] == [
            "Pages of 'http://localhost:5173' may not use this emulator. Start it with --cors localhost to let all "
            "pages of this machine, whatever their port, or with --cors http://localhost:5173 for these alone.",
            "Pages of no origin ('null': opened from a file, or in a sandboxed frame) may not use this emulator. "
            "Serve the page over HTTP and start the emulator with --cors localhost, or start it with --cors null.",
        ]


async def test_a_preflight_may_be_kept_for_a_while_by_what_it_asked() -> None:
    async with http_client({"GetModel": get_model}, cors=("localhost",)) as client:
        asked = {**PREFLIGHT, "origin": "http://[::1]:3000", "access-control-request-private-network": "true"}
        answer = await client.ask("OPTIONS", PATH, headers=asked, key="")
        assert answer.status == 200
        assert answer.headers["access-control-max-age"] == "600"
        assert answer.headers["vary"] == "origin, access-control-request-method, access-control-request-headers"
        assert answer.headers["access-control-allow-private-network"] == "true"


async def test_refusals_reach_the_page_too() -> None:
    async with http_client({"GetModel": get_model}, cors=("http://app.example",)) as client:
        answer = await client.ask("GET", "/v2/nothing", headers={"origin": "http://app.example"})
        assert answer.status == 404
        assert answer.headers["access-control-allow-origin"] == "http://app.example"


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:7878", "127.0.0.1", "[::1]:7878", "me.localhost:1", "127.9.9.9"]
)
async def test_at_a_loopback_address_the_names_of_this_machine_are_answered(host: str) -> None:
    async with http_client({"GetModel": get_model}) as client:
        assert (await client.ask("GET", PATH, headers={"host": host})).status == 200


async def test_the_host_that_a_target_names_counts_whatever_the_field_says() -> None:
    async with http_client({"GetModel": get_model}) as client:
        assert (await client.ask("GET", f"http://localhost:7878{PATH}")).status == 200
        assert (await client.ask("GET", f"http://evil.example{PATH}")).status == 403
        assert (await client.ask("GET", f"http://localhost{PATH}", headers={"host": "evil.example"})).status == 200


async def test_a_path_that_there_is_not_is_an_event_too_without_its_query() -> None:
    async with http_client({"GetModel": get_model}) as client:
        await client.ask("GET", "/v2/modles?key=secret")
        await client.ask("PUT", PATH)
        seen = [event.fields["what"] for event in client.events.recent("connection.http")]
        assert seen == ["GET /v2/modles: 404", f"PUT {PATH}: 405"]


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7878", "localhost.evil.example", "10.0.0.1:7878", "167772161"]
)
async def test_at_a_loopback_address_other_names_are_refused(host: str) -> None:
    async with http_client({"GetModel": get_model}) as client:
        answer = await client.ask("GET", PATH, headers={"host": host})
        assert answer.status == 403
        assert answer.json["status"]["details"] == (
            f"The host '{host}' is not this machine's loopback address. "
            "Use http://127.0.0.1 or http://localhost, or start the emulator with --host."
        )


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1:7878", "clarifai:7878", "[fe80::1]:7878", "me.local", "host.docker.internal", "Models.Example.com"],
)
async def test_at_another_address_names_that_no_page_can_have_are_answered(host: str) -> None:
    async with http_client({"GetModel": get_model}, host="0.0.0.0", allow_hosts=("models.example.com",)) as client:
        assert (await client.ask("GET", PATH, headers={"host": host})).status == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:7878", "10.0.0.1.evil.example", "evil.example."])
async def test_at_another_address_the_name_of_a_page_that_points_here_is_refused(host: str) -> None:
    async with http_client({"GetModel": get_model}, host="0.0.0.0") as client:
        answer = await client.ask("GET", PATH, headers={"host": host})
        assert answer.status == 403
        name = host.removesuffix(":7878")
        assert answer.json["status"]["details"] == (
            f"The emulator does not know the name '{name}' as its own, and a page of that name could be anybody's. "
            f"Use this machine's address, or start the emulator with --allow-host {name}."
        )
