"""The engine ``trino`` of the behaviour suite: a real Trino over a local cloud's catalogue and objects."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import trino.dbapi

from asof.local.server.local_server import LocalServer
from tests.support.engine import Row
from tests.support.lake_tables import DATABASE, LakeTables
from tests.support.trino_server import CATALOG, TrinoServer, trino_server

_FLOAT32 = struct.Struct("<f")


class TrinoEngine:
    """Asks a Trino that reads a local cloud. ``cloud`` is that local cloud, ``tables`` are those made in it."""

    name = "trino"
    dialect = "athena"

    def __init__(self, cloud: LocalServer, server: TrinoServer) -> None:
        self.cloud = cloud
        self.server = server
        self.tables = LakeTables(cloud)

    def create(self, table: str, columns: Mapping[str, str], rows: Sequence[Row]) -> None:
        """Make or replace a table; ``columns`` are Glue's types by name."""
        self.tables.create(table, columns, rows)

    def query(self, sql: str, database: str = DATABASE) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """The rows of a statement, which goes to Trino as it is; raises trino's TrinoQueryError."""
        cursor = self.cursor(database)
        cursor.execute(sql)
        found = cursor.fetchall()
        described = cursor.description or []
        kinds = [str(each[1]) for each in described]
        rows = [tuple(_value(value, kind) for value, kind in zip(row, kinds, strict=True)) for row in found]
        return tuple(str(each[0]) for each in described), rows

    def cursor(self, database: str = DATABASE) -> Any:
        """A cursor of Trino's client, whose ``stats`` say what a statement took; the session is in UTC, as Athena's."""
        connect: Any = trino.dbapi.connect  # untyped
        opened = connect(
            host="localhost", port=self.server.port, user="asof", catalog=CATALOG, schema=database, timezone="UTC"
        )
        return opened.cursor()


@contextmanager
def open_trino(cloud: LocalServer | None = None) -> Iterator[TrinoEngine]:
    """A Trino over a local cloud that runs, or over one of its own; what it started ends with it."""
    with ExitStack() as stack:
        cloud = cloud or stack.enter_context(LocalServer())
        server = stack.enter_context(trino_server(cloud.endpoint, cloud.region))
        yield TrinoEngine(cloud, server)


def _value(value: Any, kind: str) -> Any:
    """A value as Python's; the client reads the decimals of a ``real`` as a double, which is another number."""
    if value is None or "real" not in kind:
        return value
    if isinstance(value, list):
        return [_value(each, kind) for each in value]
    return _FLOAT32.unpack(_FLOAT32.pack(value))[0]
