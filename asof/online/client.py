"""How boto3's DynamoDB client must be set up for the reader and the writer. The one module here that needs botocore."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.config import Config


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
