"""Schedules: the grid of times a view is computed on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import pydantic

from asof.definitions.arguments import Duration, PositiveDuration, attempt_milliseconds, milliseconds
from asof.definitions.base import Definition, Wrong


class Every(Definition):
    """Grid times at the multiples of a step since 1970-01-01T00:00Z, plus an offset: ``Every("1h", offset="5m")``."""

    _positional: ClassVar[tuple[str, ...]] = ("step",)

    step: PositiveDuration = pydantic.Field(kw_only=False)
    offset: Duration = "0s"

    @classmethod
    def combinations(cls, given: Mapping[str, Any]) -> Iterator[Wrong]:
        """The offset lies within one step."""
        step, offset = attempt_milliseconds(given.get("step")), attempt_milliseconds(given.get("offset", 0))
        if step and offset is not None and offset >= step:
            yield Wrong("the offset must be shorter than the step", "an offset moves the grid within one step")

    @property
    def step_ms(self) -> int:
        """The distance between grid times, in milliseconds."""
        return milliseconds(self.step)

    @property
    def offset_ms(self) -> int:
        """How far grid times lie after the multiples of the step, in milliseconds."""
        return milliseconds(self.offset)
