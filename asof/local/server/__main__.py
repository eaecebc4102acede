"""``python -m asof.local.server``: the local cloud in this process, until it is told to end."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from asof.errors import AsofError
from asof.local.cloud import ACCOUNT, REGION
from asof.local.server.local_server import LocalServer

_LOOK_SECONDS: Final = 0.25


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m asof.local.server", description="The local cloud, as a server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--account", default=ACCOUNT)
    parser.add_argument("--region", default=REGION)
    parser.add_argument("--now-ms", type=int, default=None)
    parser.add_argument("--state-dir", type=Path, default=None)
    given = parser.parse_args()
    logging.basicConfig(level=logging.ERROR, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # What fails inside a state machine is in its execution history.
    logging.getLogger("moto").setLevel(logging.CRITICAL)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    # The terminal it was started from may close.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    server = LocalServer(
        port=given.port,
        account=given.account,
        region=given.region,
        now_ms=given.now_ms,
        state_dir=given.state_dir,
    )
    try:
        with server:
            # Not for ever at once: a signal may reach another thread, and does not wake this one then.
            while not ended.wait(_LOOK_SECONDS):
                pass
    except AsofError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
