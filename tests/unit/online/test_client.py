"""When boto3's client is passed by, and when it is not: whatever else it was told to do would be left out."""

from __future__ import annotations

import gc
import weakref
from typing import Any
from unittest.mock import patch

import boto3
import pytest
from botocore.client import BaseClient
from botocore.config import Config
from botocore.hooks import HierarchicalEmitter
from botocore.stub import Stubber
from moto import mock_aws

from asof.online.client import client_config, online_client
from asof.online.signed import SignedDynamoDB
from tests.support.fake_dynamodb import FakeDynamoDB

ENDPOINT = "http://127.0.0.1:1"
GIVEN = {
    "region_name": "eu-central-1",
    "endpoint_url": ENDPOINT,
    "aws_access_key_id": "one",
    "aws_secret_access_key": "secret",
}


@pytest.fixture(autouse=True)
def no_local_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients as they are where moto, which listens to every client, was never imported."""
    copied = HierarchicalEmitter.__copy__

    def without_moto(emitter: HierarchicalEmitter) -> Any:
        made: Any = copied(emitter)
        for handler in made._handlers.prefix_search("before-send"):
            if type(handler).__module__.startswith("moto."):
                made.unregister("before-send", handler)
        return made

    monkeypatch.setattr(HierarchicalEmitter, "__copy__", without_moto)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def a_client(service: Any = "dynamodb", config: Config | None = None, **given: Any) -> Any:
    """A client of boto3's that has talked to nobody."""
    config = client_config().merge(config) if config else client_config()
    session: Any = boto3.session.Session()
    return session.client(service, config=config, **{**GIVEN, **given})


def test_a_plain_client_is_passed_by() -> None:
    """With its endpoint, timeouts and credentials; the same client always by the same."""
    client = a_client(config=Config(connect_timeout=3, read_timeout=4))
    direct = online_client(client)
    assert isinstance(direct, SignedDynamoDB)
    assert (direct._host, direct._timeout_s, direct._connect_timeout_s) == ("127.0.0.1:1", 4, 3)
    assert direct._signer._credentials().access_key == "one"
    assert online_client(client) is direct
    assert online_client(a_client()) is not direct


def test_aws_s_own_endpoint_is_boto3_s() -> None:
    """Also of a kind that only boto3 knows how to name."""
    for fips, host in ((False, "dynamodb.eu-central-1.amazonaws.com"), (True, "dynamodb-fips.us-east-1.amazonaws.com")):
        region = "us-east-1" if fips else "eu-central-1"
        client = a_client(config=Config(use_fips_endpoint=fips), endpoint_url=None, region_name=region)
        direct = online_client(client)
        assert direct._host == host
        assert direct._tls is not None


def test_credentials_are_boto3_s_at_the_time_of_the_call() -> None:
    """What refreshes them there refreshes them here."""
    client = a_client()
    direct = online_client(client)
    credentials = client._request_signer._credentials
    credentials.access_key, credentials.token = "two", "token"
    assert (direct._signer._credentials().access_key, direct._signer._credentials().token) == ("two", "token")


def test_what_stands_for_a_client_goes_with_it() -> None:
    client = a_client()
    gone = weakref.ref(online_client(client))
    del client
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "given",
    [
        {"config": Config(proxies={"http": "http://127.0.0.1:2"})},
        {"config": Config(client_cert="/a/certificate.pem")},
        {"config": Config(account_id_endpoint_mode="required")},
        {"config": Config(signature_version="v4a")},
        {"verify": False},
        {"endpoint_url": f"{ENDPOINT}/behind/a/path"},
        {"endpoint_url": "http://[::1]:1"},
        {"service": "s3"},
    ],
    ids=["proxy", "client-certificate", "account-endpoint", "v4a", "unverified", "path", "ipv6", "another-service"],
)
def test_a_client_that_was_told_more_keeps_to_itself(given: dict[str, Any]) -> None:
    client = a_client(**given)
    assert online_client(client) is client


def test_a_proxy_of_the_environment_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:2")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    client = a_client(endpoint_url=None)
    assert online_client(client) is client


def test_a_client_without_credentials_keeps_to_itself() -> None:
    """It would fail, and boto3 knows best how."""
    client = a_client()
    client._request_signer._credentials = None
    assert online_client(client) is client


@pytest.mark.parametrize("event", ["before-send", "request-created.dynamodb.Query", "after-call.dynamodb"])
def test_a_client_that_somebody_listens_to_keeps_to_itself(event: str) -> None:
    """From the moment on that somebody does."""
    client = a_client()
    assert online_client(client) is not client
    client.meta.events.register(event, lambda **_: None)
    assert online_client(client) is client


def test_a_stubbed_client_keeps_to_itself_while_it_is_stubbed() -> None:
    client = a_client()
    with Stubber(client):
        assert online_client(client) is client
    assert online_client(client) is not client


def test_a_traced_client_keeps_to_itself() -> None:
    """Tracers replace the method through which all calls go."""

    class Traced:
        """As wrapt's wrappers: no function."""

        def __call__(self, *_: Any) -> Any:
            """Never called here."""

    client = a_client()
    with patch.object(BaseClient, "_make_api_call", Traced()):
        assert online_client(client) is client


@pytest.mark.parametrize("other", [FakeDynamoDB(), object()], ids=["fake", "object"])
def test_what_is_no_client_of_boto3_s_keeps_to_itself(other: Any) -> None:
    assert online_client(other) is other


def test_the_local_cloud_keeps_its_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """It listens to each of them."""
    monkeypatch.undo()  # clients as they are where it was imported
    with mock_aws():
        client = a_client()
        assert online_client(client) is client
