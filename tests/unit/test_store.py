"""The store: keys, listings, indexes and watchers. Checked against a plain dict where an invariant is natural."""

from __future__ import annotations

import weakref

from hypothesis import given
from hypothesis import strategies as st

from clarifai_emulator.store import Key, Kind, Store


def test_a_resource_comes_back_by_its_exact_key_only() -> None:
    store = Store()
    store.put(Kind.NODEPOOL, ("ada", "cluster", "pool"), "it")
    assert store.get(Kind.NODEPOOL, ("ada", "cluster", "pool")) == "it"
    assert store.get(Kind.NODEPOOL, ("ada", "cluster")) is None
    assert store.get(Kind.RUNNER, ("ada", "cluster", "pool")) is None


def test_listings_are_newest_first_below_any_prefix() -> None:
    store = Store()
    for key in [("ada", "a", "1"), ("ada", "b", "2"), ("bob", "a", "3"), ("ada", "a", "4")]:
        store.put(Kind.NODEPOOL, key, "/".join(key))
    assert list(store.keys(Kind.NODEPOOL, ("ada", "a"))) == [("ada", "a", "4"), ("ada", "a", "1")]
    assert list(store.list(Kind.NODEPOOL, ("ada",))) == ["ada/a/4", "ada/b/2", "ada/a/1"]
    assert list(store.list(Kind.NODEPOOL)) == ["ada/a/4", "bob/a/3", "ada/b/2", "ada/a/1"]
    assert store.newest(Kind.NODEPOOL, ("bob",)) == "bob/a/3"
    assert store.newest(Kind.NODEPOOL, ("eve",)) is None


def test_a_page_is_a_cut_out_of_the_listing() -> None:
    store = Store()
    for number in range(7):
        store.put(Kind.APP, ("ada", str(number)), number)
    assert store.page(Kind.APP, ("ada",), 2, 3) == [4, 3, 2]
    assert store.page(Kind.APP, ("ada",), 6, 3) == [0]
    assert store.page(Kind.APP, ("ada",), 7, 3) == []


def test_a_replaced_resource_keeps_its_place_in_listings_and_indexes() -> None:
    store = Store()
    store.add_index(Kind.APP, lambda item: [item[0]])
    store.put(Kind.APP, ("ada", "first"), "red 1")
    store.put(Kind.APP, ("ada", "second"), "red 2")
    store.put(Kind.APP, ("ada", "first"), "red 3")
    assert list(store.list(Kind.APP, ("ada",))) == ["red 2", "red 3"]
    assert store.find(Kind.APP, "r") == ["red 3", "red 2"]


def test_a_replaced_resource_may_come_to_the_front_of_listings() -> None:
    store = Store()
    for name in ("old", "new"):
        store.put(Kind.APP, ("me", name), name)
    store.put(Kind.APP, ("me", "old"), "changed", to_front=True)
    for prefix in ((), ("me",)):
        assert list(store.list(Kind.APP, prefix)) == ["changed", "new"]
    assert store.count(Kind.APP) == 2


def test_a_resource_is_found_by_what_it_is_now_and_not_by_what_it_was() -> None:
    store = Store()
    store.put(Kind.APP, ("ada", "before the index"), "red blue")
    store.add_index(Kind.APP, str.split)
    assert store.find(Kind.APP, "blue") == ["red blue"]
    store.put(Kind.APP, ("ada", "before the index"), "red green")
    assert store.find(Kind.APP, "blue") == []
    assert store.find(Kind.APP, "green") == ["red green"]
    store.delete(Kind.APP, ("ada", "before the index"))
    assert store.find(Kind.APP, "red") == []


def test_deleting_what_is_not_there_says_so_and_tells_nobody() -> None:
    store, heard = Store(), list[Key]()
    store.watch(lambda kind, key: heard.append(key))
    assert store.delete(Kind.APP, ("ada", "app")) is False
    assert heard == []


def test_watchers_hear_of_every_change_after_it_was_made() -> None:
    store = Store()
    heard: list[tuple[Kind, Key, object]] = []
    store.watch(lambda kind, key: heard.append((kind, key, store.get(kind, key))))
    store.put(Kind.APP, ("ada", "app"), 1)
    store.put(Kind.APP, ("ada", "app"), 2)
    store.delete(Kind.APP, ("ada", "app"))
    assert heard == [(Kind.APP, ("ada", "app"), seen) for seen in (1, 2, None)]


def test_reset_forgets_resources_and_keeps_indexes_and_watchers() -> None:
    store, heard = Store(), list[Key]()
    store.add_index(Kind.APP, str.split)
    store.put(Kind.APP, ("ada", "app"), "red")
    store.watch(lambda kind, key: heard.append(key))
    store.reset()
    assert (store.count(Kind.APP), list(store.list(Kind.APP)), store.find(Kind.APP, "red")) == (0, [], [])
    store.put(Kind.APP, ("ada", "other"), "red")
    assert store.find(Kind.APP, "red") == ["red"]
    assert heard == [("ada", "other")]


class Resource:
    """Stands for a message, and tells when it is gone."""


def test_what_a_reset_forgets_is_given_back_some_at_a_time() -> None:
    store = Store()
    held = []
    for number in range(5):
        resource = Resource()
        held.append(weakref.ref(resource))
        store.put(Kind.KEY, ("ada", str(number)), resource)
    del resource
    leavings = store.reset()
    assert list(store.keys(Kind.KEY)) == []
    assert [each() is not None for each in held] == [True] * 5
    turns = 1
    while leavings.drop(4):
        turns += 1
    assert turns > 1, "not all of it at once"
    assert [each() for each in held] == [None] * 5


_names = st.sampled_from("ab")
_keys = st.tuples(_names, _names, _names)
_steps = st.lists(st.tuples(_keys, st.none() | st.text("xyz", max_size=2)), max_size=40)


@given(_steps)
def test_the_store_is_a_dict_with_sorted_views(steps: list[tuple[Key, str | None]]) -> None:
    store, model = Store(), dict[Key, str]()
    store.add_index(Kind.NODEPOOL, set)
    for key, value in steps:
        if value is None:
            assert store.delete(Kind.NODEPOOL, key) == (model.pop(key, None) is not None)
        else:
            store.put(Kind.NODEPOOL, key, value)
            model[key] = value
    for prefix in {key[:depth] for key, _ in steps for depth in range(4)}:
        below = [key for key in reversed(model) if key[: len(prefix)] == prefix and len(key) > len(prefix)]
        assert list(store.keys(Kind.NODEPOOL, prefix)) == below
        assert list(store.list(Kind.NODEPOOL, prefix)) == [model[key] for key in below]
        assert store.count(Kind.NODEPOOL, prefix) == len(below)
    for letter in "xyz":
        assert sorted(store.find(Kind.NODEPOOL, letter)) == sorted(v for v in model.values() if letter in v)
