"""The command line's time is that of the cloud it is led to."""

from __future__ import annotations

import os
from unittest.mock import patch

import pytest

from asof.cli.clock import clock_in_force
from asof.clock import SystemClock
from asof.local.server import LocalServer

SECONDS_MS = 30_000


def test_a_local_cloud_s_clock_is_followed(server: LocalServer) -> None:
    """Also where it was moved."""
    with patch.dict(os.environ, server.client_environment()):
        for _ in range(2):
            assert abs(clock_in_force().now_ms() - server.now_ms()) < SECONDS_MS
            server.advance("10d")
        assert abs(clock_in_force().now_ms() - SystemClock().now_ms()) > SECONDS_MS


@pytest.mark.parametrize("endpoint", ["", "http://localhost:1", "https://vpce-1.dynamodb.eu-central-1.amazonaws.com"])
def test_anywhere_else_it_is_the_machine_s(endpoint: str) -> None:
    with patch.dict(os.environ, {"AWS_ENDPOINT_URL": endpoint}):
        assert abs(clock_in_force().now_ms() - SystemClock().now_ms()) < SECONDS_MS
