"""People look at the resources of a running emulator: kinds, names, and each as JSON with links."""

from __future__ import annotations

import re
from typing import Any

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import App, Model, Secret, UserAppIDSet

from flow.driver import Client
from flow.page_driver import LIGHT_AND_DARK, PLANTED, opened, violations
from flow.page_driver import client as client
from flow.page_driver import emulator as emulator
from flow.page_driver import page as page
from flow.processes import EmulatorProcess
from real_browser import browser as browser

pytestmark = pytest.mark.of_processes("what the page shows is the same for containers")

VALUE = "a-value-that-nobody-sees"


def test_a_resource_leads_to_what_it_names(page: Any) -> None:
    page.get_by_role("link", name="Resources").click()
    page.get_by_role("link", name="deployment", exact=True).click()
    page.get_by_role("link", name="me/deploy-hello").click()
    detail = page.get_by_role("region", name="deployment me/deploy-hello")
    detail.get_by_role("link", name='"hello"').first.click()
    page.get_by_role("heading", name="model me/demo/hello").wait_for()
    detail = page.get_by_role("region", name="model me/demo/hello")
    detail.get_by_role("link", name="me/demo", exact=True).click()
    page.get_by_role("heading", name="app me/demo", exact=True).wait_for()
    page.go_back()
    page.get_by_role("heading", name="model me/demo/hello").wait_for()
    again = page.context.new_page()
    again.goto(page.url)
    again.get_by_role("heading", name="model me/demo/hello").wait_for()


def test_what_is_made_changed_and_deleted_meanwhile_is_seen(page: Any, client: Client) -> None:
    page.get_by_role("link", name="Resources").click()
    page.get_by_role("link", name="app", exact=True).click()
    page.get_by_role("link", name="me/demo", exact=True).wait_for()
    client.call("PostApps", apps=[App(id="fresh", description="first")])
    page.get_by_role("link", name="me/fresh").click()
    page.get_by_text('"description": "first"').wait_for()
    client.call("PatchApps", apps=[App(id="fresh", description=PLANTED)], action="overwrite")
    page.get_by_text("onerror=").wait_for()
    assert page.title() == "Resources · Clarifai emulator"
    client.call("DeleteApp", user_app_id=UserAppIDSet(user_id="me", app_id="fresh"))
    page.get_by_role("alert").get_by_text("There is no app 'me/fresh', or it was deleted.").wait_for()


def test_many_of_a_kind_come_a_page_at_a_time_and_are_searched(page: Any, client: Client) -> None:
    client.call("PostApps", apps=[App(id="many")])
    client.call(
        "PostModels",
        user_app_id=UserAppIDSet(app_id="many"),
        models=[Model(id=f"m{number:03}") for number in range(120)],
    )
    page.get_by_role("link", name="Resources").click()
    page.get_by_role("link", name="model", exact=True).click()
    page.get_by_text(re.compile(r"^1 to 100 of 12\d, newest first")).wait_for()
    page.get_by_role("button", name="Older").click()
    page.get_by_role("link", name="me/demo/hello").wait_for()
    page.get_by_label("Search by id").fill("many m11")
    page.get_by_text(re.compile("^10 found of")).wait_for()
    page.get_by_label("Search by id").fill("nothing")
    page.get_by_text("has “nothing” in its ids").wait_for()


def test_no_value_of_a_secret_is_shown_and_what_there_is_none_of_says_what_makes_some(
    page: Any, client: Client
) -> None:
    client.call("PostSecrets", secrets=[Secret(id="mine", value=VALUE)])
    page.get_by_role("link", name="Resources").click()
    page.get_by_role("link", name="secret", exact=True).click()
    page.get_by_role("link", name="me/mine").click()
    page.get_by_text('"value": "(hidden)"').wait_for()
    assert VALUE not in page.content()
    page.get_by_text("kinds that there are none of").click()
    page.get_by_role("link", name="pipeline", exact=True).click()
    page.get_by_text("There is no pipeline yet.").wait_for()


def test_an_address_that_names_nothing_is_told(page: Any) -> None:
    start = page.url.partition("#")[0]
    page.goto(f"{start}#/resources/nothing/x")
    page.get_by_role("alert").get_by_text("There is no kind 'nothing'.").first.wait_for()
    page.goto(f"{start}#/resources/app/{'%3Cscript%3E/' * 3}")
    page.get_by_role("alert").get_by_text("There is no app '<script>/").wait_for()


def test_the_keyboard_is_enough(page: Any) -> None:
    page.get_by_role("link", name="Resources").click()
    page.get_by_role("link", name="deployment", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_role("link", name="me/deploy-hello").focus()
    page.keyboard.press("Enter")
    page.get_by_role("region", name="deployment me/deploy-hello").wait_for()


@pytest.mark.parametrize(("scheme", "width"), LIGHT_AND_DARK)
def test_it_is_read_light_and_dark_on_small_and_large_screens(
    browser: Any, emulator: EmulatorProcess, client: Client, scheme: str, width: int
) -> None:
    with opened(browser, emulator, color_scheme=scheme, viewport={"width": width, "height": 900}) as page:
        for at in ("", "/deployment", "/deployment/me/deploy-hello", "/pipeline"):
            page.goto(f"{page.url.partition('#')[0]}#/resources{at}")
            page.get_by_role("heading", name="Resources").wait_for()
            if at.endswith("hello"):
                page.get_by_text('"autoscale_config"').wait_for()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert violations(page) == []
