"""What a run asks its questions of: Athena as a rule, Spark where one question is too big for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from asof.offline.athena import QueryResult, unload_sql
from asof.offline.athena_rows import Row


class Queries(Protocol):
    """Something that runs statements to their end; ``asof.offline.athena.Athena`` says what the arguments mean."""

    def run(
        self,
        sql: str,
        purpose: str,
        *,
        view: str | None = None,
        token: str | None = None,
        deadline_ms: int | None = None,
    ) -> QueryResult:
        """Run one SELECT; its rows are kept for :meth:`results`."""
        ...

    def unload(
        self,
        select_sql: str,
        s3_uri: str,
        purpose: str,
        *,
        view: str | None = None,
        token: str | None = None,
        deadline_ms: int | None = None,
        file_format: str = "PARQUET",
        compression: str = "ZSTD",
        partitioned_by: Sequence[str] = (),
    ) -> QueryResult:
        """Write a query's rows to an empty prefix (URI ending in ``/``)."""
        ...

    def rows(
        self,
        sql: str,
        purpose: str,
        *,
        view: str | None = None,
        token: str | None = None,
        deadline_ms: int | None = None,
    ) -> list[Row]:
        """The typed rows of a SELECT."""
        ...

    def results(self, query_id: str) -> list[Row]:
        """The typed rows of a SELECT that has succeeded."""
        ...


@dataclass(frozen=True, slots=True)
class Unload:
    """Where a query's rows go and how they are laid out there; partition columns are the query's last ones."""

    uri: str
    file_format: str = "PARQUET"
    compression: str = "ZSTD"
    partitioned_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A question of a run: a SELECT, and where its rows go if not back. ``token`` makes starting it idempotent."""

    purpose: str
    select: str
    token: str
    unload: Unload | None = None

    @property
    def sql(self) -> str:
        """The statement, as Athena takes it."""
        if self.unload is None:
            return self.select
        return unload_sql(
            self.select,
            self.unload.uri,
            file_format=self.unload.file_format,
            compression=self.unload.compression,
            partitioned_by=self.unload.partitioned_by,
        )

    def ask(self, queries: Queries, view: str) -> QueryResult:
        """Run it to its end."""
        if self.unload is None:
            return queries.run(self.select, self.purpose, view=view, token=self.token)
        return queries.unload(
            self.select,
            self.unload.uri,
            self.purpose,
            view=view,
            token=self.token,
            file_format=self.unload.file_format,
            compression=self.unload.compression,
            partitioned_by=self.unload.partitioned_by,
        )
