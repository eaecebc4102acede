"""boto3's DynamoDB client for the reader and the writer: how it is set up, and what may be sent past it.

The one module here that needs botocore. ``online_client`` looks behind botocore's public face, so whatever it does not
recognise there keeps to boto3, which is slower and always right.
"""

from __future__ import annotations

import functools
import weakref
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from asof.online.signature import Credentials
from asof.online.signed import SignedDynamoDB

if TYPE_CHECKING:
    from botocore.config import Config

_OPERATIONS: Final = ("Query", "BatchGetItem", "PutItem")
_HOOKS: Final = (
    "provide-client-params",
    "before-parameter-build",
    "before-endpoint-resolution",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "response-received",
    "before-parse",
    "after-call",
    "after-call-error",
    "needs-retry",
)
"""Where a program may have its say about a call; see botocore's list of events."""

_DIRECT: Final[weakref.WeakKeyDictionary[Any, SignedDynamoDB]] = weakref.WeakKeyDictionary()
"""What stands for each client."""


def client_config(*, connect_timeout_s: float = 1, read_timeout_s: float = 2, connections: int = 32) -> Config:
    """Botocore's configuration for ``session.client("dynamodb", config=...)``.

    Its own retries are off and a call's timeouts short, so that the deadlines of Asof's retries hold.
    """
    from botocore.config import Config

    return Config(
        connect_timeout=connect_timeout_s,
        read_timeout=read_timeout_s,
        max_pool_connections=connections,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
    )


def online_client(client: Any) -> Any:
    """What the reader and the writer should be given where there is a client of boto3's.

    That is a ``SignedDynamoDB`` of the same endpoint, timeouts, trust, and credentials (asked for before each call, so
    refreshed when boto3's are). It is the client itself where that has a proxy, a certificate of its own, another
    signature, unverified TLS, or a handler that is not botocore's: a tracer, a test's stub, the local cloud. A client
    always has the same one.
    """
    try:
        if not _is_known(client):
            return client
    except AttributeError:  # no client of botocore's, or of a botocore that is built otherwise
        return client
    direct = _DIRECT.get(client)
    if direct is None:
        direct = _DIRECT[client] = _signed(client)
    return direct


def _is_known(client: Any) -> bool:
    """Whether nothing about a client asks for more than a signature and a connection."""
    from botocore.client import BaseClient

    config, session = client.meta.config, client._endpoint.http_session  # noqa: SLF001 # it has no other names
    credentials, address = client._request_signer._credentials, urlsplit(client.meta.endpoint_url)  # noqa: SLF001
    return (
        isinstance(client, BaseClient)
        and isinstance(vars(BaseClient)["_make_api_call"], FunctionType)  # not replaced by a tracer's
        and client.meta.service_model.service_name == "dynamodb"
        and config.signature_version == "v4"
        and config.client_cert is None
        and config.account_id_endpoint_mode != "required"
        and not session._proxy_config._proxies  # noqa: SLF001 # those of the environment are here too
        and isinstance(session._verify, bool | str)  # noqa: SLF001
        and session._verify is not False  # noqa: SLF001
        and address.path in ("", "/")
        and not {"[", "@"} & set(address.netloc)
        and credentials is not None
        and not _foreign_handlers(client)
    )


def _signed(client: Any) -> SignedDynamoDB:
    address, config = urlsplit(client.meta.endpoint_url), client.meta.config
    trusted = client._endpoint.http_session._verify  # noqa: SLF001 # as above
    credentials = client._request_signer._credentials  # noqa: SLF001
    made = functools.lru_cache(maxsize=1)(Credentials)  # equal ones are the very same, which the signer sees at once

    def current() -> Credentials:
        frozen = credentials.get_frozen_credentials()
        return made(frozen.access_key, frozen.secret_key, frozen.token)

    return SignedDynamoDB(
        client.meta.region_name,
        current,
        endpoint=f"{address.scheme}://{address.netloc}",
        timeout_s=config.read_timeout,
        connect_timeout_s=config.connect_timeout,
        trusted=trusted if isinstance(trusted, str) else None,
    )


def _foreign_handlers(client: Any) -> list[Any]:
    """What listens to the store's calls and is not botocore's own."""
    handlers = client.meta.events._emitter._handlers  # noqa: SLF001 # nothing public lists them
    events = [f"{hook}.dynamodb.{operation}" for hook in _HOOKS for operation in _OPERATIONS]
    found = [handler for event in events for handler in handlers.prefix_search(event)]
    return [each for each in found if not _module(each).startswith("botocore.") or _module(each) == "botocore.stub"]


def _module(handler: Any) -> str:
    """Where a handler is from: a function's module, or that of the class of anything else that can be called."""
    return str(getattr(handler, "__module__", None) or type(handler).__module__)
