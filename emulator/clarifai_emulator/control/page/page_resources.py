"""Shows a browser every resource there is, as the platform's JSON with links, and no value of a secret or key.

resources                   the kinds, with counts
resources?kind=KIND         their names, a page at a time; search=TEXT, start=N
resources?kind=…&key=KEY    one of them: its JSON, what its fields name, what it lies in and what lies in it
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from clarifai_emulator.control.page.page_links import FieldLinks
from clarifai_emulator.control.page.page_masks import HIDDEN, PageMasks
from clarifai_emulator.control.page.page_topics import Asked, PageContext, PageTopic, Read, SavedShown
from clarifai_emulator.resources.rows import Resource
from clarifai_emulator.store import Key, Kind

_PAGE = 100
_NEWEST = 20
_OPAQUE = "hidden-"
# A key that only differs in its version is of the same thing; two ids alone may be alike by chance.
_LEAST_SHARED_KEY = 3


class PageResources(PageTopic):
    """Tells of every kind of the table of resources."""

    def __init__(self, context: PageContext) -> None:
        super().__init__(context)
        self._resources = self.emulator.resources
        self._links = FieldLinks(self._resources)
        self._salt = secrets.token_bytes(16)

    def reads(self) -> Mapping[str, Read]:
        return {"resources": self._read}

    async def _read(self, asked: Asked) -> dict[str, Any]:
        name = asked.text("kind")
        if not name:
            return {"kinds": self._kinds()}
        kind = next((each for each in self._resources.table if each == name), None)
        if kind is None:
            known = ", ".join(sorted(self._resources.table))
            return _missing(f"There is no kind '{name[:100]}'. Kinds are {known}.")
        masks = PageMasks(self.emulator)
        if key := asked.text("key"):
            return self._one(kind, key, masks)
        return self._list(kind, asked.text("search"), max(0, int(asked.number("start"))), masks)

    def saved(self, shown: SavedShown) -> Iterator[tuple[str, dict[str, str]]]:
        if not shown.is_whole:
            return
        yield "resources", {}
        masks = PageMasks(self.emulator)
        for each in self._kinds():
            kind = each["kind"]
            yield "resources", {"kind": kind}
            for key in islice(self.emulator.store.keys(kind), _PAGE):
                yield "resources", {"kind": kind, "key": self._handle(kind, key, masks)}

    def _kinds(self) -> list[dict[str, Any]]:
        """Return every kind; those of which there is something come first."""
        counted = [{"kind": kind, "count": self.emulator.store.count(kind)} for kind in self._resources.table]
        return sorted(counted, key=lambda each: not each["count"])

    def _list(self, kind: Kind, search: str, start: int, masks: PageMasks) -> dict[str, Any]:
        """Return some of a kind, newest first, whose name or owner has a text in it."""
        words = search.lower().split()
        keys = list(self.emulator.store.keys(kind))
        named = ((key, self._handle(kind, key, masks)) for key in keys) if words else ()
        found = [key for key, handle in named if all(each in handle.lower() for each in words)] if words else keys
        some = found[start : start + _PAGE]
        return {
            "kind": kind,
            "count": len(keys),
            "found": len(found),
            "start": start,
            "items": [self._named(kind, key, masks) for key in some],
        }

    def _one(self, kind: Kind, handle: str, masks: PageMasks) -> dict[str, Any]:
        store, row = self.emulator.store, self._resources.table[kind]
        key = self._key_of(kind, handle, masks)
        item = store.get(kind, key) if key is not None else None
        if key is None or item is None:
            return _missing(f"There is no {kind.replace('_', ' ')} '{handle[:200]}', or it was deleted.")
        shown = self._resources.shown(kind, key) if isinstance(row, Resource) else item
        links = self._links.find(row, key, shown) if isinstance(row, Resource) else ()
        return {
            **self._named(kind, key, masks),
            "json": self._as_json(kind, shown, masks),
            "links": [{"at": link.path, **self._named(link.kind, link.key, masks)} for link in links],
            "lies_in": [self._named(*each, masks) for each in self._lies_in(kind, key)],
            "holds": list(self._holds(kind, key, masks)),
        }

    def _holds(self, kind: Kind, key: Key, masks: PageMasks) -> Iterator[dict[str, Any]]:
        """Yield what lies in a resource, by kind: how many, and the newest of them."""
        store = self.emulator.store
        for each, row in self._resources.table.items():
            lies_in_it = isinstance(row, Resource) and row.parents and row.parents[-1].kind == kind
            if lies_in_it and (count := store.count(each, key)):
                newest = islice(store.keys(each, key), _NEWEST)
                items = [self._named(each, inner, masks) for inner in newest]
                yield {"kind": each, "count": count, "items": items}

    def _lies_in(self, kind: Kind, key: Key) -> Iterator[tuple[Kind, Key]]:
        """Yield what a resource is part of, outermost first; of what no RPC shows, what has the same key."""
        row, store = self._resources.table[kind], self.emulator.store
        if kind != Kind.USER and store.get(Kind.USER, key[:1]) is not None:
            yield Kind.USER, key[:1]
        if isinstance(row, Resource):
            for depth, parent in enumerate(row.parents):
                if store.get(parent.kind, key[: depth + 2]) is not None:
                    yield parent.kind, key[: depth + 2]
        elif len(key) >= _LEAST_SHARED_KEY:
            yield from ((each, key) for each in self._resources.table if each != kind and store.get(each, key))

    def _as_json(self, kind: Kind, item: Any, masks: PageMasks) -> Any:
        """Return the platform's JSON of a resource, or what is kept of it where the platform has none."""
        if isinstance(item, Message):
            content = MessageToDict(item, preserving_proto_field_name=True)
        else:
            content = json.loads(json.dumps(item.as_record(), default=str))
            for each in content.get("secrets", ()):
                each["value"] = HIDDEN if each.get("value") else ""
        if kind == Kind.SECRET and "value" in content:
            content["value"] = HIDDEN
        if kind == Kind.KEY:
            content["id"] = HIDDEN
        return masks.masked(content)

    def _named(self, kind: Kind, key: Key, masks: PageMasks) -> dict[str, str]:
        return {"kind": kind, "key": self._handle(kind, key, masks)}

    def _handle(self, kind: Kind, key: Key, masks: PageMasks) -> str:
        """Name a resource in addresses: by its ids, or where these are not to be seen by a mark that is good until
        the emulator ends."""
        name = "/".join(key)
        if kind != Kind.KEY and masks.shows(name) and not name.startswith(_OPAQUE):
            return name
        mark = hmac.new(self._salt, f"{kind} {name}".encode(), "sha256").hexdigest()
        return f"{_OPAQUE}{mark[:12]}"

    def _key_of(self, kind: Kind, handle: str, masks: PageMasks) -> Key | None:
        if not handle.startswith(_OPAQUE):
            key = tuple(handle.split("/"))
            return key if kind != Kind.KEY and masks.shows(handle) else None
        keys = self.emulator.store.keys(kind)
        return next(islice((key for key in keys if self._handle(kind, key, masks) == handle), 1), None)


def _missing(text: str) -> dict[str, Any]:
    """Answer for what is not there: no error, for what is looked at may be deleted any time."""
    return {"missing": text}
