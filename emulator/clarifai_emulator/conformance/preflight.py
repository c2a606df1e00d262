"""Looks before a run whether the target answers, who the token is, and whether it may do what probes do."""

from __future__ import annotations

import os
import re
import urllib.request
from collections.abc import Mapping
from typing import Any

from clarifai_emulator.api.rpc import rpc_table
from clarifai_emulator.conformance.http_client import HttpClient
from clarifai_emulator.conformance.platform_client import PlatformClient, TargetAccount
from clarifai_emulator.conformance.seen import HttpAnswer, named, picked
from clarifai_emulator.errors import ControlError

TOKENS_PAGE = "https://clarifai.com/settings/security"
# What a run makes and removes, whatever it is asked to probe.
_NEEDED = (
    *("PostApps", "DeleteApp", "PostModels", "PostKeys", "DeleteKey", "ListKeys"),
    *("PostComputeClusters", "DeleteComputeClusters", "PostNodepools", "DeleteNodepools"),
    *("PostDeployments", "DeleteDeployments"),
)
_REFUSED = frozenset({11008, 11009, 11102})


def target_url(text: str) -> str:
    """Return the base URL of what ``--target`` says. Raises ``ControlError``."""
    url = text.strip().rstrip("/")
    if "://" not in url:
        url = f"https://{url}"
    if not re.fullmatch(r"https?://[^/\s@]+", url):
        raise ControlError(
            f"--target {text!r} is no base URL.",
            hint="Write scheme, host and port, as in --target https://api.clarifai.com.",
            reason="usage",
        )
    return url


def account_of(
    url: str, environ: Mapping[str, str] = os.environ, *, words: str = "CLARIFAI"
) -> TargetAccount | None:
    """Return the account that the environment names, None where it names none. Asks the target for the user's id
    where only the token is given. Raises ``ControlError`` where the target cannot be used with it."""
    pat = environ.get(f"{words}_PAT", "").strip()
    if not pat:
        return None
    said = environ.get(f"{words}_USER_ID", "").strip()
    user_id = _user_of(url, pat, f"{words}_PAT")
    if said and said not in (user_id, "me"):
        raise ControlError(
            f"{words}_PAT is a token of user '{user_id}', and {words}_USER_ID says '{said}'.",
            hint=f"The kit makes things in the token's own account only: unset {words}_USER_ID, or use a token of "
            f"'{said}'.",
        )
    return TargetAccount(url, user_id, pat, environ.get(f"{words}_ORGANIZATION_ID", "").strip())


def missing_credentials(url: str) -> ControlError:
    """Return what to raise where the environment names no token."""
    return ControlError(
        f"There is no token for {url}: CLARIFAI_PAT is not set.",
        hint=f"Make a personal access token ({TOKENS_PAGE}) and set CLARIFAI_PAT; it is sent to the target and "
        "neither shown nor stored.",
    )


def check_target(client: PlatformClient) -> None:
    """See that gRPC reaches the target, and that the token has the scopes. Raises ``ControlError``."""
    url = client.account.url
    answer = client.call("MyScopes", timeout=20)
    if answer.message is None:
        raise ControlError(
            f"{url} answers REST, but not gRPC: {answer.grpc_status}, {answer.grpc_details}",
            hint=f"gRPC needs HTTP/2 all the way{_proxy_words(url)}.",
        )
    if not answer.succeeded:
        return  # an RPC that it may lack; what the token may not do is seen when it is refused
    has = set(answer.message.scopes)
    needed = {scope for rpc in _NEEDED for scope in rpc_table()[rpc].scopes}
    lacking = sorted(needed - has)
    if "All" in has or not has or not lacking:
        return
    raise ControlError(
        f"The token lacks the scopes {', '.join(lacking)}: what probes make could not be made, or not be removed.",
        hint=f"Use a personal access token with all scopes ({TOKENS_PAGE}).",
    )


def _user_of(url: str, pat: str, variable: str) -> str:
    http = HttpClient(url)
    try:
        answer = http.ask("GET", "/v2/users/me", None, {"authorization": f"Key {pat}"}, timeout=20)
    except ControlError as error:
        raise ControlError(f"{error.message}{_proxy_words(url)}", hint=error.hint) from None
    finally:
        http.close()
    found = picked(answer.json, "status.code", "user.id")
    if not isinstance(found["status.code"], int):
        raise _no_platform(url, answer)
    if found["status.code"] in _REFUSED:
        raise ControlError(
            f"{url} does not take {variable}: {answer.details}",
            hint=f"Look whether it is a personal access token of this platform ({TOKENS_PAGE}).",
        )
    if not found["user.id"]:
        raise ControlError(
            f"{url} does not say whose token {variable} is: {named(found['status.code'])}. {answer.details}",
            hint=f"A personal access token may ask that; an app's key may not ({TOKENS_PAGE}).",
        )
    return str(found["user.id"])


def _no_platform(url: str, answer: HttpAnswer) -> ControlError:
    kind = answer.headers.get("content-type", "no content type").partition(";")[0]
    title: Any = re.search(r"<title>\s*(.{1,80}?)\s*</title>", answer.text, re.IGNORECASE | re.DOTALL)
    begins = " ".join(answer.text.split())[:80]
    what = f"a page, “{title[1]}”" if title else f"{kind}: {begins!r}"
    return ControlError(
        f"{url} is not the platform's API: GET /v2/users/me gave HTTP {answer.http_status} and {what}.",
        hint="Look whether the address is that of the API (https://api.clarifai.com), and whether something before "
        f"it wants a login{_proxy_words(url)}.",
    )


def _proxy_words(url: str) -> str:
    """Return which proxy requests go through, as the end of a sentence; without what it may hold of a password."""
    scheme = url.partition("://")[0]
    proxy = urllib.request.getproxies().get(scheme, "")
    host = url.partition("://")[2]
    if not proxy or urllib.request.proxy_bypass(host):
        return ""
    return f"; requests go through the proxy {proxy.rpartition('@')[2]} ({scheme}_proxy)"
