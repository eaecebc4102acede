"""Step: take one chunk one step further, and say which query comes next or that the chunk is committed."""

from __future__ import annotations

import secrets
from typing import Any

from asof.materialize.chunk import Attempt
from asof.materialize.events import (
    StageEvent,
    connected,
    lease_to,
    progress_from,
    progress_to,
    query_to,
    result_from,
    try_again,
)
from asof.materialize.lifecycle import ledger_of, reader_of
from asof.monitor.log import log_line


def handle(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """``{"view", "lease", "run_id", "chunk", "progress"?, "result"?, "failure"?}`` -> the same with what comes next."""
    services = connected()
    stage = StageEvent.of(services, event)
    view, tries = stage.view, event.get("tries", 0)
    run = stage.run(event["run_id"]).run
    chunk = run.chunks[event["chunk"]]
    attempt = Attempt(services, ledger_of(services, stage.lease), view, run, chunk)
    failure, before, result = event.get("failure"), event.get("progress"), None
    if failure:
        try_again(view, failure, tries)
    if failure or not before:
        tries += 1
        # A name of its own: what a failed attempt has written must never be taken for this one's.
        name = f"{run.run_id}-{chunk.index:05d}-{stage.lease.token}-{secrets.token_hex(2)}"
        progress = attempt.begin(name, reader_of(services).chunks(view.reference, run.run_id).get(chunk.index))
    else:
        progress, result = progress_from(before), result_from(event)
    query = None
    if progress.step != "done":
        progress, query = attempt.advance(progress, result)
    purpose = query.purpose if query else "committed"
    print(log_line("step", view=view.reference, run=run.run_id, chunk=chunk.index, next=purpose, tries=tries))
    return {
        "view": view.reference,
        "lease": lease_to(stage.lease),
        "run_id": run.run_id,
        "chunk": chunk.index,
        "tries": tries,
        "done": query is None,
        "progress": progress_to(progress),
        "query": query_to(query, view),
    }
