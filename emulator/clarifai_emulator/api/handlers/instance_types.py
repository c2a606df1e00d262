"""Answers the catalogue RPCs: cloud providers, their regions, and instance types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clarifai_grpc.grpc.api.resources_pb2 import CloudRegion
from clarifai_grpc.grpc.api.status.status_code_pb2 import StatusCode

from clarifai_emulator.api.call import ApiCall, Handler
from clarifai_emulator.catalogue import ALL, Catalogue
from clarifai_emulator.errors import CallerError
from clarifai_emulator.resources.identifiers import id_hint


def handlers(catalogue: Catalogue) -> dict[str, Handler]:
    """ListCloudProviders, ListCloudRegions and ListInstanceTypes. None of the three has pages."""
    served = _Catalogue(catalogue)
    return {
        "ListCloudProviders": served.list_providers,
        "ListCloudRegions": served.list_regions,
        "ListInstanceTypes": served.list_instance_types,
    }


@dataclass(frozen=True, slots=True)
class _Catalogue:
    catalogue: Catalogue

    def list_providers(self, call: ApiCall, _request: Any) -> Any:
        """ListCloudProviders, in the catalogue's order."""
        response = call.rpc.response_type()
        response.cloud_providers.extend(self.catalogue.providers())
        return response

    def list_regions(self, call: ApiCall, request: Any) -> Any:
        """ListCloudRegions: as plain texts (which the docs show) and as messages (which the SDK reads)."""
        regions = self._regions(request.cloud_provider.id)
        response = call.rpc.response_type()
        response.regions.extend(regions)
        response.cloud_regions.extend(CloudRegion(id=region) for region in regions)
        return response

    def list_instance_types(self, call: ApiCall, request: Any) -> Any:
        """ListInstanceTypes, of a provider or ``all`` in a region or ``all`` (Clarifai/docs ``curl_list_4.sh``).
        Raises ``CallerError`` 11101 for a provider or region that is not known."""
        provider = request.cloud_provider.id
        regions = self._regions(provider)
        if request.region not in (*regions, ALL):
            raise CallerError(
                StatusCode.CONN_DOES_NOT_EXIST,
                f"Region {request.region!r} of cloud provider {provider!r} does not exist.",
                hint=id_hint(request.region, regions, noun="region"),
            )
        response = call.rpc.response_type()
        response.instance_types.extend(self.catalogue.instance_types(provider, request.region))
        return response

    def _regions(self, provider: str) -> list[str]:
        known = [each.id for each in self.catalogue.providers()]
        if provider not in (*known, ALL):
            raise CallerError(
                StatusCode.CONN_DOES_NOT_EXIST,
                f"Cloud provider {provider!r} does not exist.",
                hint=id_hint(provider, known, noun="cloud provider"),
            )
        return self.catalogue.regions(provider)
