"""What Parquet files say of themselves: columns, types, and the bytes each column takes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asof.local.athena.errors import QueryFailedError


@dataclass(frozen=True, slots=True)
class Footer:
    """A file's columns in lower case: Arrow type, and compressed bytes of all their chunks."""

    types: Mapping[str, Any]
    sizes: Mapping[str, int]


class Footers:
    """Footers, read once per file; files never change (their names are ETags)."""

    def __init__(self) -> None:
        self._read: dict[Path, Footer] = {}

    def of(self, path: Path, uri: str) -> Footer:
        """A file's footer; raises QueryFailedError, naming the object, where it is not Parquet."""
        if path not in self._read:
            self._read[path] = _read(path, uri)
        return self._read[path]


def _read(path: Path, uri: str) -> Footer:
    import pyarrow
    import pyarrow.parquet

    try:
        metadata = pyarrow.parquet.read_metadata(path)
    except pyarrow.ArrowInvalid as error:
        raise QueryFailedError("HIVE_BAD_DATA", f"Not valid Parquet file: {uri}: {error}") from error
    sizes: dict[str, int] = {}
    for group in range(metadata.num_row_groups):
        for column in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(column)
            name = chunk.path_in_schema.split(".")[0].lower()
            sizes[name] = sizes.get(name, 0) + chunk.total_compressed_size
    schema = metadata.schema.to_arrow_schema()
    return Footer({name.lower(): kind for name, kind in zip(schema.names, schema.types, strict=True)}, sizes)


@functools.lru_cache(maxsize=1024)
def readable(glue: str, arrow: Any) -> bool:
    """Whether Athena reads a Parquet column of this Arrow type into a Glue column of that type.

    It widens integers and floats and otherwise wants the type to be the one declared.
    """
    import pyarrow.types as kinds

    base = glue.lower().partition("(")[0].partition("<")[0]
    if kinds.is_null(arrow):
        return True
    if kinds.is_dictionary(arrow):
        arrow = arrow.value_type
    tests = {
        "double": lambda: kinds.is_floating(arrow),
        "float": lambda: kinds.is_float32(arrow),
        "boolean": lambda: kinds.is_boolean(arrow),
        "timestamp": lambda: kinds.is_timestamp(arrow),
        "date": lambda: kinds.is_date(arrow),
        "decimal": lambda: kinds.is_decimal(arrow),
        "array": lambda: kinds.is_list(arrow) or kinds.is_large_list(arrow) or kinds.is_fixed_size_list(arrow),
        "map": lambda: kinds.is_map(arrow),
        "struct": lambda: kinds.is_struct(arrow),
    }
    if base in ("string", "varchar", "char", "binary"):
        return bool(
            kinds.is_string(arrow)
            or kinds.is_large_string(arrow)
            or kinds.is_binary(arrow)
            or kinds.is_large_binary(arrow)
        )
    return bool(tests[base]() if base in tests else kinds.is_integer(arrow))


def zoned_nanoseconds(arrow: Any) -> bool:
    """Whether a column's times are of a type that DuckDB reads but casts only by way of another."""
    import pyarrow.types as kinds

    return bool(kinds.is_timestamp(arrow) and arrow.unit == "ns" and arrow.tz is not None)


def coarse(arrow: Any) -> bool:
    """Whether a column's times are whole milliseconds by type, so that reading need not round."""
    import pyarrow.types as kinds

    return not kinds.is_timestamp(arrow) or arrow.unit in ("s", "ms")
