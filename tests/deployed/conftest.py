"""A small store, deployed once by the CDK's own command line to a local cloud, with a little raw data beside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import boto3
import pytest

from asof.local.server import LocalServer
from asof.names import Environment
from examples.flights.deployment import Deployment
from tests.support.small_store import DEFINITIONS, NOW_MS, fill


@dataclass(frozen=True)
class World:
    """A local cloud at work, what is deployed there, and the folder of its definitions."""

    server: LocalServer
    deployment: Deployment
    definitions: Path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The store of tests.support.small_store, deployed; whatever speaks to AWS in this process speaks to it."""
    folder = tmp_path_factory.mktemp("deployed")
    definitions = folder / "feature_defs"
    definitions.mkdir()
    (definitions / "store.py").write_text(DEFINITIONS, encoding="utf-8")
    with LocalServer(now_ms=NOW_MS) as server, patch.dict(os.environ, server.client_environment()):
        session = boto3.Session(region_name=server.region)
        environment = Environment("dev", server.account, server.region)
        deployment = Deployment(environment, session, folder, definitions)
        fill(deployment.client("s3"), deployment.client("glue"), server.region)
        deployment.bootstrap()
        deployment.deploy()
        yield World(server, deployment, definitions)
