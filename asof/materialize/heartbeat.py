"""Holding on to a lease while a stage takes longer than the lease."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from asof.errors import LeaseLostError
from asof.materialize.lease import LEASE_MS, Lease

EVERY_S: Final = LEASE_MS / 3_000
"""Seconds between two renewals: two may fail before the lease is anybody's."""


@contextmanager
def beating(lease: Lease, every_s: float = EVERY_S) -> Iterator[None]:
    """Renew the lease from a thread of its own while inside.

    A lease that was lost is left alone: whoever works under it is told by the next thing it records.
    """
    over = threading.Event()

    def beat() -> None:
        while not over.wait(every_s):
            try:
                lease.renew()
            except LeaseLostError:
                return
            except (BotoCoreError, ClientError):
                continue  # the next beat may get through; what is recorded checks the lease anyway

    thread = threading.Thread(target=beat, name="asof-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
