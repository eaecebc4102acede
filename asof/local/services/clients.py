"""Clients of the local cloud's own APIs, for the adapters that call them as AWS's services call each other."""

from __future__ import annotations

import threading
from typing import Any


class Clients:
    """boto3 clients by service, region and role; each is made once and shared."""

    def __init__(self, endpoint: str, account: str) -> None:
        self.endpoint = endpoint
        self._account = account
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str, str | None, bool], Any] = {}

    def client(self, service: str, region: str, role_arn: str | None = None, *, strict: bool = True) -> Any:
        """A client of a service, in the name of a role where one is given; ``strict`` checks parameters' types."""
        key = (service, region, role_arn, strict)
        with self._lock:
            if key not in self._clients:
                self._clients[key] = self._make(service, region, role_arn, strict)
            return self._clients[key]

    def _make(self, service: str, region: str, role_arn: str | None, strict: bool) -> Any:
        import boto3
        from botocore.config import Config

        credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
        if role_arn is not None:
            credentials = role_credentials(role_arn, region, self._account, "local")
        config = Config(
            retries={"total_max_attempts": 1},
            parameter_validation=strict,
            read_timeout=960,
            max_pool_connections=50,
            s3={"addressing_style": "path"},
        )
        session = boto3.Session(region_name=region)
        make: Any = session.client  # boto3's stubs know services by literal names only
        return make(service, endpoint_url=self.endpoint, config=config, **credentials)


def role_credentials(role_arn: str, region: str, account: str, session_name: str) -> dict[str, str]:
    """Credentials of a session of a role, as boto3's parameters; moto knows afterwards whose calls they sign."""
    from moto.sts.models import sts_backends
    from moto.utilities.utils import get_partition

    backend = sts_backends[account][get_partition(region)]
    role = backend.assume_role(
        region_name=region,
        role_session_name=session_name,
        role_arn=role_arn,
        policy="",
        duration=43_200,
        external_id="",
    )
    return {
        "aws_access_key_id": role.access_key_id,
        "aws_secret_access_key": role.secret_access_key,
        "aws_session_token": role.session_token,
    }
