"""How a load ends when something other than a write fails; the writes themselves are every store's behaviour."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import pytest

from asof.errors import LeaseLostError, RequestError
from asof.online.layout import OnlineRow
from asof.online.writer import OnlineWriter, WriteCounts, _Shared
from tests.support.fake_dynamodb import FakeDynamoDB
from tests.support.online import AIRPORT, NOW, TABLE, WEATHER, weather


def rows_then(error: BaseException, count: int) -> Iterator[OnlineRow]:
    """Some rows, then an error where the next would be."""
    for i in range(count):
        yield weather(f"A{i}", float(i))
    raise error


def test_rows_that_cannot_be_read_end_the_load_with_what_was_written() -> None:
    """As where the lease is lost on the way; all that was given is written and counted."""
    store = FakeDynamoDB()
    with pytest.raises(LeaseLostError) as caught:
        OnlineWriter(store, TABLE, workers=4).write(WEATHER, AIRPORT, rows_then(LeaseLostError("gone"), 50))
    assert len(store.items) == 50
    assert "50 rows were written and 0 superseded" in caught.value.__notes__[0]


def test_a_kill_passes_through() -> None:
    """It is no error, and nobody makes one of it."""
    with pytest.raises(KeyboardInterrupt):
        OnlineWriter(FakeDynamoDB(), TABLE).write(WEATHER, AIRPORT, rows_then(KeyboardInterrupt(), 3))


def test_a_row_that_does_not_fit_is_named_and_no_more_are_taken() -> None:
    taken = []

    def rows() -> Iterator[OnlineRow]:
        for i in range(1_000):
            taken.append(i)
            yield OnlineRow((f"A{i}",), NOW, None, ("fast", "clear") if i == 5 else (1.0, "clear"))

    with pytest.raises(RequestError, match=r"'wind' of weather@v2 is declared Float64"):
        OnlineWriter(FakeDynamoDB(), TABLE, workers=1).write(WEATHER, AIRPORT, rows())
    assert taken == list(range(6))


def test_an_interruption_lets_the_writes_under_way_end_and_begins_no_more() -> None:
    """The thread that waits is interrupted; the others stop after the row they are at."""
    begun, interrupted = threading.Event(), threading.Event()
    store = FakeDynamoDB()
    puts: list[Any] = []

    def put_item(**request: Any) -> Any:
        puts.append(request)
        begun.set()
        assert interrupted.wait(10)
        return FakeDynamoDB.put_item(store, **request)

    def interrupt(_futures: Any) -> None:
        assert begun.wait(10)
        raise KeyboardInterrupt

    def stop(shared: _Shared, error: BaseException) -> None:
        stopped(shared, error)
        interrupted.set()

    stopped = _Shared.stop
    rows = (weather(f"A{i}", 1.0) for i in range(1_000))
    with (
        patch.object(store, "put_item", put_item),
        patch("asof.online.writer.wait", interrupt),
        patch.object(_Shared, "stop", stop),
        pytest.raises(KeyboardInterrupt),
    ):
        OnlineWriter(store, TABLE, workers=2).write(WEATHER, AIRPORT, rows)
    assert len(puts) == len(store.items) <= 2


def test_no_rows_are_no_writes() -> None:
    assert OnlineWriter(FakeDynamoDB(), TABLE).write(WEATHER, AIRPORT, iter(())) == WriteCounts(0, 0)
