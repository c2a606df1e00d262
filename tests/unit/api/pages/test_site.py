"""A browser and a health check get answers at the emulator's address, and API clients keep their errors."""

from __future__ import annotations

import pytest

from http_port import http_client

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def test_a_browser_gets_a_page_with_the_address_and_three_ways_to_call() -> None:
    async with http_client({}) as client:
        answer = await client.ask("GET", "/", headers={**BROWSER, "host": "localhost:4321"}, key="")
        page = answer.body.decode()
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert "export CLARIFAI_API_BASE=http://localhost:4321\n" in page
        assert "from clarifai.client import Model" in page
        assert "curl -H" in page
        assert 'base_url="http://localhost:4321/v2/ext/openai/v1"' in page
        assert 'href="/v2/openapi.json"' in page
        assert "{{" not in page


@pytest.mark.parametrize("path", ["/", "/docs", "/docs/"])
async def test_a_page_loads_nothing_from_elsewhere_and_cannot_be_framed(path: str) -> None:
    async with http_client({}) as client:
        answer = await client.ask("GET", path, headers=BROWSER, key="")
        page = answer.body.decode()
        assert "src=" not in page
        assert "https://" not in page.replace("https://clarifai.com/", "")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]


async def test_a_host_that_is_no_host_is_not_written_into_the_page() -> None:
    async with http_client({}, host="0.0.0.0") as client:
        answer = await client.ask("GET", "/", headers={**BROWSER, "host": '"><script>alert(1)</script>'}, key="")
        assert b"alert" not in answer.body


async def test_no_token_is_on_the_page_where_only_some_are_accepted() -> None:
    async with http_client({}, pats={"ada-token": "ada"}) as client:
        page = (await client.ask("GET", "/", headers=BROWSER, key="")).body.decode()
        assert "CLARIFAI_PAT=YOUR_TOKEN" in page
        assert "ada-token" not in page


@pytest.mark.parametrize("accept", ["", "*/*", "application/json"])
async def test_an_api_client_that_asks_at_a_wrong_address_keeps_its_json_error(accept: str) -> None:
    async with http_client({}) as client:
        headers = {"accept": accept} if accept else {}
        answer = await client.ask("GET", "/", headers=headers)
        assert answer.status == 404
        assert answer.json["status"]["details"].startswith("There is no path / in the platform's REST API.")
        assert (await client.ask("POST", "/", headers=BROWSER)).json["status"]["code"] == 11101


async def test_the_documentation_is_a_page_for_whoever_does_not_ask_for_json() -> None:
    async with http_client({}) as client:
        assert b"<title>REST API" in (await client.ask("GET", "/docs", headers={"accept": "*/*"})).body
        assert (await client.ask("GET", "/docs", headers={"accept": "application/json"})).status == 404


@pytest.mark.parametrize("path", ["/health", "/healthz", "/health/"])
async def test_a_health_check_needs_no_token(path: str) -> None:
    async with http_client({}) as client:
        answer = await client.ask("GET", path, key="")
        assert (answer.status, answer.json["status"]) == (200, "ok")
        assert answer.json["name"] == "clarifai-emulator"
        head = await client.ask("HEAD", path, key="")
        assert (head.status, head.body) == (200, b"")
        wrong = await client.ask("POST", path, key="")
        assert (wrong.status, wrong.headers["allow"]) == (405, "get")


async def test_health_is_bad_until_everything_is_there() -> None:
    async with http_client({}, is_ready=lambda: False) as client:
        answer = await client.ask("GET", "/health", key="")
        assert (answer.status, answer.json["status"]) == (503, "starting")
