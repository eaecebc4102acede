"""A small store, deployed once by the CDK's own command line to a local cloud, with a little raw data beside it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.deployment_world import World, deployed
from tests.support.small_store import DEFINITIONS, NOW_MS

__all__ = ["World", "world"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The store of tests.support.small_store, deployed; whatever speaks to AWS in this process speaks to it."""
    with deployed(tmp_path_factory.mktemp("deployed"), DEFINITIONS, NOW_MS) as made:
        yield made
