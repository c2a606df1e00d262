"""The catalogue holds what the platform publishes, and says why a model does not fit an instance."""

from __future__ import annotations

from decimal import Decimal

import pytest
from clarifai_grpc.grpc.api.resources_pb2 import (
    CloudProvider,
    ComputeInfo,
    InstanceType,
    NodeCapacityType,
    Visibility,
)

from clarifai_emulator.catalogue import (
    ALL,
    Catalogue,
    fits,
    local_instance_type,
    price_of,
    shared_cluster,
    shared_nodepools,
    speed_of,
)

GIBIBYTE = 1024**3
CATALOGUE = Catalogue(local_instance_type(8, 32 * GIBIBYTE))


def instance(instance_type_id: str) -> InstanceType:
    found = CATALOGUE.find(instance_type_id)
    assert found is not None
    return found


def every_instance_type() -> list[InstanceType]:
    return CATALOGUE.instance_types(ALL, ALL)


# Providers, regions, instance types


def test_the_platforms_seven_providers_and_this_machine() -> None:
    providers = [each.id for each in CATALOGUE.providers()]
    assert providers == ["aws", "gcp", "azure", "vultr", "oracle", "digitalocean", "lambda", "local"]


def test_regions_of_a_provider() -> None:
    assert CATALOGUE.regions("aws") == ["us-east-1", "us-west-2"]
    assert CATALOGUE.regions("gcp") == ["us-east4", "us-central1"]
    assert CATALOGUE.regions("vultr") == ["new-york", "atlanta", "chicago", "seattle"]
    assert CATALOGUE.regions("nowhere") == []
    assert CATALOGUE.regions(ALL)[:3] == ["us-east-1", "us-west-2", "us-east4"]
    assert CATALOGUE.regions(ALL).count("us-east-1") == 1


def test_each_region_has_its_own_instance_types() -> None:
    by_region = {
        region: [each.id for each in CATALOGUE.instance_types("vultr", region)]
        for region in CATALOGUE.regions("vultr")
    }
    assert by_region["atlanta"] == ["vbm-72c-480gb-gh200-gpu"]
    assert "vc2-2c-4gb" in by_region["new-york"]
    assert {each.region for each in CATALOGUE.instance_types("gcp", "us-central1")} == {"us-central1"}
    assert "t3a.medium" in [each.id for each in CATALOGUE.instance_types("aws", "us-west-2")]
    assert {each.region for each in CATALOGUE.instance_types("aws", "us-west-2")} == {"us-west-2"}


def test_all_providers_and_regions_at_once() -> None:
    found = [(each.cloud_provider.id, each.id) for each in CATALOGUE.instance_types(ALL, ALL)]
    providers = list(dict.fromkeys(provider for provider, _ in found))
    assert providers == ["aws", "gcp", "lambda", "local", "oracle", "vultr"]
    assert found[0] == ("aws", "t3a.medium")
    assert {each.cloud_provider.id for each in CATALOGUE.instance_types(ALL, "us-east-1")} == {"aws", "lambda"}
    assert len(CATALOGUE.instance_types("aws", ALL)) == len(CATALOGUE.instance_types("aws", "us-east-1"))


def test_an_unknown_region_has_no_instance_types() -> None:
    assert CATALOGUE.instance_types("aws", "moon-1") == []
    assert CATALOGUE.instance_types("nowhere", "us-east-1") == []


def test_g5_2xlarge_is_what_the_platform_answers() -> None:
    assert instance("g5.2xlarge") == InstanceType(
        id="g5.2xlarge",
        description="g5.2xlarge",
        compute_info=ComputeInfo(
            cpu_limit="7525m",
            cpu_memory="29033Mi",
            num_accelerators=1,
            accelerator_memory="23028Mi",
            accelerator_type=["NVIDIA-A10G"],
        ),
        price="42.000000",
        cloud_provider=CloudProvider(id="aws", name="aws"),
        region="us-east-1",
        feature_flag_group="ComputeResourceSmall",
    )


def test_tpus_have_a_topology_and_a_price_as_all_types_without_a_published_one() -> None:
    tpu = instance("ct5p-hightpu-4t")
    assert (tpu.compute_info.accelerator_memory, list(tpu.compute_info.accelerator_topology)) == ("", ["2x2x1"])
    assert tpu.price == instance("BM.GPU.MI300X.8").price == instance("cl-xl-gpu-8-b200").price == "65.000000"


def test_what_is_there_on_spot_only_says_so() -> None:
    assert list(instance("a3-highgpu-1g").allowed_capacity_types.capacity_types) == [NodeCapacityType.SPOT_TYPE]
    assert not instance("a3-highgpu-8g").HasField("allowed_capacity_types")


@pytest.mark.parametrize(
    ("instance_type_id", "dollars_an_hour"),
    [("t3a.medium", "0.07"), ("g5.2xlarge", "1.51"), ("g6e.12xlarge", "13.10"), ("a3-highgpu-8g", "110.63")],
)
def test_prices_agree_with_the_published_hourly_ones(instance_type_id: str, dollars_an_hour: str) -> None:
    hourly = price_of(instance(instance_type_id)) * Decimal("0.036")
    assert round(hourly, 2) == Decimal(dollars_an_hour)


def test_instance_type_ids_are_unique_and_every_size_can_be_read() -> None:
    ids = [each.id for each in every_instance_type()]
    assert len(ids) == len(set(ids))
    for each in every_instance_type():
        assert fits(each.compute_info, each) == "", each.id


def test_arm_instance_types_say_so() -> None:
    assert instance("t4g.medium").architecture == "linux/arm64"
    assert instance("t3a.medium").architecture == ""


def test_without_facts_about_this_machine_there_is_no_local_instance_type() -> None:
    assert Catalogue().find("local") is None
    assert Catalogue().instance_types("local", "na") == []


def test_the_local_instance_type_is_this_machine_and_free() -> None:
    local = local_instance_type(2.5, 8 * GIBIBYTE, [("NVIDIA-L4", 22 * GIBIBYTE), ("NVIDIA-T4", 15 * GIBIBYTE)])
    assert local.compute_info == ComputeInfo(
        cpu_limit="2500m",
        cpu_memory="8192Mi",
        num_accelerators=2,
        accelerator_memory="15360Mi",
        accelerator_type=["NVIDIA-L4", "NVIDIA-T4"],
    )
    assert (local.cloud_provider.id, local.region, price_of(local)) == ("local", "", 0)
    assert (local.description, local.feature_flag_group) == ("local runner", "ComputeResourceLocal")
    assert CATALOGUE.instance_types("local", "na") == [instance("local")]


def test_the_catalogues_sizes_win_over_the_clients() -> None:
    sent = InstanceType(id="g5.2xlarge", compute_info=ComputeInfo(cpu_limit="8", accelerator_type=["a10"]))
    assert CATALOGUE.resolve(sent) == instance("g5.2xlarge")


def test_an_id_unknown_to_the_catalogue_keeps_the_clients_sizes() -> None:
    sent = InstanceType(id="my-rack", compute_info=ComputeInfo(cpu_limit="64"))
    assert CATALOGUE.resolve(sent) == sent


def test_a_resolved_instance_type_is_a_copy() -> None:
    CATALOGUE.resolve(InstanceType(id="g5.2xlarge")).price = "0"
    assert instance("g5.2xlarge").price == "42.000000"


# Prices and speed


def test_an_instance_type_without_a_price_sorts_last() -> None:
    ids = ["t4g.medium", "g5.2xlarge", "local", "t3a.large"]
    assert sorted(ids, key=lambda each: price_of(instance(each))) == [
        "local",
        "t3a.large",
        "g5.2xlarge",
        "t4g.medium",
    ]
    assert price_of(InstanceType(price="NaN")) == price_of(InstanceType(price="cheap")) == Decimal("Infinity")


def test_speed_goes_by_the_accelerator_for_models_that_use_one_and_by_cpus_for_others() -> None:
    gpu, cpus = instance("g4dn.xlarge"), instance("n2-standard-16")
    assert speed_of(gpu, accelerated=True) > speed_of(cpus, accelerated=True)
    assert speed_of(gpu, accelerated=False) < speed_of(cpus, accelerated=False)
    assert speed_of(instance("a3-highgpu-1g"), accelerated=True) > speed_of(
        instance("a2-ultragpu-1g"), accelerated=True
    )


# What fits


@pytest.mark.parametrize(
    ("needs", "reason"),
    [
        ({}, ""),
        ({"cpu_limit": "3", "cpu_memory": "14Gi"}, ""),
        ({"cpu_limit": "8"}, "needs 8 CPUs, it has 7525m"),
        ({"cpu_requests": "8"}, "needs 8 CPUs, it has 7525m"),
        ({"cpu_memory": "29Gi"}, "needs 29Gi of memory, it has 29033Mi"),
        ({"num_accelerators": 1, "accelerator_memory": "21Gi"}, ""),
        (
            {"num_accelerators": 1, "accelerator_memory": "24Gi"},
            "needs 24Gi of memory per accelerator, it has 23028Mi",
        ),
        ({"num_accelerators": 2}, "needs 2 accelerators, it has 1"),
        ({"num_accelerators": 1, "accelerator_type": ["NVIDIA-H100", "NVIDIA-A10G"]}, ""),
        ({"num_accelerators": 1, "accelerator_type": ["NVIDIA-*"]}, ""),
        ({"num_accelerators": 1, "accelerator_type": ["[NVIDIA*]"]}, ""),
        ({"num_accelerators": 1, "accelerator_type": ["nvidia-a10g"]}, ""),
        ({"num_accelerators": 1, "accelerator_type": ["NVIDIA-A10"]}, "needs NVIDIA-A10, it has NVIDIA-A10G"),
        ({"num_accelerators": 1, "accelerator_type": ["AMD-*"]}, "needs AMD-*, it has NVIDIA-A10G"),
        (
            {"num_accelerators": 1, "accelerator_type": ["NVIDIA-L4", "NVIDIA-H100"]},
            "needs NVIDIA-L4 or NVIDIA-H100, it has NVIDIA-A10G",
        ),
        ({"accelerator_type": ["NVIDIA-*"]}, "asks for NVIDIA-* with num_accelerators 0"),
        (
            {"cpu_memory": "plenty"},
            "a size cannot be read: 'plenty' is not an amount of memory: expected a number with an optional"
            ' suffix, like "16Gi", "512Mi" or "16G"',
        ),
    ],
)
def test_compute_info_is_the_minimum_a_g5_2xlarge_must_meet(needs: dict[str, object], reason: str) -> None:
    assert fits(ComputeInfo(**needs), instance("g5.2xlarge")) == reason  # type: ignore[arg-type]


def test_a_cpu_instance_has_no_accelerator() -> None:
    assert fits(ComputeInfo(num_accelerators=1), instance("t3a.medium")) == "needs 1 accelerator, it has none"


def test_an_instance_that_does_not_say_its_size_cannot_be_matched() -> None:
    unknown = InstanceType(id="my-rack")
    assert fits(ComputeInfo(), unknown) == ""
    assert fits(ComputeInfo(cpu_limit="1"), unknown) == "needs 1 CPUs, and it does not say how much it has"


# Clarifai's shared compute


def test_the_shared_cluster_is_clarifais() -> None:
    cluster = shared_cluster()
    assert (cluster.user_id, cluster.id, cluster.cluster_type, cluster.managed_by) == (
        "clarifai",
        "shared",
        "shared",
        "clarifai",
    )
    assert cluster.visibility.gettable == Visibility.PUBLIC


def test_shared_nodepools_are_priced_enabled_and_public() -> None:
    for nodepool in shared_nodepools(CATALOGUE):
        assert nodepool.compute_cluster == shared_cluster()
        assert nodepool.visibility.gettable == Visibility.PUBLIC
        assert nodepool.max_instances > 0
        assert [price_of(each).is_finite() for each in nodepool.instance_types] == [True]
