"""Makes a fresh set of resource handlers for each test."""

from __future__ import annotations

import pytest

from resource_api import ResourceApi


@pytest.fixture
def api() -> ResourceApi:
    return ResourceApi()
