"""Asof's reader, boto3, and the floor: the least that one could do by hand for the same bytes.

``python -m benchmarks.support.online_contestants <name> <endpoint>`` is such a contestant's process.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import json
import os
import socket
import struct
import sys
import time
from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import boto3
from urllib3 import HTTPConnectionPool

from asof.clock import SystemClock
from asof.manifest import Column, Entity, Feature, FeatureView, Manifest
from asof.online.layout import ItemLayout, OnlineRow
from asof.online.reader import OnlineReader
from asof.online.signed import Credentials, SignedDynamoDB
from asof.serve.lookup import OnlineLookup
from benchmarks.support.online_data import EVENT_MS, USERS, Cell, all_views, feature_names, is_integer, row, width
from benchmarks.support.online_worker import Contestant, Lookup, serve
from tests.support.dynamodb_local import create_table

TABLE: Final = "asof-benchmark-online"
ENTITY: Final = Entity("user", (Column("user_id", "Int64"),))
LARGEST_BATCH: Final = 100


def feature_view(name: str) -> FeatureView:
    """A view of the benchmark's."""
    dtypes = ("Int64" if is_integer(i) else "Float64" for i in range(width(name)))
    features = tuple(Feature(*each) for each in zip(feature_names(name), dtypes, strict=True))
    return FeatureView(name, 1, ENTITY.name, "none", "passthrough", features)


def fill(dynamodb: Any, views: Sequence[str], table: str = TABLE) -> None:
    """Write views' items to a table made for them."""
    create_table(dynamodb, table)
    layouts = {view: ItemLayout(feature_view(view), ENTITY) for view in views}
    items = [
        layout.item(OnlineRow((user,), EVENT_MS, None, row(view, user)))
        for view, layout in layouts.items()
        for user in range(USERS)
    ]
    for i in range(0, len(items), 25):
        puts = [{"PutRequest": {"Item": item}} for item in items[i : i + 25]]
        dynamodb.batch_write_item(RequestItems={table: puts})


class _InProcess:
    """What contestants in this process share."""

    def rows(self, _cell: Cell, answer: Any, /) -> Sequence[Sequence[Any]]:
        """One row per user already."""
        return list(answer)

    def processor_s(self) -> float:
        """This process's."""
        return time.process_time()


class Asof(_InProcess):
    """The whole lookup: references, keys, statuses, times, columns."""

    def __init__(self, endpoint: str) -> None:
        client = SignedDynamoDB(os.environ["AWS_DEFAULT_REGION"], Credentials.of(os.environ), endpoint=endpoint)
        manifest = Manifest(entities=(ENTITY,), feature_views=tuple(map(feature_view, all_views())))
        clock = SystemClock()
        self._lookup = OnlineLookup(manifest, OnlineReader(client, TABLE, clock=clock), clock)

    def prepare(self, cell: Cell) -> Lookup:
        """As a program asks."""
        features = cell.references
        return lambda users: self._lookup.get_online_features(features, {"user_id": users}).to_dict()

    def rows(self, cell: Cell, answer: Any, /) -> Sequence[Sequence[Any]]:
        """From columns."""
        names = [reference.partition(":")[2] for reference in cell.references]
        return list(zip(*(answer[name] for name in names), strict=True))


class ByKeys(_InProcess):
    """BatchGetItem of every key, then the values unpacked; how it is asked, a subclass says."""

    def prepare(self, cell: Cell) -> Lookup:
        """Keys in, rows out."""
        views = [f"{name}@v1" for name in cell.view_names]
        formats = "".join("q" if is_integer(i) else "d" for i in range(cell.features))
        unpack = functools.partial(_unpacked, struct.Struct(f"<{formats}"), (cell.features + 7) // 8)

        def look_up(users: list[int]) -> list[list[Any]]:
            keys = [{"pk": {"S": f"user#i:{user}"}, "sk": {"S": view}} for user in users for view in views]
            found = {}
            for i in range(0, len(keys), LARGEST_BATCH):
                for item in self.get(keys[i : i + LARGEST_BATCH]):
                    found[item["pk"]["S"], item["sk"]["S"]] = unpack(item["v"]["B"])
            return [[value for view in views for value in found[f"user#i:{user}", view]] for user in users]

        return look_up

    def get(self, keys: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The items of at most a hundred keys, values as bytes."""
        raise NotImplementedError


class Boto3(ByKeys):
    """boto3's client as it comes."""

    def __init__(self, endpoint: str) -> None:
        self._client = boto3.client("dynamodb", endpoint_url=endpoint)

    def get(self, keys: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """One call."""
        answer: Any = self._client.batch_get_item(RequestItems={TABLE: {"Keys": list(keys)}})
        items: list[Mapping[str, Any]] = answer["Responses"][TABLE]
        return items


class HandSigned(ByKeys):
    """Signed by hand and sent by urllib3, as one would who leaves botocore out: no retries, no statuses, no times."""

    def __init__(self, endpoint: str) -> None:
        self._host = endpoint.partition("://")[2]
        self._region = os.environ["AWS_DEFAULT_REGION"]
        self._key = ("", b"")
        host, _, port = self._host.partition(":")
        self._pool = HTTPConnectionPool(host, int(port))

    def get(self, keys: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """One call."""
        body = json.dumps({"RequestItems": {TABLE: {"Keys": list(keys)}}}, separators=(",", ":")).encode()
        items: list[Mapping[str, Any]] = json.loads(self.exchange(body))["Responses"][TABLE]
        for item in items:
            item["v"]["B"] = a2b_base64(item["v"]["B"])
        return items

    def exchange(self, body: bytes) -> bytes:
        """The answer's body to a request's."""
        answer = self._pool.urlopen("POST", "/", body=body, headers=self.headers(body), retries=False)
        return answer.data

    def headers(self, body: bytes) -> dict[str, str]:
        """A request's, signed."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        scope = f"{now[:8]}/{self._region}/dynamodb/aws4_request"
        target = "DynamoDB_20120810.BatchGetItem"
        canonical = (
            f"POST\n/\n\nhost:{self._host}\nx-amz-date:{now}\nx-amz-target:{target}\n\n"
            f"host;x-amz-date;x-amz-target\n{hashlib.sha256(body).hexdigest()}"
        )
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.digest(self._signing_key(now[:8]), text.encode(), "sha256").hex()
        return {
            "host": self._host,
            "content-type": "application/x-amz-json-1.0",
            "x-amz-date": now,
            "x-amz-target": target,
            "authorization": f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}, "
            f"SignedHeaders=host;x-amz-date;x-amz-target, Signature={signature}",
        }

    def _signing_key(self, day: str) -> bytes:
        if self._key[0] != day:
            key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
            for part in (day, self._region, "dynamodb", "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            self._key = day, key
        return self._key[1]


class Floor(HandSigned):
    """The same over a bare socket, which believes every answer: nothing of what makes a client safe is left."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(endpoint)
        self._connect()

    def _connect(self) -> None:
        host, _, port = self._host.partition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._answers = self._socket.makefile("rb")

    def prepare(self, cell: Cell) -> Lookup:
        """As the others, over a new connection: while they had their turns, the store closed the one that idled."""
        self._connect()
        return super().prepare(cell)

    def exchange(self, body: bytes) -> bytes:
        """A head that says its length, then the body."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in self.headers(body).items())
        self._socket.sendall(f"POST / HTTP/1.1\r\n{lines}content-length: {len(body)}\r\n\r\n".encode() + body)
        length = 0
        while (line := self._answers.readline()) != b"\r\n":
            if not line:
                raise ConnectionError("the store closed the connection")
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        return self._answers.read(length)


def _unpacked(layout: struct.Struct, null_bytes: int, packed: bytes) -> list[Any]:
    """An item's values: three bytes of head, the nulls' bits, then the numbers."""
    values = list(layout.unpack_from(packed, 3 + null_bytes))
    nulls = int.from_bytes(packed[3 : 3 + null_bytes], "little")
    while nulls:
        lowest = nulls & -nulls
        values[lowest.bit_length() - 1] = None
        nulls ^= lowest
    return values


CONTESTANTS: Final[Mapping[str, Callable[[str], Contestant]]] = {
    "asof": Asof,
    "floor": Floor,
    "hand-signed": HandSigned,
    "boto3": Boto3,
}

if __name__ == "__main__":
    serve(CONTESTANTS[sys.argv[1]](sys.argv[2]))
