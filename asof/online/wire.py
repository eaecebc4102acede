"""As much HTTP/1.1 as one service needs: a POST over a kept connection, answered with a length.

``http.client`` brings the e-mail parser along, which a cold start would wait for; DynamoDB always says how long its
answer is and never answers in chunks.
"""

from __future__ import annotations

import socket
from io import BufferedReader
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import ssl

_LONGEST_LINE: Final = 65_536


class ClosedError(ConnectionError):
    """The other side closed the connection before it answered."""


class Connection:
    """One connection to ``host:port``, with TLS where a context is given. ``timeout_s`` limits each wait for bytes."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float) -> None:
        # As bytes: for text, Python loads the codec of international names first.
        plain = socket.create_connection((host.encode("ascii"), port), timeout_s)  # type: ignore[arg-type]  # takes bytes
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = plain if tls is None else tls.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
        self._answers: BufferedReader = self._socket.makefile("rb")
        self.open = True

    def exchange(self, request: bytes) -> tuple[int, bytes]:
        """Send a whole request; the status and body of its answer.

        Raises ClosedError where there is no answer at all, ConnectionError where it is cut short or unreadable, and
        TimeoutError. The connection is of no further use then.
        """
        try:
            self._socket.sendall(request)
            return self._answer()
        except (BrokenPipeError, ConnectionResetError) as error:
            self.close()
            raise ClosedError(f"the connection was closed: {error}") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close it; closing twice does nothing."""
        self.open = False
        self._answers.close()
        self._socket.close()

    def _answer(self) -> tuple[int, bytes]:
        line = self._answers.readline(_LONGEST_LINE)
        if not line:
            raise ClosedError("the connection was closed without an answer")
        parts = line.split(None, 2)
        if len(parts) < 2 or not parts[0].startswith(b"HTTP/1.") or not parts[1].isdigit():
            raise ConnectionError(f"not an HTTP answer: {line[:100]!r}")
        length, keep = None, True
        while (line := self._answers.readline(_LONGEST_LINE)) not in (b"\r\n", b"\n"):
            name, colon, value = line.partition(b":")
            if not colon:
                raise ConnectionError(f"the answer's headers are cut short at {line[:100]!r}")
            name, value = name.lower(), value.strip()
            if name == b"content-length" and value.isdigit():
                length = int(value)
            elif name == b"connection" and value.lower() == b"close":
                keep = False
        if length is None:
            raise ConnectionError("the answer does not say how long it is")
        body = self._answers.read(length)
        if len(body) < length:
            raise ConnectionError(f"the answer is cut short: {len(body)} bytes of {length}")
        if not keep:
            self.close()
        return int(parts[1]), body
