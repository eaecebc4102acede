"""A loopback server in a process of its own that answers every repeated request in constant time.

A request it has not met goes to the store behind it; the answer is kept and given again, byte for byte, for an equal
request: same operation, same body. So a client's own cost shows, whatever store recorded the answers.
"""

from __future__ import annotations

import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

_LENGTH = b"content-length:"
_END = b"\r\n\r\n"


class Stub:
    """The server: one thread, one epoll; a connection has at most one request under way, as in HTTP/1.1."""

    def __init__(self, store: str) -> None:
        address = urlsplit(store)
        self._store = (address.hostname or "127.0.0.1", address.port or 80)
        self._answers: dict[tuple[bytes, bytes], bytes] = {}
        self._received: dict[int, tuple[socket.socket, bytes]] = {}
        self._epoll = select.epoll()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def serve(self) -> None:
        """Answer for ever."""
        self._epoll.register(self._listener, select.EPOLLIN)
        while True:
            for number, _ in self._epoll.poll():
                if number == self._listener.fileno():
                    self._accept()
                else:
                    self._receive(number)

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received[connection.fileno()] = connection, b""
        self._epoll.register(connection, select.EPOLLIN)

    def _receive(self, number: int) -> None:
        connection, received = self._received[number]
        try:
            more = connection.recv(1 << 20)
        except ConnectionError:
            more = b""
        if not more:
            self._epoll.unregister(connection)
            connection.close()
            del self._received[number]
            return
        received += more
        split = received.find(_END)
        if split < 0 or len(received) < split + len(_END) + length(received[:split]):
            self._received[number] = connection, received
            return
        self._received[number] = connection, b""
        connection.sendall(self._answer(received[:split], received[split + len(_END) :], received))

    def _answer(self, head: bytes, body: bytes, request: bytes) -> bytes:
        target = head.lower().partition(b"x-amz-target:")[2].partition(b"\r\n")[0]
        answer = self._answers.get((target, body))
        if answer is None:
            answer = self._answers[target, body] = self._recorded(request)
        return answer

    def _recorded(self, request: bytes) -> bytes:
        """What the store answers."""
        with socket.create_connection(self._store) as connection:
            connection.sendall(request)
            answer = b""
            while True:
                answer += connection.recv(1 << 20)
                split = answer.find(_END)
                if split >= 0 and len(answer) >= split + len(_END) + length(answer[:split]):
                    return answer


def length(head: bytes) -> int:
    """The content length that a head tells; 0 where it tells none."""
    return int(head.lower().partition(_LENGTH)[2].partition(b"\r\n")[0] or 0)


@contextmanager
def open_stub(store: str) -> Iterator[str]:
    """The endpoint of a stub before a store."""
    command = [sys.executable, "-m", "benchmarks.support.stub_server", store]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip() if process.stdout else ''}"
        finally:
            process.terminate()


def main() -> None:
    """Serve until told to end."""
    stub = Stub(sys.argv[1])
    print(stub.port, flush=True)
    stub.serve()


if __name__ == "__main__":
    main()
