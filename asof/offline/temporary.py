"""Entity rows as a temporary table: Parquet under the scratch prefix and a Glue table over it, both gone afterwards."""

from __future__ import annotations

import io
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from asof.errors import AsofError, QueryError
from asof.extras import require
from asof.names import Environment, scratch_prefix
from asof.offline.objects import delete_prefix
from asof.offline.tables import parquet_table

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Scratch:
    """A place that is cleaned up: the temporary table's name, and the S3 prefix (URI ending in ``/``) for its rows."""

    table: str
    location: str


class TemporaryTables:
    """Makes temporary tables in an environment. A lifecycle rule expires what a killed process leaves behind."""

    def __init__(
        self,
        s3: Any,
        glue: Any,
        environment: Environment,
        *,
        token: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._s3 = s3
        self._glue = glue
        self._environment = environment
        self._token = token

    @contextmanager
    def prefix(self, purpose: str) -> Iterator[Scratch]:
        """An empty scratch prefix; its objects, and the table of that name if one was made, are gone on leaving.

        Cleaning up is tried in any case. What could not be cleaned up is added as a note to the error in flight, or
        warned of where there is none; it never hides either result.
        """
        token = self._token()
        scratch = Scratch(
            f"tmp_{purpose}_{token}", f"s3://{self._environment.offline_bucket}/{scratch_prefix(purpose, token)}"
        )
        try:
            yield scratch
        except BaseException as error:
            for problem in self._clean(scratch, scratch_prefix(purpose, token)):
                error.add_note(problem)
            raise
        for problem in self._clean(scratch, scratch_prefix(purpose, token)):
            warnings.warn(problem, RuntimeWarning, stacklevel=3)

    @contextmanager
    def rows(self, rows: pa.Table, purpose: str = "rows") -> Iterator[Scratch]:
        """The rows of an Arrow table as a temporary table in Glue and S3."""
        with self.prefix(purpose) as scratch:
            self._upload(rows, scratch)
            self.create(scratch, glue_columns(rows.schema))
            yield scratch

    def create(self, scratch: Scratch, columns: Sequence[tuple[str, str]], location: str | None = None) -> None:
        """The temporary Glue table over what lies under the scratch prefix, or over another ``location``.

        Only the scratch prefix is ever deleted, never another location.
        """
        table = parquet_table(scratch.table, columns, location or scratch.location, description="Temporary")
        try:
            self._glue.create_table(DatabaseName=self._environment.database, TableInput=table)
        except (ClientError, BotoCoreError) as error:
            raise QueryError(f"the temporary table {scratch.table} cannot be created: {error}") from error

    def _upload(self, rows: pa.Table, scratch: Scratch) -> None:
        parquet = require("pyarrow.parquet", "offline", "uploading entity rows")
        buffer = io.BytesIO()
        parquet.write_table(rows, buffer, compression="zstd", coerce_timestamps="ms")
        buffer.seek(0)
        bucket, _, prefix = scratch.location.removeprefix("s3://").partition("/")
        try:
            self._s3.upload_fileobj(buffer, bucket, f"{prefix}rows.parquet")
        except (ClientError, BotoCoreError) as error:
            raise QueryError(f"entity rows cannot be uploaded to {scratch.location}: {error}") from error

    def _clean(self, scratch: Scratch, prefix: str) -> list[str]:
        problems = []
        try:
            self._glue.delete_table(DatabaseName=self._environment.database, Name=scratch.table)
        except (ClientError, BotoCoreError) as error:
            if not isinstance(error, ClientError) or error.response["Error"]["Code"] != "EntityNotFoundException":
                problems.append(f"the temporary table {scratch.table} could not be deleted: {error}")
        try:
            delete_prefix(self._s3, self._environment.offline_bucket, prefix)
        except AsofError as error:
            problems.append(f"temporary objects could not be deleted: {error}")
        return problems


def glue_columns(schema: pa.Schema) -> list[tuple[str, str]]:
    """The columns of an Arrow schema as ``(name, Glue type)``; raises QueryError for a type that has none here."""
    return [(field.name, _glue_type(field.type, field.name)) for field in schema]


def _glue_type(kind: pa.DataType, name: str) -> str:
    types = require("pyarrow.types", "offline", "reading the types of entity rows")
    for is_kind, glue in (
        (types.is_boolean, "boolean"),
        (types.is_int8, "tinyint"),
        (types.is_int16, "smallint"),
        (types.is_int32, "int"),
        (types.is_int64, "bigint"),
        (types.is_float32, "float"),
        (types.is_float64, "double"),
        (types.is_string, "string"),
        (types.is_large_string, "string"),
        (types.is_date32, "date"),
        (types.is_timestamp, "timestamp"),
        (types.is_binary, "binary"),
    ):
        if is_kind(kind):
            return glue
    if types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if types.is_list(kind) or types.is_large_list(kind):
        return f"array<{_glue_type(kind.value_type, name)}>"
    raise QueryError(f"column {name!r} has the Arrow type {kind}, which a Glue table has no type for; leave it out")
