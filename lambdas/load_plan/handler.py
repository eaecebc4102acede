"""Load plan: once every chunk is committed, say which query unloads the newest rows, and where to."""

from __future__ import annotations

from typing import Any

from asof.materialize.events import StageEvent, connected, query_to, try_again, without
from asof.materialize.load import load_query
from asof.monitor.log import log_line


def handle(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """The state of the run -> the same with ``query`` and ``prefix``, or ``done`` where there is nothing to load."""
    services = connected()
    stage = StageEvent.of(services, event)
    view, tries = stage.view, event.get("tries", 0)
    if event.get("failure"):
        try_again(view, event["failure"], tries)
    stage.lease.renew()
    record = stage.run(event["run_id"])
    chunks = stage.committed(record)
    planned = load_query(services, view, record.run, chunks) if view.online else None
    query, prefix = planned or (None, None)
    print(log_line("load_plan", view=view.reference, run=record.run.run_id, prefix=prefix))
    return {
        **without(event, ("result", "failure")),
        "tries": tries + 1,
        "done": planned is None,
        "query": query_to(query, view),
        "prefix": prefix,
    }
