"""Signature version 4 for DynamoDB's JSON calls. Standard library only.

As in https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import gmtime, strftime
from typing import Final, NamedTuple

from asof.errors import RequestError

MOST_SKEW_S: Final = 240
"""A clock that is off by less is let alone: AWS refuses a request whose time is off by more than 5 to 15 minutes."""

_TARGET: Final = "DynamoDB_20120810."
_TYPE: Final = "application/x-amz-json-1.0"
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request is signed with; a function finds its role's in its environment, fresh for as long as it lives."""

    access_key: str
    secret_key: str
    token: str | None = None

    @classmethod
    def of(cls, variables: Mapping[str, str]) -> Credentials:
        """The credentials of environment variables; raises RequestError where they are not set."""
        try:
            return cls(
                variables["AWS_ACCESS_KEY_ID"],
                variables["AWS_SECRET_ACCESS_KEY"],
                variables.get("AWS_SESSION_TOKEN"),
            )
        except KeyError as error:
            raise RequestError(
                f"{error} is not set; use boto3's client where credentials come from elsewhere"
            ) from None


class _Second(NamedTuple):
    """What all requests of one second and one set of credentials have in common."""

    credentials: Credentials
    second: int
    now: str
    scope: str
    key: bytes


class Signer:
    """Makes whole HTTP requests to one host. ``credentials`` is asked before each; it may give new ones any time."""

    def __init__(
        self,
        host: str,
        region: str,
        credentials: Callable[[], Credentials],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._host = host
        self._region = region
        self._credentials = credentials
        self._clock = clock
        self._ahead_s = 0.0
        self._second: _Second | None = None

    def signed(self, operation: str, body: bytes) -> bytes:
        """The request for an operation: head and body."""
        common = self._common()
        token = common.credentials.token
        token_line = f"x-amz-security-token:{token}\n" if token else ""
        token_header = f"x-amz-security-token: {token}\r\n" if token else ""
        names = f"content-type;host;x-amz-date;{'x-amz-security-token;' if token else ''}x-amz-target"
        canonical = (
            f"POST\n/\n\ncontent-type:{_TYPE}\nhost:{self._host}\nx-amz-date:{common.now}\n{token_line}"
            f"x-amz-target:{_TARGET}{operation}\n\n{names}\n{hashlib.sha256(body).hexdigest()}"
        )
        text = (
            f"AWS4-HMAC-SHA256\n{common.now}\n{common.scope}\n{hashlib.sha256(canonical.encode('ascii')).hexdigest()}"
        )
        signature = hmac.digest(common.key, text.encode("ascii"), "sha256").hex()
        head = (
            f"POST / HTTP/1.1\r\ncontent-type: {_TYPE}\r\nhost: {self._host}\r\nx-amz-date: {common.now}\r\n"
            f"{token_header}x-amz-target: {_TARGET}{operation}\r\n"
            f"authorization: AWS4-HMAC-SHA256 Credential={common.credentials.access_key}/{common.scope}, "
            f"SignedHeaders={names}, Signature={signature}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        return head.encode("ascii") + body

    def correct(self, date: bytes) -> bool:
        """Go by the service's clock from now on, as its answer's date tells it; whether that makes a difference."""
        theirs = _seconds(date)
        if theirs is None or abs(theirs - (self._clock() + self._ahead_s)) < MOST_SKEW_S:
            return False
        self._ahead_s = theirs - self._clock()
        return True

    def _common(self) -> _Second:
        credentials = self._credentials()
        second = int(self._clock() + self._ahead_s)
        known = self._second
        if known is not None and known.second == second and known.credentials == credentials:
            return known
        now = strftime("%Y%m%dT%H%M%SZ", gmtime(second))
        scope = f"{now[:8]}/{self._region}/dynamodb/aws4_request"
        if known is None or known.scope != scope or known.credentials != credentials:
            key = f"AWS4{credentials.secret_key}".encode()
            for part in scope.split("/"):
                key = hmac.digest(key, part.encode(), "sha256")
        else:
            key = known.key
        self._second = _Second(credentials, second, now, scope, key)
        return self._second


def _seconds(date: bytes) -> int | None:
    """Seconds since 1970 of an HTTP date, ``sat, 21 nov 2026 03:00:00 gmt`` in any case; None where it is none."""
    import calendar

    try:
        _, day, month, year, hours, _ = date.decode("ascii").lower().split()
        clock = [int(each) for each in hours.split(":")]
        return calendar.timegm((int(year), _MONTHS.index(month) + 1, int(day), *clock))
    except ValueError:
        return None
