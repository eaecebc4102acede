"""Sources: raw rows with an event time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import pydantic
from pydantic import BeforeValidator, PlainValidator

from asof.definitions.arguments import Duration, Published, check_type
from asof.definitions.base import Wrong, shown
from asof.definitions.field import Field
from asof.value_types import String, Timestamp, ValueType

_TABLE: Final = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")
_PATH: Final = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/[^*?]+")


def _fields(schema: Any) -> Any:
    """The fields of a list, or of the mapping of column to type that is short for one."""
    if isinstance(schema, Mapping):
        return tuple(
            Field(name=str(name), dtype=check_type(dtype, place=f"[{name!r}]")) for name, dtype in schema.items()
        )
    if not isinstance(schema, list | tuple) or not all(isinstance(each, Field) for each in schema):
        raise Wrong("schema must be a list of Field(...), or {column: type}", 'for example {"origin": String}')
    return tuple(schema)


def _check_table(table: Any) -> Any:
    if table is not None and not (isinstance(table, str) and _TABLE.fullmatch(table)):
        raise Wrong(f"={shown(table)} is not a Glue table", 'write table="database.table", in lower case')
    return table


def _check_path(path: Any) -> Any:
    if path is not None and not (isinstance(path, str) and _PATH.fullmatch(path)):
        raise Wrong(f"={shown(path)} is not an S3 prefix", 'write path="s3://bucket/prefix/"')
    return path


class BatchSource(Published):
    """Rows of raw data with an event time: a Glue table, or Parquet under an S3 prefix.

    ``schema`` gives the type of every column that definitions use, as a list of fields or ``{"column": Type}``; the
    time columns are timestamps without being listed. ``created_timestamp_column`` says when a row became known.
    ``date_partition_column`` is a String partition that holds the event's UTC date, YYYY-MM-DD; queries are pruned by
    it. Events arriving up to ``lateness`` after their time are worked in by every run.
    """

    table: Annotated[str | None, BeforeValidator(_check_table)] = None
    path: Annotated[str | None, BeforeValidator(_check_path)] = None
    schema_: Annotated[Sequence[Field] | Mapping[str, ValueType], PlainValidator(_fields)] = pydantic.Field(
        alias="schema"
    )
    timestamp_field: str
    created_timestamp_column: str | None = None
    date_partition_column: str | None = None
    lateness: Duration = "0s"

    @classmethod
    def combinations(cls, given: Mapping[str, Any]) -> Iterator[Wrong]:
        """A source is a table or a path, not both."""
        if (given.get("table") is None) == (given.get("path") is None):
            yield Wrong("give exactly one of table and path", 'table="database.table" or path="s3://bucket/prefix/"')

    @property
    def fields(self) -> Sequence[Field]:
        """The declared columns."""
        return tuple(each for each in self.schema_ if isinstance(each, Field))

    def columns(self) -> dict[str, ValueType]:
        """Every column of the source that definitions may use, with its type."""
        return {each.name: each.dtype for each in self.fields} | self.roles()

    def roles(self) -> dict[str, ValueType]:
        """The columns that have a role, with the type the role gives them."""
        roles = {self.timestamp_field: Timestamp}
        if self.created_timestamp_column is not None:
            roles[self.created_timestamp_column] = Timestamp
        if self.date_partition_column is not None:
            roles[self.date_partition_column] = String
        return roles
