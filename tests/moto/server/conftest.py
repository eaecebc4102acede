"""One server per test module, and clients that know nothing but its address."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from asof.local.server import LocalServer


@pytest.fixture(scope="module")
def server() -> Iterator[LocalServer]:
    """A local cloud on a free port."""
    with LocalServer() as running:
        yield running


@pytest.fixture(scope="module")
def client(server: LocalServer) -> Callable[[str], Any]:
    """Makes an ordinary boto3 client of a service."""
    session = boto3.Session("local", "local", region_name=server.region)
    clients: dict[str, Any] = {}

    def make(service: str) -> Any:
        if service not in clients:
            new: Any = session.client  # boto3's stubs know services by literal names only
            once = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
            clients[service] = new(service, endpoint_url=server.endpoint, config=once)
        return clients[service]

    return make
