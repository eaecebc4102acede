"""Gives moto the local cloud's time, so that what it dates agrees with schedules, alarms and functions.

Sessions of roles keep the machine's time: clients compare their end with their own clocks. CloudFormation does too, for
the CDK shows only what happened since it started.
"""

from __future__ import annotations

import datetime
import importlib
import types
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from asof.clock import from_ms
from asof.local.services.virtual_clock import VirtualClock

_MODULES: Final = (
    "moto.core.utils",
    "moto.s3.models",
    "moto.stepfunctions.parser.models",
    "moto.stepfunctions.parser.backend.execution",
    "moto.stepfunctions.parser.asl.component.state.state",
    "moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration.itemprocessor.map_run_record",
    "moto.stepfunctions.parser.asl.component.state.wait.wait_function.timestamp",
    "moto.stepfunctions.parser.asl.eval.event.event_manager",
)
"""Those of moto's modules that look at the clock; the others ask ``moto.core.utils``."""


def _module(clock: VirtualClock) -> types.ModuleType:
    """A module ``datetime`` whose ``datetime.now`` is the clock's."""

    class Kind(type):
        """Makes every datetime an instance."""

        def __instancecheck__(cls, instance: Any) -> bool:
            return isinstance(instance, datetime.datetime)

    class VirtualDatetime(datetime.datetime, metaclass=Kind):
        """A datetime whose present is the clock's."""

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            """The clock's instant."""
            now = from_ms(clock.now_ms())
            return now.astimezone(tz) if tz is not None else now.replace(tzinfo=None)

        @classmethod
        def utcnow(cls) -> Any:
            """The clock's instant, naive."""
            return cls.now()

    module = types.ModuleType("datetime")
    module.__dict__.update({name: value for name, value in vars(datetime).items() if not name.startswith("__")})
    module.__dict__["datetime"] = VirtualDatetime
    return module


@contextmanager
def installed(clock: VirtualClock) -> Iterator[None]:
    """While inside, moto's clock is ``clock``."""
    virtual = _module(clock)
    with ExitStack() as stack:
        for name in _MODULES:
            stack.enter_context(patch.object(importlib.import_module(name), "datetime", virtual))
        sts = importlib.import_module("moto.sts.models")
        stack.enter_context(
            patch.object(sts, "utcnow", lambda: datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None))
        )
        yield
