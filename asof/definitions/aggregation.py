"""Aggregations: functions over windows of events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import BeforeValidator

from asof.clock import duration_text
from asof.definitions.arguments import Given, Many, OptionalPositiveDuration, PositiveDuration, milliseconds
from asof.definitions.base import Definition, Wrong, shown
from asof.manifest import AGGREGATION_FUNCTIONS
from asof.value_types import SCALARS, Float64, Int64, ValueType

_ORDERED: Final = ("Int64", "Float64", "String", "Timestamp", "Date")
_INPUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "sum": ("Int64", "Float64"),
    "mean": ("Int64", "Float64"),
    "stddev": ("Int64", "Float64"),
    "min": _ORDERED,
    "max": _ORDERED,
    "last": SCALARS,
    "first": SCALARS,
    "count_distinct": SCALARS,
}


def _check_function(function: Any) -> Any:
    if function not in AGGREGATION_FUNCTIONS:
        raise Wrong(f"={shown(function)} is not a function", f"the functions are {', '.join(AGGREGATION_FUNCTIONS)}")
    return function


@dataclass(frozen=True, slots=True)
class Window:
    """One feature of an aggregation: its name, and its window's length in milliseconds."""

    feature: str
    window_ms: int


class Aggregation(Definition):
    """A function over a column of the events in ``(t - window, t]``; several windows give several features.

    A feature is called ``name``, with ``_{window}`` after it where there are several windows; without a name it is
    ``{column}_{function}_{window}``, and ``count_{window}`` for a count of rows. Windows are spelled as they are given.
    """

    function: Annotated[str, BeforeValidator(_check_function)]
    column: str | None = None
    time_window: OptionalPositiveDuration = None
    time_windows: Many[PositiveDuration] = ()
    name: str | None = None
    default: Any = None
    description: str = ""

    @classmethod
    def combinations(cls, given: Mapping[str, Any]) -> Iterator[Wrong]:
        """One way of giving windows; a column for every function but count."""
        if (given.get("time_window") is None) == (not given.get("time_windows")):
            yield Wrong("give exactly one of time_window and time_windows", 'time_window="1h" or time_windows=["1h"]')
        function = given.get("function")
        if function in _INPUTS and given.get("column") is None:
            yield Wrong(f"{function} needs a column", 'name one with column="..."')

    def windows(self) -> tuple[Window, ...]:
        """The features this aggregation makes, in declared order."""
        given = (self.time_window,) if self.time_window is not None else tuple(self.time_windows)
        several = len(given) > 1
        stem = self.name or (f"{self.column}_{self.function}" if self.column else self.function)
        return tuple(
            Window(f"{stem}_{_spelled(each)}" if several or not self.name else stem, milliseconds(each))
            for each in given
        )

    def result(self, column: ValueType | None) -> ValueType | None:
        """The type of the result over a column of that type; None where the function does not take it."""
        if column is not None and self.function in _INPUTS and str(column) not in _INPUTS[self.function]:
            return None
        if self.function in ("count", "count_distinct"):
            return Int64
        return Float64 if self.function in ("mean", "stddev") else column

    def takes(self) -> tuple[str, ...]:
        """The types of column the function takes; empty for any."""
        return _INPUTS.get(self.function, ())


def _spelled(window: Given) -> str:
    return window if isinstance(window, str) else duration_text(milliseconds(window))
