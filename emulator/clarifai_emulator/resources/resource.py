"""Creates, changes, removes and shows resources by one set of rules.

Each kind is a row of the table (``kind_table.ROWS``); the families beside this file give the rows. Requests come
through ``api/handlers/resource_verbs.py``; the topology and the deployer call ``Resources`` themselves and get the
same checks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import User, Visibility
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode
from google.protobuf.timestamp_pb2 import Timestamp

from clarifai_emulator.behaviour import Behaviour
from clarifai_emulator.catalogue import Catalogue
from clarifai_emulator.clock import Clock
from clarifai_emulator.errors import CallerError
from clarifai_emulator.messages.not_found import DELETED
from clarifai_emulator.resources.identifiers import fresh_id, id_hint, id_problem
from clarifai_emulator.resources.live_metrics import LiveMetrics
from clarifai_emulator.resources.patching import ACTIONS, assign, only
from clarifai_emulator.resources.permissions import Organisations
from clarifai_emulator.resources.rows import Draft, ParentField, Problem, Record, Resource
from clarifai_emulator.store import Key, Kind, Store

_VISIBILITIES = (Visibility.PRIVATE, Visibility.ORG, Visibility.PUBLIC)


class Resources:
    """Does what the rows of the table say. Used from the emulator's event loop only.

    ``table``: every row, by its kind. A kind that the store names and no row describes is refused at once: it could
    be put there, and never be kept, exported or shown.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        organisations: Organisations,
        catalogue: Catalogue,
        metrics: LiveMetrics,
        rows: Iterable[Record],
        behaviour: Behaviour | None = None,
    ) -> None:
        self.store = store
        self.clock = clock
        self.organisations = organisations
        self.catalogue = catalogue
        self.metrics = metrics
        self.behaviour = behaviour or Behaviour()
        self.table: dict[Kind, Record] = {row.kind: row for row in rows}
        self._rows = {kind: row for kind, row in self.table.items() if isinstance(row, Resource)}
        self._lying_in: dict[Kind, list[Kind]] = {kind: [] for kind in self.table}
        for row in self.served:
            if row.parents:
                self._lying_in[row.parents[-1].kind].append(row.kind)
        for kind in self.table:
            store.add_kind(kind)
        for kind in store.kinds:
            if kind not in self.table:
                raise TypeError(f"No row of the table of resources describes the kind {str(kind)!r}.")

    @property
    def served(self) -> tuple[Resource, ...]:
        """Return the rows that the platform's API serves."""
        return tuple(self._rows.values())

    def row(self, kind: Kind) -> Resource:
        """Return the row of a kind that is served."""
        return self._rows[kind]

    def post(
        self, kind: Kind, owner: str, parents: Sequence[str], items: Iterable[Any], *, makes_parents: bool = True
    ) -> list[Key]:
        """Create resources of ``owner`` below ``parents`` (their ids, outermost first) and give their keys.

        All or none: raises ``CallerError`` that lists every problem of every item. A blank parent is taken from
        the item itself. ``makes_parents``: make an app that is not there.
        """
        row = self._rows[kind]
        drafts = self.check(kind, owner, parents, items, makes_parents=makes_parents)
        self.ensure_user(owner)
        for draft in drafts:
            self._make_parents(row, draft.key)
            self.store.put(kind, draft.key, draft.message)
            row.saved(self, draft)
        return [draft.key for draft in drafts]

    def check(
        self, kind: Kind, owner: str, parents: Sequence[str], items: Iterable[Any], *, makes_parents: bool = True
    ) -> list[Draft]:
        """Check what ``post`` would create, and raise as it would; nothing is created."""
        row = self._rows[kind]
        drafts = [self._draft(row, (owner, *parents), item) for item in items]
        for draft in drafts:
            self.require_parents(row, draft.key, owner, making=makes_parents)
        self._check(row, drafts)
        return drafts

    def patch(self, kind: Kind, owner: str, parents: Sequence[str], items: Iterable[Any], action: str) -> list[Key]:
        """Change resources of ``owner`` and give their keys; all or none. Raises ``CallerError``."""
        row = self._rows[kind]
        drafts = self.check_patch(kind, owner, parents, items, action)
        for draft in drafts:
            self.store.put(kind, draft.key, draft.message, to_front=row.listed_by_change)
            row.saved(self, draft)
        return [draft.key for draft in drafts]

    def check_patch(
        self, kind: Kind, owner: str, parents: Sequence[str], items: Iterable[Any], action: str
    ) -> list[Draft]:
        """Check what ``patch`` would change, and raise as it would; nothing is changed."""
        row = self._rows[kind]
        if action not in row.actions:
            raise CallerError(
                row.invalid_argument,
                f"Invalid action: Unrecognized action {action!r}. Supported actions: {', '.join(row.actions)}",
                row="patch.actions",
            )
        change = ACTIONS[action]
        drafts = [self._changed(row, (owner, *parents), item, change, is_patch=True) for item in items]
        self._check(row, drafts)
        return drafts

    def assign(
        self, kind: Kind, owner: str, parents: Sequence[str], given: Any, names: Collection[str]
    ) -> tuple[str, ...]:
        """Give these fields of a resource the values that they have in ``given``, also none, which no patch can
        say; the fields that differ now. The checks are those of ``patch``. Raises ``CallerError``."""
        row = self._rows[kind]
        named = {name for name in names if name not in self._not_given(row)}
        part = only(given, {*named, "id"})
        draft = self._changed(row, (owner, *parents), part, partial(assign, names=named))
        self._check(row, [draft])
        differing = tuple(
            each.name
            for each in row.message.DESCRIPTOR.fields
            if each.name != "modified_at" and getattr(draft.message, each.name) != getattr(draft.old, each.name)
        )
        if differing:
            self.store.put(kind, draft.key, draft.message, to_front=row.listed_by_change)
            row.saved(self, draft)
        return differing

    def delete(self, kind: Kind, keys: Iterable[Key]) -> None:
        """Remove resources and what cannot stay without them. Unknown keys are passed over."""
        row = self._rows[kind]
        for key in keys:
            if self.store.get(kind, key) is not None:
                row.before_delete(self, key)
                for below in self._lying_in[kind]:
                    self.delete(below, list(self.store.keys(below, key)))
                self.store.delete(kind, key)

    def shown(self, kind: Kind, key: Key, viewer: str | None = None) -> Any:
        """The resource as an answer shows it: a copy, with what is filled at reading and without what is hidden,
        also from ``viewer`` (None: the owner). Raises ``CallerError`` when there is none."""
        row = self._rows[kind]
        item = self.stored(kind, key)
        copy = row.message()
        copy.CopyFrom(item)
        row.show(self, key, copy, viewer or key[0])
        return copy

    def stored(self, kind: Kind, key: Key) -> Any:
        """The resource as it is stored: not to be changed. Raises ``CallerError`` when there is none."""
        item = self.store.get(kind, key)
        if item is None:
            raise self.missing(kind, key)
        return item

    def missing(self, kind: Kind, key: Key, caller: str | None = None) -> CallerError:
        """The platform's refusal for a resource that does not exist, or that ``caller`` may not see. Only an
        owner is helped with the names of what there is."""
        row = self._rows[kind]
        if row.not_found_text:
            return CallerError(
                row.does_not_exist, row.not_found_text.format(user=key[0], id=key[-1]), row="reading.missing-model"
            )
        hint = self._known(row, key[:-1], [key[-1]]) if self._owns(caller, key[0]) else ""
        if row.not_found:
            return CallerError(
                row.does_not_exist, row.not_found.format(user=key[0], id=key[-1]), hint=hint, row="refusals.missing"
            )
        inside = "".join(f" in {parent.kind.replace('_', ' ')} {name!r}" for parent, name in _inside(row, key))
        details = f"{row.noun.capitalize()} {key[-1]!r} does not exist for user {key[0]!r}{inside}."
        return CallerError(row.does_not_exist, details, hint=hint, row="refusals.missing")

    def _known(self, row: Resource, prefix: Key, ids: Sequence[str]) -> str:
        """Return a sentence that helps with ids that do not exist below ``prefix``."""
        known = (each[-1] for each in islice(self.store.keys(row.kind, prefix), 1000))
        return id_hint(ids[0], known, noun=row.noun)

    def to_delete(self, kind: Kind, prefix: Key, ids: Sequence[str]) -> list[Key]:
        """Return the keys of what an owner wants deleted. Raises ``CallerError`` unless all of it exists."""
        row = self._rows[kind]
        unknown = [each for each in ids if self.find(kind, (*prefix, each)) is None]
        if unknown and row.unknown_ids:
            details = DELETED.format(noun=row.noun, ids=", ".join(unknown))
            raise CallerError(row.unknown_ids, f"{details}.", hint=self._known(row, prefix, unknown))
        return [self.existing(kind, (*prefix, each)) for each in ids]

    def visible(self, kind: Kind, key: Key, caller: str) -> bool:
        """Tell whether ``caller`` may see the resource: its own, its organisation's, or one whose visibility lets
        it, and that of the containers and of the user (where it is set) too."""
        row, is_member = self._rows[kind], self.organisations.may_change(caller, key[0])
        is_barred = is_member and not self.organisations.role(caller, key[0]).may_read(kind)
        if is_member and not is_barred:
            return True
        if not row.has("visibility"):
            return False
        path = [(parent.kind, key[: depth + 2]) for depth, parent in enumerate(row.parents)]
        found = [self.store.get(each, prefix) for each, prefix in ((Kind.USER, key[:1]), *path, (kind, key))]
        limits = [getattr(item, "visibility", None) for item in found]  # artifacts have none of their own
        said = [each for each in limits if each is not None and each.gettable]
        if is_barred:
            return bool(said) and all(each.gettable == Visibility.PUBLIC for each in said)
        return bool(said) and all(self.organisations.can_see(caller, key[0], each) for each in said)

    def add_user(self, user: User) -> None:
        """Put a user there that exists before it calls or owns anything, or add to what is known of it."""
        added = User(created_at=self.now())
        known: User | None = self.store.get(Kind.USER, (user.id,))
        if known is not None:
            added.CopyFrom(known)
        added.MergeFrom(user)
        self.store.put(Kind.USER, (user.id,), added)

    def find(self, kind: Kind, pattern: Key) -> Key | None:
        """The newest key that fits a pattern, in which an empty id fits any; None when there is none."""
        if "" not in pattern:
            return pattern if self.store.get(kind, pattern) is not None else None
        return next((key for key in self.below(kind, pattern[:-1]) if key[-1] == pattern[-1]), None)

    def ensure_user(self, user_id: str) -> None:
        """Create the user when it is not there yet."""
        if self.store.get(Kind.USER, (user_id,)) is None:
            self.store.put(Kind.USER, (user_id,), User(id=user_id, created_at=self.now()))

    def require_user(self, user_id: str, caller: str) -> None:
        """Raise ``CallerError`` 11101 for a user that is neither the caller nor known to it."""
        if user_id != caller and not self._knows(caller, user_id):
            known = (key[0] for key in self.store.keys(Kind.USER) if self._knows(caller, key[0]))
            raise CallerError(
                StatusCode.CONN_DOES_NOT_EXIST,
                f"User {user_id!r} does not exist.",
                hint=f"You are {caller!r}. {id_hint(user_id, [*known, caller], noun='user')}",
                row="reading.unknown-user",
            )

    def _owns(self, caller: str | None, owner: str) -> bool:
        return caller is None or self.organisations.may_change(caller, owner)

    def _knows(self, caller: str, user_id: str) -> bool:
        user: User | None = self.store.get(Kind.USER, (user_id,))
        if user is None:
            return False
        return not user.visibility.gettable or self.organisations.can_see(caller, user_id, user.visibility)

    def now(self) -> Timestamp:
        """The clock's time as the platform's messages hold it."""
        stamp = Timestamp()
        stamp.FromNanoseconds(round(self.clock.now() * 1_000_000) * 1000)
        return stamp

    def _draft(self, row: Resource, prefix: Key, given: Any) -> Draft:
        message = row.message()
        message.CopyFrom(given)
        for name in ("created_at", "modified_at", *row.read_only):
            if row.has(name):
                message.ClearField(name)
        if row.assigns_id and not message.id:
            message.id = fresh_id()
        parents = (prefix[at + 1] or at_path(given, parent.in_item) for at, parent in enumerate(row.parents))
        draft = Draft((prefix[0], *parents, message.id), message, given)
        if row.has("created_at"):
            message.created_at.CopyFrom(self.now())
        self._fill(row, draft)
        return draft

    def _changed(
        self, row: Resource, prefix: Key, given: Any, change: Callable[[Any, Any], None], *, is_patch: bool = False
    ) -> Draft:
        old_key = self.existing(row.kind, (*prefix, given.id))
        old = self.store.get(row.kind, old_key)
        allowed = row.message()
        allowed.CopyFrom(given)
        for name in self._not_given(row):
            allowed.ClearField(name)
        message = row.message()
        message.CopyFrom(old)
        change(message, allowed)
        draft = Draft(old_key, message, given, old, is_patch)
        self._fill(row, draft)
        return draft

    @staticmethod
    def _not_given(row: Resource) -> list[str]:
        """Return the fields that no change of a resource sets."""
        names = ("created_at", "modified_at", "user_id", *(("app_id",) if row.is_in_app else ()), *row.read_only)
        return [name for name in names if row.has(name)]

    def _fill(self, row: Resource, draft: Draft) -> None:
        message = draft.message
        if row.has("visibility") and not message.visibility.gettable and not row.inherits_visibility:
            message.visibility.gettable = Visibility.PRIVATE
        if row.has("modified_at"):
            message.modified_at.CopyFrom(self.now())
        if row.has("user_id"):
            message.user_id = draft.owner
        if row.is_in_app:
            message.app_id = draft.key[1]
        row.prepare(self, draft)

    def _check(self, row: Resource, drafts: Sequence[Draft]) -> None:
        if not drafts:
            raise CallerError(row.invalid_argument, f"{row.names} is empty.", hint="Give at least one item.")
        problems: list[Problem] = []
        seen: set[Key] = set()
        for index, draft in enumerate(drafts):
            found = [*self._own_problems(row, draft), *row.validate(self, draft)]
            if draft.key in seen:
                found.append(
                    Problem("id", f"{row.quoted(draft)} is given twice", StatusCode.DATABASE_DUPLICATE_KEY)
                )
            seen.add(draft.key)
            problems.extend(Problem(f"{row.names}[{index}].{each.where}", each.text, each.code) for each in found)
        if problems:
            code = next((each.code for each in problems if each.code), row.invalid_argument)
            raise CallerError(code, "; ".join(f"{each.where}: {each.text.rstrip('.')}" for each in problems) + ".")

    def _own_problems(self, row: Resource, draft: Draft) -> Iterator[Problem]:
        if draft.old is None:
            text = id_problem(draft.message.id)
            if text:
                yield Problem("id", "is not a valid id" if row.hides_id else text)
            elif self.store.get(row.kind, draft.key) is not None:
                yield Problem(
                    "id",
                    f"{row.noun} {row.quoted(draft)} already exists; "
                    "choose another id, or patch or delete that one",
                    StatusCode.DATABASE_DUPLICATE_KEY,
                )
            for parent, name in zip(row.parents, draft.key[1:-1], strict=True):
                if not name:
                    yield Problem(parent.in_request, "must not be empty")
            if row.has("user_id") and draft.given.user_id not in ("", "me", draft.owner):
                yield Problem("user_id", f"is {draft.given.user_id!r}, but the request is about {draft.owner!r}")
        gettable = draft.message.visibility.gettable if row.has("visibility") else 0
        if gettable and gettable not in _VISIBILITIES:
            yield Problem(
                "visibility.gettable",
                f"{gettable} is none of 10 (private), 30 (org), 50 (public)",
            )
        elif gettable == Visibility.PUBLIC and not self._may_publish(draft.owner):
            # The SDK looks for these words.
            yield Problem(
                "visibility.gettable", f"user profile has to be set public first; {draft.owner!r} is not public"
            )

    def _may_publish(self, owner: str) -> bool:
        user: User | None = self.store.get(Kind.USER, (owner,))
        return user is None or user.visibility.gettable in (0, Visibility.PUBLIC)

    def require_parents(self, row: Resource, key: Key, caller: str, *, making: bool = False) -> None:
        """Raise ``CallerError`` unless ``caller`` may see everything that a key lies in. Blank ids are passed
        over; with ``making``, so is what would be created (apps)."""
        for depth, parent in enumerate(row.parents):
            parent_key = key[: depth + 2]
            if "" in parent_key or (making and self._rows[parent.kind].make):
                continue
            if self.store.get(parent.kind, parent_key) is None or not self.visible(parent.kind, parent_key, caller):
                raise self.missing(parent.kind, parent_key, caller)

    def _make_parents(self, row: Resource, key: Key) -> None:
        for depth, parent in enumerate(row.parents):
            make = self._rows[parent.kind].make
            if make is not None and self.store.get(parent.kind, key[: depth + 2]) is None:
                make(self, key[: depth + 2])

    def existing(self, kind: Kind, pattern: Key) -> Key:
        """Like ``find``, but raises ``CallerError`` when nothing fits."""
        key = self.find(kind, pattern)
        if key is None:
            raise self.missing(kind, pattern)
        return key

    def below(self, kind: Kind, pattern: Key) -> Iterator[Key]:
        """Keys that start with a pattern, in which an empty id fits any; newest first."""
        fixed = pattern[: pattern.index("")] if "" in pattern else pattern
        rest = [(at, name) for at, name in enumerate(pattern) if name and at >= len(fixed)]
        keys = self.store.keys(kind, fixed)
        return (key for key in keys if all(key[at] == name for at, name in rest)) if rest else iter(keys)


def at_path(message: Any, path: str) -> str:
    """The text at a dotted path of fields, ``user_app_id.app_id``; empty for no path."""
    if not path:
        return ""
    for name in path.split("."):
        message = getattr(message, name)
    return str(message)


def _inside(row: Resource, key: Key) -> list[tuple[ParentField, str]]:
    return [(parent, name) for parent, name in zip(row.parents, key[1:-1], strict=False) if name]
