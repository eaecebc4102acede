"""The local cloud put together: moto's APIs, what makes them run, and one port of the loopback interface."""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final
from unittest.mock import patch

import asof
from asof.clock import SystemClock, duration_ms, iso
from asof.errors import LocalCloudError, MissingExtraError, RequestError
from asof.local.cloud import ACCOUNT, REGION, LocalCloud
from asof.local.faults import Faults
from asof.local.server.state import Place, State, StateFolder

if TYPE_CHECKING:
    from werkzeug.serving import BaseWSGIServer

    from asof.local.server.assembly import Assembly

HOST: Final = "127.0.0.1"
REST_SECONDS: Final = 60.0
"""How long stopping waits for what is at work, where the state is kept."""
PATIENCE_SECONDS: Final = 120.0
"""How long advancing the clock waits at each instant for what happens there to come to rest."""


class LocalServer:
    """AWS on ``http://localhost:<port>``, from :meth:`start` (or ``with``) to :meth:`stop`; nothing of it is left then.

    ``port`` 0 takes a free one. ``now_ms`` is when its time begins, if not now. ``faults`` makes requests, queries,
    functions and state machines fail on purpose. Only one runs in a process.

    ``state_dir`` is a folder in which everything is kept when it stops, and from which it goes on when it starts:
    objects, tables, stacks and whatever they deployed, and the clock, which stands still meanwhile where it was set or
    moved. Executions that only wait for time to pass are aborted, and can be redriven.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        account: str = ACCOUNT,
        region: str = REGION,
        now_ms: int | None = None,
        state_dir: Path | None = None,
    ) -> None:
        self._port = port
        self.account = account
        self.region = region
        self._now_ms = now_ms
        self.state_dir = state_dir
        self.faults = Faults()
        self._stack: ExitStack | None = None
        self._server: BaseWSGIServer | None = None
        self._assembly: Assembly | None = None

    @property
    def endpoint(self) -> str:
        """Its address. ``localhost``, not a number: moto takes what is before the first dot for a bucket."""
        return f"http://localhost:{self.port}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise LocalCloudError("the local cloud's server is not running; call start()")
        return int(self._server.server_address[1])

    @property
    def assembly(self) -> Assembly:
        """Its parts, for tests that look inside or make something fail."""
        if self._assembly is None:
            raise LocalCloudError("the local cloud's server is not running; call start()")
        return self._assembly

    def start(self) -> LocalServer:
        """Begin to answer; raises LocalCloudError where a local cloud runs in this process or the port is taken."""
        if LocalCloud._running is not None or self._stack is not None:  # noqa: SLF001 # the same package's
            raise LocalCloudError("a local cloud is running in this process already; stop it first")
        try:
            from asof.local.server import assembly, kept
            from asof.local.server.application import Application
            from asof.local.server.fault_seam import FaultSeam
            from asof.local.server.listening import Unbound, listen
        except ImportError as error:
            raise MissingExtraError(error.name or "moto", "local", "the local cloud") from error
        with ExitStack() as stack:
            unbound, state = Unbound(), self._state(stack)
            self._server = listen(HOST, self._port if state is None else state.place.port, unbound)
            stack.callback(self._server.server_close)
            stack.enter_context(self._environment())
            # moto's state is the process's: neither kind of local cloud may start beside this one.
            stack.enter_context(patch.object(LocalCloud, "_running", LocalCloud()))
            stack.callback(assembly.forget)
            assembly.forget()
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asof-local-")))
            parts = assembly.assemble(
                stack,
                folder,
                self.endpoint,
                self.account,
                now_ms=state.now_ms if state else self._now_ms,
                faults=self.faults,
            )
            stack.callback(self.faults.clear)
            self._assembly = parts
            moto = FaultSeam(parts.moto, self.faults)
            unbound.application = Application(moto, parts.gateway, parts.callbacks, self._administer)
            if state is not None:
                kept.restored(state.data, parts.keepers, parts.named)
            if self.state_dir is not None:
                stack.callback(self._keep, parts)
            thread = threading.Thread(target=self._server.serve_forever, daemon=True, name="asof-local")
            thread.start()
            stack.callback(thread.join)
            stack.callback(self._server.shutdown)
            if self.state_dir is not None:
                stack.callback(parts.rest, REST_SECONDS)
            parts.timeline.start()
            stack.callback(parts.timeline.stop)
            self._stack = stack.pop_all()
        return self

    def stop(self) -> None:
        """End everything and forget it; stopping twice does nothing."""
        stack, self._stack, self._assembly = self._stack, None, None
        if stack is not None:
            stack.close()
            self._server = None

    def _state(self, stack: ExitStack) -> State | None:
        """What was kept in the folder, which belongs to this server as long as ``stack`` lasts."""
        if self.state_dir is None:
            return None
        folder = StateFolder(self.state_dir)
        stack.enter_context(folder.locked())
        return folder.fitting(self.account, self.region, self._port, self._now_ms)

    def _keep(self, parts: Assembly) -> None:
        """Keep everything; the last thing that is done before it is forgotten."""
        from asof.local.server import kept

        if self.state_dir is not None:
            place = Place(self.account, self.region, self.port)
            now_ms = parts.clock.now_ms() if parts.clock.offset_ms else None
            StateFolder(self.state_dir).write(State(place, now_ms, kept.dumped(parts.keepers, parts.named)))

    def __enter__(self) -> LocalServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def client_environment(self) -> dict[str, str]:
        """The environment variables that lead AWS's clients, the CDK among them, to this server."""
        return client_environment(self.endpoint, self.region)

    def advance(self, by: str | int, patience_seconds: float = PATIENCE_SECONDS) -> bool:
        """Move the clock by a duration (``"1h30m"`` or milliseconds), firing on the way what is due.

        Returns whether everything that started came to rest.
        """
        by_ms = by if isinstance(by, int) else duration_ms(by)
        return self.assembly.timeline.advance(by_ms, patience_seconds)

    def now_ms(self) -> int:
        """The local cloud's present."""
        return self.assembly.clock.now_ms()

    def _administer(self, command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        if command == "status":
            return self._status()
        if command == "advance":
            settled = self.advance(str(arguments.get("by", "")), float(arguments.get("patience", PATIENCE_SECONDS)))
            return {"now": iso(self.now_ms()), "settled": settled}
        raise RequestError(f"the local cloud has no command {command!r}: status, advance")

    def _status(self) -> dict[str, Any]:
        return {
            "version": asof.__version__,
            "endpoint": self.endpoint,
            "pid": os.getpid(),
            "account": self.account,
            "region": self.region,
            "now": iso(self.now_ms()),
            "ahead_ms": self.now_ms() - SystemClock().now_ms(),
            "state_dir": None if self.state_dir is None else str(self.state_dir.absolute()),
            "stacks": {stack.name: stack.status for stack in self.assembly.stacks()},
        }

    def _environment(self) -> ExitStack:
        """The process's environment: nothing that leads to the real AWS, and the account moto works for."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        ours = {
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": self.region,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "MOTO_ACCOUNT_ID": self.account,
            "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        }
        stack = ExitStack()
        stack.enter_context(patch.dict(os.environ, {**kept, **ours}, clear=True))
        return stack


def client_environment(endpoint: str, region: str) -> dict[str, str]:
    """The environment variables that lead AWS's clients, the CDK among them, to a local cloud."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }
