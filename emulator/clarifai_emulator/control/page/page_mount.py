"""Takes a browser's requests for the page; what serves them is imported when the first one comes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clarifai_emulator.api.transport.mounts import HttpMount
from clarifai_emulator.emulator import Emulator

if TYPE_CHECKING:
    from clarifai_emulator.api.transport.http_exchange import Exchange
    from clarifai_emulator.api.transport.mounts import Site

DATA = "/_page"


def page_mount(emulator: Emulator, control_token: str) -> HttpMount:
    """Give what puts the page beside the platform's API. ``control_token``: of the emulator's controls, from which
    the token in the page's address is made."""

    keep_calls(emulator)

    def make() -> Site:
        from clarifai_emulator.control.page.page_admission import PageAdmission
        from clarifai_emulator.control.page.page_site import PageSite

        return PageSite(emulator, PageAdmission.of(emulator, control_token))

    return HttpMount(is_for_page, make, is_for_own_pages=True)


def keep_calls(emulator: Emulator) -> None:
    """Keep what requests are asked and answered from now on."""
    emulator.api.kept_calls.switch_on()


def is_for_page(exchange: Exchange) -> bool:
    """Tell a browser's request from one of an API client, which says ``accept: */*`` and keeps its JSON errors."""
    if exchange.path == "/":
        return exchange.method in ("GET", "HEAD") and "text/html" in exchange.headers.get("accept", "")
    return exchange.path == DATA or exchange.path.startswith(f"{DATA}/")
