"""A store deployed by the CDK's own command line to a local cloud of its own, for as long as a block runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import boto3

from asof.local.server import LocalServer
from asof.names import Environment
from examples.flights.deployment import Deployment
from tests.support.small_store import fill


@dataclass(frozen=True)
class World:
    """A local cloud at work, what is deployed there, and the folder of its definitions."""

    server: LocalServer
    deployment: Deployment
    definitions: Path


@contextmanager
def deployed(folder: Path, text: str, now_ms: int | None = None) -> Iterator[World]:
    """The definitions of a text, deployed as ``dev``, with the small store's raw data beside them.

    Whatever speaks to AWS in this process speaks to that cloud, whose time begins at ``now_ms``, if not now.
    """
    definitions = folder / "feature_defs"
    definitions.mkdir()
    (definitions / "store.py").write_text(text, encoding="utf-8")
    with LocalServer(now_ms=now_ms) as server, patch.dict(os.environ, server.client_environment()):
        session = boto3.Session(region_name=server.region)
        deployment = Deployment(Environment("dev", server.account, server.region), session, folder, definitions)
        fill(deployment.client("s3"), deployment.client("glue"), server.region)
        deployment.bootstrap()
        deployment.deploy()
        yield World(server, deployment, definitions)
