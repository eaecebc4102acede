"""Peers run in environments of their own (benchmarks/peers), so they are asked only where ASOF_TEST_ENGINES names them.

``make test-peers`` does; a peer that is named and cannot be had fails.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from asof.store import FeatureStore
from benchmarks.peers import environments
from tests.support.deployment_kinds import DEFINITIONS, fill_online
from tests.support.deployment_signing import Signer, signing_proxy
from tests.support.deployment_world import World, deployed


@pytest.fixture(scope="session")
def feast_python() -> Path:
    """The interpreter of Feast's environment, which is made if need be."""
    if "feast" not in os.environ.get("ASOF_TEST_ENGINES", "").split(","):
        pytest.skip("Feast is asked with: make test-peers (ASOF_TEST_ENGINES=feast)")
    return environments.python("feast")


@pytest.fixture(scope="module")
def world(feast_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:  # noqa: ARG001 # first
    """A store with a feature of every type, deployed and filled."""
    with deployed(tmp_path_factory.mktemp("peers"), DEFINITIONS) as made:
        yield made


@pytest.fixture(scope="module")
def api(world: World) -> Iterator[str]:
    """The address of a proxy that signs what it passes on to the deployed API."""
    deployment = world.deployment
    with FeatureStore.from_environment("dev", clock=world.server.assembly.clock) as store:
        fill_online(
            deployment.client("dynamodb"), deployment.environment.online_table, store.manifest, world.server.now_ms()
        )
    with signing_proxy(Signer(boto3.Session(), world.server.region), deployment.url()) as address:
        yield address
