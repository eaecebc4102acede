"""Every statement that is sent to the local cloud's Athena, put to Trino as well, and the two answers compared."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from asof.local.athena.model import QueryRequest
from tests.support.local_athena_engine import LocalAthenaEngine
from tests.support.trino_engine import TrinoEngine

_UNLOAD = re.compile(r"\bUNLOAD \(\n(.*)\n\)\nTO '", re.DOTALL)

_UNORDERED = "ROW_NUMBER() OVER ()"
"""Numbers rows as they come, which is in no order; only the first column of such a statement is that number."""

Rows = Sequence[tuple[Any, ...]]


@dataclass
class Mirror:
    """What was asked of both. ``differences`` says for each statement that was answered differently how.

    ``rounded`` counts doubles that are one part in 1e12 apart at most: roots and quotients are not rounded alike.
    """

    trino: TrinoEngine
    local: LocalAthenaEngine
    statements: list[str] = field(default_factory=list)
    unloads: int = 0
    values: int = 0
    rounded: int = 0
    differences: list[str] = field(default_factory=list)

    def ask(self, sql: str, database: str) -> None:
        """Put a SELECT to both, as it is, and compare columns and rows."""
        self.statements.append(sql)
        columns, found = self.trino.query(sql, database)
        expected_columns, expected = self.local.query(sql, database)
        # Athena gives its columns in lower case.
        if [each.lower() for each in columns] != [each.lower() for each in expected_columns]:
            self.differences.append(f"columns {columns} instead of {expected_columns}:\n{sql}")
        self.values += len(columns) * len(found)
        if _UNORDERED in sql:
            found, expected = _unnumbered(found), _unnumbered(expected)
        wrong = self._wrong(sorted(found, key=repr), sorted(expected, key=repr))
        if wrong is not None:
            self.differences.append(f"{wrong}:\n{sql}")

    def _wrong(self, found: Rows, expected: Rows) -> str | None:
        if len(found) != len(expected):
            return f"Trino gives {len(found)} rows, the local Athena {len(expected)}"
        for ours, theirs in zip(found, expected, strict=True):
            for left, right in zip(ours, theirs, strict=True):
                if repr(left) == repr(right):
                    continue
                if not _close(left, right):
                    return f"Trino gives {left!r} in {ours}, the local Athena {right!r} in {theirs}"
                self.rounded += 1
        return None

    def around(self, request: QueryRequest, run: Callable[[], None]) -> None:
        """A hook of the local Athena: lets the statement run, and then asks Trino the SELECT in it.

        The SELECT of an UNLOAD reads what it read before: nothing that an UNLOAD writes is registered yet.
        """
        run()
        unload = _UNLOAD.search(request.sql)
        self.unloads += unload is not None
        self.ask(unload[1] if unload else request.sql, request.database)


def _unnumbered(rows: Rows) -> list[tuple[Any, ...]]:
    """Rows without the number in front, which any row may have: the numbers beside the rows, each in order."""
    return [
        (number, *row[1:]) for number, row in zip(sorted(row[0] for row in rows), sorted(rows, key=_rest), strict=True)
    ]


def _rest(row: tuple[Any, ...]) -> str:
    return repr(row[1:])


def _close(left: Any, right: Any) -> bool:
    """Whether two doubles, also as text, are the same up to rounding."""
    try:
        return math.isclose(float(left), float(right), rel_tol=1e-12) and type(left) is type(right)
    except (TypeError, ValueError):
        return False


@contextmanager
def mirrored(trino: TrinoEngine) -> Iterator[Mirror]:
    """While it is open, what the local cloud of a Trino is asked goes to both."""
    cloud = trino.cloud
    mirror = Mirror(trino, LocalAthenaEngine(cloud))
    service = cloud.assembly.athena.service(cloud.account, cloud.region)
    before = service.hook
    service.hook = mirror.around
    try:
        yield mirror
    finally:
        service.hook = before
