"""Tests the catalogue of compute."""

from __future__ import annotations

from typing import Any

import pytest
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from resource_api import ResourceApi, refusal


class TestCatalogue:
    def test_providers_regions_and_instance_types(self, api: ResourceApi) -> None:
        assert [each.id for each in api("ListCloudProviders").cloud_providers][:2] == ["aws", "gcp"]
        regions = api("ListCloudRegions", cloud_provider={"id": "aws"})
        assert (
            list(regions.regions)
            == [each.id for each in regions.cloud_regions]
            == [
                "us-east-1",
                "us-west-2",
            ]
        )
        types = api("ListInstanceTypes", cloud_provider={"id": "aws"}, region="us-east-1").instance_types
        assert "g5.xlarge" in [each.id for each in types]

    @pytest.mark.parametrize(("provider", "region"), [("all", "all"), ("all", "us-east-1"), ("aws", "all")])
    def test_all_providers_and_all_regions(self, api: ResourceApi, provider: str, region: str) -> None:
        found = api("ListInstanceTypes", cloud_provider={"id": provider}, region=region).instance_types
        assert "g5.xlarge" in [each.id for each in found]
        assert "us-chicago-1" in api("ListCloudRegions", cloud_provider={"id": "all"}).regions

    @pytest.mark.parametrize(
        ("rpc", "fields", "problem"),
        [
            ("ListCloudRegions", {"cloud_provider": {"id": "asw"}},
             "Cloud provider 'asw' does not exist. Did you mean 'aws'?"),
            ("ListInstanceTypes", {"cloud_provider": {"id": "aws"}, "region": "moon"},
             "Region 'moon' of cloud provider 'aws' does not exist. There are 'us-east-1', 'us-west-2'."),
        ],
    )  # fmt: skip
    def test_what_does_not_exist(self, api: ResourceApi, rpc: str, fields: dict[str, Any], problem: str) -> None:
        assert refusal(api, rpc, **fields) == (StatusCode.CONN_DOES_NOT_EXIST, problem)
