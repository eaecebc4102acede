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
    scope: str
    key: bytes
    templates: dict[str, _Template]
    """By operation, made when it is first called in that second."""


class _Template(NamedTuple):
    """A request's parts that stand still: what is hashed, what is signed, and the head around its signature.

    ``canonical`` is followed by the body's hash, ``to_sign`` by the hash of that, ``head`` by the signature and the
    body's length.
    """

    canonical: bytes
    to_sign: bytes
    head: bytes


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
        template = common.templates.get(operation)
        if template is None:
            template = common.templates[operation] = self._template(common, operation)
        canonical = template.canonical + _hash(body)
        signature = hmac.digest(common.key, template.to_sign + _hash(canonical), "sha256").hex().encode("ascii")
        return b"%b%b\r\ncontent-length: %d\r\n\r\n%b" % (template.head, signature, len(body), body)

    def _template(self, common: _Second, operation: str) -> _Template:
        """The canonical request, the string to sign and the head, as the page above has them."""
        now = _timestamp(common.second)
        signed = {
            "content-type": _TYPE,
            "host": self._host,
            "x-amz-date": now,
            **({"x-amz-security-token": common.credentials.token} if common.credentials.token else {}),
            "x-amz-target": f"{_TARGET}{operation}",
        }
        names = ";".join(signed)
        canonical_headers = "".join(f"{name}:{value}\n" for name, value in signed.items())
        sent_headers = "".join(f"{name}: {value}\r\n" for name, value in signed.items())
        return _Template(
            canonical=f"POST\n/\n\n{canonical_headers}\n{names}\n".encode("ascii"),
            to_sign=f"AWS4-HMAC-SHA256\n{now}\n{common.scope}\n".encode("ascii"),
            head=(
                f"POST / HTTP/1.1\r\n{sent_headers}authorization: AWS4-HMAC-SHA256 "
                f"Credential={common.credentials.access_key}/{common.scope}, SignedHeaders={names}, Signature="
            ).encode("ascii"),
        )

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
        if known is not None and known.second == second and _same(known.credentials, credentials):
            return known
        scope = f"{_timestamp(second)[:8]}/{self._region}/dynamodb/aws4_request"
        if known is None or known.scope != scope or not _same(known.credentials, credentials):
            key = f"AWS4{credentials.secret_key}".encode()
            for part in scope.split("/"):
                key = hmac.digest(key, part.encode(), "sha256")
        else:
            key = known.key
        self._second = _Second(credentials, second, scope, key, {})
        return self._second


def _same(one: Credentials, other: Credentials) -> bool:
    """Whether two are equal; nearly always they are the very same, which is quicker to see."""
    return one is other or one == other


def _timestamp(second: int) -> str:
    """A second since 1970 as a signature has it: ``20261121T030000Z``."""
    return strftime("%Y%m%dT%H%M%SZ", gmtime(second))


def _hash(data: bytes) -> bytes:
    """The SHA-256 in hexadecimal digits."""
    return hashlib.sha256(data).hexdigest().encode("ascii")


def _seconds(date: bytes) -> int | None:
    """Seconds since 1970 of an HTTP date, ``sat, 21 nov 2026 03:00:00 gmt`` in any case; None where it is none."""
    import calendar

    try:
        _, day, month, year, hours, _ = date.decode("ascii").lower().split()
        clock = [int(each) for each in hours.split(":")]
        return calendar.timegm((int(year), _MONTHS.index(month) + 1, int(day), *clock))
    except ValueError:
        return None
