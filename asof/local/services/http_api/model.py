"""A request and an answer of HTTP, apart from any server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to an API. ``path`` begins with a slash and is that of the API, decoded; headers as they came."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    source_ip: str

    def header(self, name: str) -> str | None:
        """A header's value, by its name in any case."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer; ``error`` is what the access log says of it."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    error: str = ""
    context: Mapping[str, str] = field(default_factory=dict)
