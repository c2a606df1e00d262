"""Patch actions on messages."""

from __future__ import annotations

from clarifai_grpc.grpc.api.resources_pb2 import App, Model, ModelVersion, Nodepool

from clarifai_emulator.resources.patching import assign, merge, overwrite, remove


def nodepool(**fields: object) -> Nodepool:
    return Nodepool(**fields)  # pyright: ignore[reportArgumentType]


def test_overwrite_replaces_what_is_present_and_nothing_else() -> None:
    target = nodepool(
        id="pool", description="old", max_instances=3, instance_types=[{"id": "a"}, {"id": "b"}], metadata={"x": 1}
    )
    overwrite(target, nodepool(description="new", instance_types=[{"id": "c"}], metadata={"y": 2}))
    assert target == nodepool(
        id="pool", description="new", max_instances=3, instance_types=[{"id": "c"}], metadata={"y": 2}
    )


def test_merge_adds_to_lists_metadata_and_nested_messages() -> None:
    target = nodepool(
        id="pool",
        compute_cluster={"id": "cluster", "region": "r"},
        instance_types=[{"id": "a", "price": "1"}, {"id": "b"}],
        metadata={"x": 1, "y": 1},
        node_capacity_type={"capacity_types": [1]},
    )
    merge(
        target,
        nodepool(
            description="new",
            compute_cluster={"region": "other"},
            instance_types=[{"id": "a", "price": "2"}, {"id": "c"}],
            metadata={"y": 2},
            node_capacity_type={"capacity_types": [1, 2]},
        ),
    )
    assert target == nodepool(
        id="pool",
        description="new",
        compute_cluster={"id": "cluster", "region": "other"},
        instance_types=[{"id": "a", "price": "2"}, {"id": "b"}, {"id": "c"}],
        metadata={"x": 1, "y": 2},
        node_capacity_type={"capacity_types": [1, 2]},
    )


def test_merge_takes_method_signatures_by_name() -> None:
    target = ModelVersion()
    target.method_signatures.add(name="predict", description="old")
    given = ModelVersion()
    given.method_signatures.add(name="predict", description="new")
    given.method_signatures.add(name="generate")
    merge(target, given)
    assert [(each.name, each.description) for each in target.method_signatures] == [
        ("predict", "new"),
        ("generate", ""),
    ]


def test_remove_takes_out_what_is_given() -> None:
    target = Model(id="m", notes="old", toolkits=["a", "b"], metadata={"x": 1, "y": 1})  # pyright: ignore[reportArgumentType]
    remove(target, Model(id="m", notes="other", toolkits=["b", "c"], metadata={"x": 0, "z": 0}))  # pyright: ignore[reportArgumentType]
    assert target == Model(id="m", notes="old", toolkits=["a"], metadata={"y": 1})  # pyright: ignore[reportArgumentType]


def test_remove_of_an_image_by_its_current_url() -> None:
    app = App(id="a", image={"url": "https://x/y.png"})  # pyright: ignore[reportArgumentType]
    remove(app, App(id="a", image={"url": "https://x/y.png"}))  # pyright: ignore[reportArgumentType]
    assert app == App(id="a")


def test_assign_takes_exactly_the_named_fields_also_where_they_are_empty() -> None:
    target = nodepool(id="pool", description="old", min_instances=2, max_instances=3, instance_types=[{"id": "a"}])
    assign(
        target,
        nodepool(max_instances=4, instance_types=[{"id": "b"}]),
        ("description", "min_instances", "max_instances"),
    )
    assert target == nodepool(id="pool", max_instances=4, instance_types=[{"id": "a"}])
