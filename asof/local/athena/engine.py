"""Runs one statement: parse, bind tables, rewrite, execute on DuckDB, lay the result out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from sqlglot import exp
from sqlglot.errors import ErrorLevel, UnsupportedError

from asof.clock import Clock
from asof.local.athena import functions
from asof.local.athena.catalog import Catalog
from asof.local.athena.duckdb_errors import translated
from asof.local.athena.errors import QueryFailedError, not_supported
from asof.local.athena.model import Outcome
from asof.local.athena.objects import ObjectStore
from asof.local.athena.results import aliases, metadata, text_sql
from asof.local.athena.rewrite import to_duckdb
from asof.local.athena.scan import Scanner
from asof.local.athena.strict import check_names_and_types
from asof.local.athena.types import quoted, result_column, text_literal, trino_type
from asof.local.athena.write import OutputColumn, Rows


class Prepared:
    """A query ready to run on a cursor: DuckDB's SQL, its columns, and the bytes it will scan."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, sql: str, query: exp.Query, scanned_bytes: int) -> None:
        self.cursor = cursor
        self.sql = sql
        self.scanned_bytes = scanned_bytes
        described = cursor.execute(f"SELECT * FROM ({sql}) LIMIT 0").description or []  # noqa: S608 # it is the query
        names = _names(query) or [str(row[0]) for row in cursor.execute(f"DESCRIBE {sql}").fetchall()]
        self.names_given = [bool(name) for name in names]
        self.columns = [
            OutputColumn((name or f"_col{position}").lower(), kind[1])
            for position, (name, kind) in enumerate(zip(names, described, strict=True))
        ]

    @property
    def rows(self) -> Rows:
        """The query's rows, to be written."""
        return Rows(self.cursor, self.sql, self.columns)


class Engine:
    """Executes queries over one account's and region's catalog and objects. Threads may share it.

    ``writers`` is the number of files that each partition of a write is spread over; ``clock`` says what day it is.
    """

    def __init__(self, catalog: Catalog, objects: ObjectStore, clock: Clock, *, writers: int = 1) -> None:
        self.catalog = catalog
        self.objects = objects
        self.writers = writers
        self._scanner = Scanner(catalog, objects, clock)
        self._connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
        functions.install(self._connection)

    def close(self) -> None:
        """Let DuckDB's memory go."""
        self._connection.close()

    @contextmanager
    def prepare(self, query: exp.Query, database: str, cutoff: int | None = None) -> Iterator[Prepared]:
        """The query on a cursor of its own; what DuckDB raises inside becomes QueryFailedError.

        ``cutoff`` is the workgroup's limit of scanned bytes; a query above it is cancelled before it runs.
        """
        cursor = self._connection.cursor()
        try:
            with translated():
                cursor.execute("SET TimeZone = 'UTC'")
                check_names_and_types(query, lambda table: self._columns(table, database))
                bound = query.copy()
                scanned = self._scanner.bind(cursor, bound, database)
                if cutoff is not None and scanned > cutoff:
                    raise QueryFailedError("", "Bytes scanned limit was exceeded", state="CANCELLED")
                yield Prepared(cursor, _render(to_duckdb(bound)), query, scanned)
        finally:
            cursor.close()

    def _columns(self, table: exp.Table, database: str) -> dict[str, str] | None:
        """A table's columns with their Trino types; None for one that is not in the catalog."""
        place, name = table.text("db").lower() or database, table.name.lower()
        if not self.catalog.exists(place, name):
            return None
        found = self.catalog.table(place, name)
        return {column.name: trino_type(column.type) for column in (*found.columns, *found.partition_keys)}

    def select(self, query: exp.Query, database: str, output: str, cutoff: int | None) -> Outcome:
        """Run a query and put its rows, as CSV, at the URI ``output``."""
        with self.prepare(query, database, cutoff) as prepared, tempfile.TemporaryDirectory(prefix="asof-csv-") as work:
            names = aliases(len(prepared.columns))
            # A table keeps the order of ORDER BY, which a subquery need not.
            prepared.cursor.execute(f"CREATE TEMP TABLE _result({', '.join(names)}) AS {prepared.sql}")
            shown = ", ".join(
                f"{text_sql(column.type, alias)} AS {quoted(f'{position} {column.name}')}"
                for position, (alias, column) in enumerate(zip(names, prepared.columns, strict=True))
            )
            path = Path(work) / "result.csv"
            prepared.cursor.execute(
                f"COPY (SELECT {shown} FROM _result) TO {text_literal(str(path))} "  # noqa: S608 # generated
                "(FORMAT csv, HEADER false, FORCE_QUOTE *, DELIMITER ',', QUOTE '\"', ESCAPE '\"')"
            )
            columns = tuple(result_column(column.name, column.type) for column in prepared.columns)
            header = ",".join('"' + column.name.replace('"', '""') + '"' for column in columns) + "\n"
            self.objects.write(output, header.encode() + path.read_bytes())
            self.objects.write(f"{output}.metadata", metadata(columns))
            return Outcome("DML", "SELECT", output, columns=columns, scanned_bytes=prepared.scanned_bytes)

    def explain(self, query: exp.Query, database: str) -> str:
        """DuckDB's plan of the query."""
        with self.prepare(query, database) as prepared:
            rows = prepared.cursor.execute(f"EXPLAIN {prepared.sql}").fetchall()
            return "\n".join(str(row[-1]) for row in rows)


def _names(query: exp.Query) -> list[str] | None:
    """The columns' names as Trino gives them, empty for a column without one; None where only ``*`` knows them."""
    if query.is_star:
        return None
    named = (exp.Alias, exp.Column, exp.Dot)
    return [each.alias_or_name if isinstance(each, named) else "" for each in query.selects]


def _render(query: exp.Expr) -> str:
    try:
        return query.sql("duckdb", identify=True, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise not_supported(f"translate this query: {error}") from error
