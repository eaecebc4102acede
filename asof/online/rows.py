"""Entity rows, which callers give row by row or column by column, as columns. Standard library only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asof.errors import EntityRowsError

EntityRows = Sequence[Mapping[str, object]] | Mapping[str, Sequence[object]]
"""Join keys and request data: one mapping per row, or one sequence per column."""


class EntityColumns:
    """Entity rows by column; ``count`` is how many rows there are.

    Raises EntityRowsError for columns of different lengths and for what is neither rows nor columns.
    """

    def __init__(self, entity_rows: EntityRows) -> None:
        if isinstance(entity_rows, Mapping):
            self._columns: Mapping[str, Sequence[object]] | None = entity_rows
            self.count = _common_length(entity_rows)
            return
        self._columns, self._rows = None, list(entity_rows)
        self.count = len(self._rows)
        for i, row in enumerate(self._rows):
            if not isinstance(row, Mapping):
                raise EntityRowsError(f"entity row {i} is a {type(row).__name__}; give a dict of column name to value")

    def column(self, name: str, what: str) -> list[object]:
        """One value per row; raises EntityRowsError, which says what it is, where a row has none."""
        if not self.count:
            return []
        if self._columns is not None:
            if name not in self._columns:
                raise _missing(0, name, what, self._columns)
            return list(self._columns[name])
        try:
            return [row[name] for row in self._rows]
        except KeyError:
            i, row = next((i, row) for i, row in enumerate(self._rows) if name not in row)
            raise _missing(i, name, what, row) from None


def _common_length(columns: Mapping[str, Sequence[object]]) -> int:
    """How long every one of some columns is."""
    single = [name for name, values in columns.items() if isinstance(values, str) or not hasattr(values, "__len__")]
    if single:
        raise EntityRowsError(
            f"entity_rows has single values for {', '.join(single)}; give a list of values per column, or a "
            f"list of dicts, one per row"
        )
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise EntityRowsError(f"the columns of entity_rows differ in length: {lengths}")
    return next(iter(lengths.values()), 0)


def _missing(i: int, name: str, what: str, row: Mapping[str, object]) -> EntityRowsError:
    return EntityRowsError(f"entity row {i} has no column {name!r}, {what}; it has {sorted(row)}")
