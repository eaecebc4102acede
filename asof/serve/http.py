"""The HTTP API of lookups, framework-free: method, path and body to status and JSON, in Feast's shape.

Feast's own clients read the answer; what Asof adds stands in fields of its own. A client's mistake is a 4xx that says
what to do; a 5xx means that the store could not give a complete or fresh answer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from asof.clock import iso
from asof.errors import (
    AsofError,
    DeadlineExceededError,
    EntityRowsError,
    OnDemandError,
    RequestError,
    RequestTooLargeError,
    StaleFeaturesError,
    UnknownFeatureError,
)
from asof.serve.lookup import OnlineLookup
from asof.serve.request import LookupRequest, columns_from_json, read_request
from asof.serve.response import OnlineColumn, OnlineResponse

MOST_ANSWER_BYTES: Final = 5_500_000
"""Lambda gives back 6 MB at most."""

_NO_EVENT: Final = "1970-01-01T00:00:00Z"
"""Feast's word for no event time: its clients parse every element."""

_STATUS: Final[tuple[tuple[type[AsofError], int], ...]] = (
    (UnknownFeatureError, 404),
    (RequestTooLargeError, 413),
    (EntityRowsError, 422),
    (RequestError, 400),
    (OnDemandError, 422),
    (StaleFeaturesError, 503),
    (DeadlineExceededError, 503),
    (AsofError, 500),
)
"""The first that fits. An on-demand function fails on what the caller gave it, so that is the caller's to mend."""


class HttpResponse(NamedTuple):
    """Status, headers and body of an answer."""

    status: int
    headers: Mapping[str, str]
    body: str


class OnlineApi:
    """Answers requests from one lookup; ``/health`` tells ``about``, and ``/openapi.json`` what ``openapi`` gives."""

    def __init__(self, lookup: OnlineLookup, *, about: Mapping[str, str], openapi: Callable[[], str]) -> None:
        self._lookup = lookup
        self._about = dict(about)
        self._openapi = openapi

    def respond(self, method: str, path: str, body: bytes | None) -> HttpResponse:
        """The answer to a request; an AsofError becomes one, anything else is a defect and is raised."""
        handlers: dict[str, tuple[str, Callable[[], HttpResponse]]] = {
            "/get-online-features": ("POST", lambda: self._features(body or b"")),
            "/health": ("GET", lambda: _json(200, {"status": "ok", **self._about})),
            "/openapi.json": ("GET", lambda: HttpResponse(200, _HEADERS, self._openapi())),
        }
        if path not in handlers:
            return _problem(404, "NotFound", f"there is no {path}; there are {', '.join(handlers)}")
        allowed, handler = handlers[path]
        if method != allowed:
            answer = _problem(405, "MethodNotAllowed", f"{path} takes {allowed}, not {method}")
            return answer._replace(headers={**answer.headers, "allow": allowed})
        try:
            return handler()
        except AsofError as error:
            return _answer_to(error)

    def _features(self, body: bytes) -> HttpResponse:
        request = read_request(body)
        resolved = self._lookup.resolve(request.features, request.full_feature_names)
        rows = columns_from_json(request.entities, resolved)
        found = self._lookup.get_online_features(request.features, rows, full_feature_names=request.full_feature_names)
        answer = _json(200, _body(found, request))
        if len(answer.body) > MOST_ANSWER_BYTES:
            raise RequestTooLargeError(
                f"the answer is {len(answer.body):,} bytes long, and {MOST_ANSWER_BYTES:,} is the most; ask for fewer "
                f"entities or features at once"
            )
        return answer


def _body(found: OnlineResponse, request: LookupRequest) -> dict[str, Any]:
    columns = found.keys + found.features
    as_of = {view: None if at_ms is None else iso(at_ms) for view, at_ms in found.as_of_ms.items()}
    metadata: dict[str, Any] = {"feature_names": [column.name for column in columns]}
    metadata |= {"as_of": as_of, "now": iso(found.now_ms)}
    if request.ignored:
        metadata["ignored"] = list(request.ignored)
    # The features of one view have their times in common, and writing an instant takes longer than anything else here.
    times: dict[tuple[int | None, ...], dict[str, Any]] = {}
    for column in columns:
        if column.event_ms not in times:
            times[column.event_ms] = _times(column, found.now_ms)
    results = [
        {"values": list(map(plain, column.values)), "statuses": column.statuses, **times[column.event_ms]}
        for column in columns
    ]
    return {"metadata": metadata, "results": results}


def _times(column: OnlineColumn, now_ms: int) -> dict[str, Any]:
    """A column's event times and ages."""
    times = {at_ms: _NO_EVENT if at_ms is None else iso(at_ms) for at_ms in set(column.event_ms)}
    return {
        "event_timestamps": [times[at_ms] for at_ms in column.event_ms],
        "ages_ms": list(column.ages(now_ms)),
    }


def plain(value: Any) -> Any:
    """A value as JSON has it: instants and dates as ISO text, floats that are not finite as text, as in Feast."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


_HEADERS: Final = {"content-type": "application/json"}


def _json(status: int, body: Mapping[str, Any]) -> HttpResponse:
    text = json.dumps(body, separators=(",", ":"), allow_nan=False)
    return HttpResponse(status, _HEADERS, text)


def _problem(status: int, kind: str, message: str, nearest: Sequence[str] = ()) -> HttpResponse:
    """An error: what kind, in words, and the nearest names where one was unknown. ``detail`` is where Feast has it."""
    return _json(status, {"error": kind, "detail": message, "nearest": list(nearest)})


def _answer_to(error: AsofError) -> HttpResponse:
    status = next(status for kind, status in _STATUS if isinstance(error, kind))
    nearest = error.nearest if isinstance(error, UnknownFeatureError) else ()
    answer = _problem(status, type(error).__name__, str(error), nearest)
    return answer._replace(headers={**answer.headers, "retry-after": "1"}) if status == 503 else answer
