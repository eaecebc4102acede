"""The command line without AWS: what its clients raise becomes a message that says what to do, never a traceback."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import pytest
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    InvalidRegionError,
    NoCredentialsError,
)
from click.testing import CliRunner

from asof.cli import main
from asof.cli.aws_errors import explained

NOWHERE = "http://127.0.0.1:1"


def refused(code: str) -> ClientError:
    """AWS's refusal of a call."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "GetObject")


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (NoCredentialsError(), "set AWS_PROFILE"),
        (EndpointConnectionError(endpoint_url=NOWHERE), "asof local status"),
        (ConnectTimeoutError(endpoint_url=NOWHERE), "asof local status"),
        (InvalidRegionError(region_name="x y"), "'x y'"),
        (refused("AccessDenied"), "AWS refused GetObject: AccessDenied: no; the policies"),
        (refused("ExpiredToken"), "log in again"),
        (refused("InternalError"), "AWS refused GetObject: InternalError: no"),
    ],
)
def test_what_aws_s_clients_raise_is_explained(error: Exception, says: str) -> None:
    with patch.dict(os.environ, {"AWS_ENDPOINT_URL": NOWHERE}):
        assert says in explained(error)


def test_without_an_endpoint_the_network_is_asked_for() -> None:
    with patch.dict(os.environ):
        os.environ.pop("AWS_ENDPOINT_URL", None)
        assert "network" in explained(EndpointConnectionError(endpoint_url="https://sts.amazonaws.com"))


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"AWS_ENDPOINT_URL": NOWHERE, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, "asof local status"),
        ({}, "set AWS_PROFILE"),
        ({"AWS_PROFILE": "nobody"}, "nobody"),
    ],
)
def test_a_command_that_cannot_reach_aws_fails_with_a_message(variables: dict[str, str], says: str) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    quiet = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull, "AWS_MAX_ATTEMPTS": "1"}
    quiet |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_REGION": "eu-central-1", "HOME": str(Path(os.devnull))}
    with patch.dict(os.environ, {**own, **quiet, **variables}, clear=True):
        result = CliRunner().invoke(main, ["status", "--env", "dev"])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert says in result.output
    assert result.output.startswith("error: ")
