"""Load: write one unloaded object to the online store, as far as the function's time allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, Protocol

from asof.materialize.events import StageEvent, connected
from asof.materialize.lease import Lease
from asof.materialize.load import RENEW_EVERY, online_rows
from asof.monitor.log import log_line
from asof.online.client import online_client
from asof.online.layout import OnlineRow
from asof.online.writer import OnlineWriter

RESERVE_MS: Final = 120_000
"""What is left of the function's time when it stops reading: the writes under way may be tried for a minute."""


class Context(Protocol):
    """The part of Lambda's context that is needed."""

    def get_remaining_time_in_millis(self) -> int:
        """How long the function may go on."""
        ...


def handle(event: dict[str, Any], context: Context) -> dict[str, Any]:
    """``{"view", "lease", "key", "lines", "written"}`` -> the same, further on; ``done`` at the object's end."""
    services = connected()
    stage = StageEvent.of(services, event)
    stage.lease.renew()
    rows = _Timed(islice(online_rows(services, stage.view, event["key"]), event["lines"], None), stage.lease, context)
    writer = OnlineWriter(online_client(services.online), services.environment.online_table)
    counts = writer.write(stage.view, services.entity(stage.view), rows)
    print(
        log_line(
            "load",
            view=stage.view.reference,
            key=event["key"],
            written=counts.written,
            superseded=counts.superseded,
            done=rows.done,
        )
    )
    return {
        **event,
        "lines": event["lines"] + counts.total,
        "written": event["written"] + counts.written,
        "done": rows.done,
    }


class _Timed:
    """Rows while there is time for them; ``done`` says whether they came to their end. Renews the lease on the way."""

    def __init__(self, rows: Iterable[OnlineRow], lease: Lease, context: Context) -> None:
        self._rows = rows
        self._lease = lease
        self._context = context
        self.done = False

    def __iter__(self) -> Iterator[OnlineRow]:
        for number, row in enumerate(self._rows, start=1):
            yield row
            if number % RENEW_EVERY == 0:
                self._lease.renew()
            if self._context.get_remaining_time_in_millis() < RESERVE_MS:
                return
        self.done = True
