"""As much HTTP/1.1 as one service needs: a POST over a kept connection, answered with a length.

``http.client`` brings the e-mail parser along, which a cold start would wait for; DynamoDB always says how long its
answer is and never answers in chunks.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import ssl

_MOST_HEAD_BYTES: Final = 65_536
_RECEIVED_AT_ONCE: Final = 65_536
_END_OF_HEAD: Final = b"\r\n\r\n"
_LENGTH: Final = b"\r\ncontent-length:"
_CONNECTION: Final = b"\r\nconnection:"


class ClosedError(ConnectionError):
    """The other side closed the connection before it answered."""


class Answer(NamedTuple):
    """An answer's status, head (in lower case, without the empty line at its end) and body."""

    status: int
    head: bytes
    body: bytes | bytearray

    def header(self, name: bytes) -> bytes | None:
        """The value of a header, by its name in lower case; None where there is none."""
        return _header(self.head, b"\r\n%b:" % name)


class Connection:
    """One connection to ``host:port``, with TLS where a context is given.

    ``connect_timeout_s`` limits connecting, ``timeout_s`` each wait for bytes after it.
    """

    def __init__(
        self, host: str, port: int, tls: ssl.SSLContext | None, timeout_s: float, connect_timeout_s: float
    ) -> None:
        # As bytes: for text, Python loads the codec of international names first.
        plain = socket.create_connection((host.encode("ascii"), port), connect_timeout_s)  # type: ignore[arg-type]  # takes bytes
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._socket = plain if tls is None else tls.wrap_socket(plain, server_hostname=host)
            self._socket.settimeout(timeout_s)
        except BaseException:
            plain.close()
            raise
        self.open = True

    def exchange(self, request: bytes) -> Answer:
        """Send a whole request; its answer.

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
        self._socket.close()

    def _answer(self) -> Answer:
        received = self._socket.recv(_RECEIVED_AT_ONCE)
        if not received:
            raise ClosedError("the connection was closed without an answer")
        while (split := received.find(_END_OF_HEAD)) < 0:
            more = self._socket.recv(_RECEIVED_AT_ONCE)
            if not more or len(received) > _MOST_HEAD_BYTES:
                raise ConnectionError(f"the answer's head is cut short or too long: {received[:100]!r}")
            received += more
        head = received[:split].lower()
        if not head.startswith(b"http/1.") or not head[9:12].isdigit():
            raise ConnectionError(f"not an HTTP answer: {head[:100]!r}")
        length = _header(head, _LENGTH)
        if length is None or not length.isdigit():
            raise ConnectionError("the answer does not say how long it is")
        body = self._body(received[split + len(_END_OF_HEAD) :], int(length))
        if _header(head, _CONNECTION) == b"close":
            self.close()
        return Answer(int(head[9:12]), head, body)

    def _body(self, begun: bytes, length: int) -> bytes | bytearray:
        """The body, of which some bytes came with the head."""
        missing = length - len(begun)
        if missing <= 0:
            if missing < 0:
                raise ConnectionError(f"the answer is {-missing} bytes longer than it says")
            return begun
        body = bytearray(length)
        body[: len(begun)] = begun
        rest = memoryview(body)[len(begun) :]
        while rest:
            count = self._socket.recv_into(rest)
            if not count:
                raise ConnectionError(f"the answer is cut short: {length - len(rest)} bytes of {length}")
            rest = rest[count:]
        return body


def _header(head: bytes, name: bytes) -> bytes | None:
    """The value of a header of a head in lower case; its name stands between a line's end and a colon."""
    start = head.find(name)
    if start < 0:
        return None
    start += len(name)
    end = head.find(b"\r\n", start)
    return head[start : end if end >= 0 else None].strip()
