"""What must hold of writes, reads and lookups on any store: subclassed over the fake and over moto."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from asof.errors import (
    DeadlineExceededError,
    EntityRowsError,
    ItemTooLargeError,
    OnlineStoreError,
    RequestError,
    StaleFeaturesError,
)
from asof.online.layout import OnlineRow
from asof.online.writer import WriteCounts
from asof.references import resolve
from asof.serve.lookup import OnlineLookup
from tests.support.fake_dynamodb import client_error
from tests.support.online import (
    AIRPORT,
    DEPARTURES,
    HOUR,
    MANIFEST,
    NOW,
    ROUTES,
    WEATHER,
    Store,
    departures,
    weather,
)


class WriteSuite:
    """Conditional writes."""

    @pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
    def test_any_order_and_any_repeats_end_in_the_same_state(self, store: Store, order: tuple[int, ...]) -> None:
        """The greatest (event, created) stays, whatever came when; each write is repeated once, later."""
        rows = [
            weather("JFK", 1.0, age_ms=2000),
            weather("JFK", 2.0, age_ms=1000, created_ms=NOW - 1000),
            weather("JFK", 3.0, age_ms=1000, created_ms=NOW - 500),
            weather("JFK", 4.0, age_ms=1000, created_ms=None),
        ]
        writer = store.writer()
        counts = [writer.write(WEATHER, AIRPORT, [rows[i]]) for i in (*order, *order)]
        (answer,) = store.read("weather", [{"origin": "JFK"}])
        assert answer.rows[0].values == (3.0, "clear")
        assert [each.total for each in counts] == [1] * 8
        assert sum(each.written for each in counts[4:]) == 0

    def test_many_writers_end_in_the_same_state(self, store: Store) -> None:
        """Rows of few entities, many versions each, written side by side and out of order."""
        rows = [weather(f"A{i % 5}", float(i), age_ms=i * 37 % 101) for i in range(101)]
        counts = store.writer(workers=8).write(WEATHER, AIRPORT, iter(rows))
        answers = store.read("weather:wind", [{"origin": f"A{i}"} for i in range(5)])[0].rows
        newest = [max((r for r in rows if r.keys == (f"A{i}",)), key=lambda r: r.event_ms).values[0] for i in range(5)]
        assert [row.values[0] for row in answers] == newest
        assert counts.total == 101

    def test_equal_is_a_no_op(self, store: Store) -> None:
        """The first of two rows with equal times stays."""
        writer = store.writer()
        counts = [writer.write(WEATHER, AIRPORT, [weather("JFK", wind)]) for wind in (1.0, 2.0)]
        assert counts == [WriteCounts(1, 0), WriteCounts(0, 1)]
        assert store.read("weather:wind", [{"origin": "JFK"}])[0].rows[0].values == (1.0,)

    def test_throttling_is_waited_out(self, store: Store) -> None:
        """Throttled and broken calls are tried again, and every row arrives."""
        store.client.throttle(5)
        store.client.errors.append(EndpointConnectionError(endpoint_url="https://made.up"))
        store.client.errors.append(client_error("InternalFailure", "PutItem", status=500))
        counts = store.writer().write(WEATHER, AIRPORT, [weather(f"A{i}", 1.0) for i in range(20)])
        assert counts == WriteCounts(20, 0)
        assert len(store.client.calls) == 27

    def test_endless_throttling_fails_by_name(self, store: Store) -> None:
        """An item that could not be written in time is never lost silently."""
        store.client.always = client_error("ThrottlingException", "PutItem")
        with pytest.raises(DeadlineExceededError, match=r"weather@v2 of 'airport#s:JFK'.*500 ms") as caught:
            store.writer(deadline_ms=500).write(WEATHER, AIRPORT, [weather("JFK", 1.0)])
        assert "loading all of them again is safe" in caught.value.__notes__[0]

    def test_what_no_repetition_mends_fails_at_once(self, store: Store) -> None:
        """A refused call is not repeated, and no more rows are begun than were under way."""
        store.client.always = client_error("AccessDeniedException", "PutItem")
        taken = []

        def rows() -> Any:
            for i in range(1_000):
                taken.append(i)
                yield weather(f"A{i}", 1.0)

        with pytest.raises(OnlineStoreError, match="AccessDenied"):
            store.writer(workers=2).write(WEATHER, AIRPORT, rows())
        assert len(taken) <= 10

    def test_too_large_an_item_is_refused_by_name(self, store: Store) -> None:
        """Before anything of it is written."""
        row = OnlineRow(("JFK",), NOW, None, (1.0, "x" * 410_000))
        with pytest.raises(ItemTooLargeError, match=r"weather@v2.*airport#s:JFK"):
            store.writer().write(WEATHER, AIRPORT, [row])
        assert store.client.calls == []

    def test_a_large_item_is_written_and_read(self, store: Store) -> None:
        """Not quite 400 KB: moto counts the bytes of the values' Base64."""
        row = OnlineRow(("JFK",), NOW, None, (1.0, "x" * 300_000))
        store.put(WEATHER, row)
        assert store.read("weather:sky", [{"origin": "JFK"}])[0].rows[0].values == (row.values[1],)


class ReadSuite:
    """Reads, whole or not at all."""

    def test_rows_keep_their_order_and_duplicates(self, store: Store) -> None:
        """One answer per entity row; each key is asked for once."""
        store.put(WEATHER, *(weather(name, float(i)) for i, name in enumerate("ABC")))
        rows = [{"origin": name} for name in ("C", "A", "X", "C", "A")]
        (answer,) = store.read("weather:wind", rows)
        assert [row.values[0] for row in answer.rows] == [2.0, 0.0, -1.0, 2.0, 0.0]
        assert [str(row.statuses[0]) for row in answer.rows] == [
            "PRESENT",
            "PRESENT",
            "NOT_FOUND",
            "PRESENT",
            "PRESENT",
        ]
        ((_, call),) = store.client.calls
        assert len(next(iter(call["RequestItems"].values()))["Keys"]) == 3

    def test_more_than_one_hundred_keys(self, store: Store) -> None:
        """Chunks of 100, and unprocessed keys tried again, until every key has its answer."""
        store.put(WEATHER, *(weather(f"A{i}", float(i)) for i in range(250)))
        store.client.keep_back = [40, 100, 1]
        (answer,) = store.read("weather:wind", [{"origin": f"A{i}"} for i in range(300)])
        assert [row.values[0] for row in answer.rows] == [float(i) if i < 250 else -1.0 for i in range(300)]
        assert set(store.client.operations()) == {"batch_get_item"}

    def test_unprocessed_keys_are_never_not_found(self, store: Store) -> None:
        """Keys left over until the deadline fail the read."""
        store.put(WEATHER, weather("JFK", 1.0))
        store.client.keep_back = [1] * 1_000
        with pytest.raises(DeadlineExceededError, match=r"1000 ms.*left 1 of 1 keys"):
            store.read("weather", [{"origin": "JFK"}])

    @pytest.mark.parametrize("features", ["weather", ["weather:wind", "departures:count_1h"]])
    def test_throttling_is_waited_out_until_the_deadline(self, store: Store, features: str) -> None:
        """A throttled read answers later, or fails; it never answers NOT_FOUND."""
        store.put(WEATHER, weather("JFK", 1.0))
        store.client.throttle(3)
        assert store.read(features, [{"origin": "JFK"}])[-1 if features == "weather" else 0].rows[0].values[0] == 1.0
        store.client.always = client_error("ThrottlingException", "Query")
        before = store.clock.now_ms()
        with pytest.raises(DeadlineExceededError, match="ThrottlingException"):
            store.read(features, [{"origin": "JFK"}])
        assert 900 <= store.clock.now_ms() - before <= 1_100

    def test_slow_calls_count_towards_the_deadline(self, store: Store) -> None:
        """What the calls themselves take is not given back."""
        store.put(WEATHER, weather("JFK", 1.0))
        store.client.delay_ms = 300
        store.client.keep_back = [1] * 100
        with pytest.raises(DeadlineExceededError):
            store.read("weather", [{"origin": "JFK"}])
        assert len(store.client.calls) <= 5

    def test_one_entity_is_one_query(self, store: Store) -> None:
        """Views of one entity come in one Query once the watermark is known, and only what was asked for counts."""
        store.put(WEATHER, weather("JFK", 1.0))
        store.put(DEPARTURES, departures("JFK", 5))
        store.publish_watermark(DEPARTURES, NOW)
        store.client.calls.clear()
        reader = store.reader()
        views = resolve(MANIFEST, ["weather:wind", "departures:count_1h"]).views
        for expected in ("batch_get_item", "query", "query"):
            answers = reader.read(views, [{"origin": "JFK"}, {"origin": "JFK"}])
            assert [[row.values for row in each.rows] for each in answers] == [[(1.0,)] * 2, [(5,)] * 2]
            assert store.client.operations() == [expected]
            store.client.calls.clear()

    def test_a_query_reads_every_page(self, store: Store) -> None:
        """Also where a neighbour that nobody asked for lies between."""
        neighbour = replace(WEATHER, name="neighbour")
        store.put(WEATHER, weather("JFK", 1.0))
        store.put(DEPARTURES, departures("JFK", 5))
        store.put(neighbour, weather("JFK", 9.0))
        reader = store.reader()
        views = resolve(MANIFEST, ["weather:wind", "departures:count_1h"]).views
        store.publish_watermark(DEPARTURES, NOW)
        reader.read(views, [{"origin": "JFK"}])
        store.client.calls.clear()
        store.client.page_size = 1
        answers = reader.read(views, [{"origin": "JFK"}])
        assert [each.rows[0].values for each in answers] == [(1.0,), (5,)]
        assert set(store.client.operations()) == {"query"}
        assert len(store.client.calls) >= 3

    @pytest.mark.parametrize(("age_ms", "status"), [(HOUR, "PRESENT"), (HOUR + 1, "OUTSIDE_MAX_AGE")])
    def test_ttl_is_judged_at_read_time_edge_included(self, store: Store, age_ms: int, status: str) -> None:
        """An event exactly ttl old is present; a millisecond later it is not, and the default is served."""
        store.put(WEATHER, weather("JFK", 1.0, age_ms=age_ms))
        (answer,) = store.read("weather", [{"origin": "JFK"}])
        values = (1.0, "clear") if status == "PRESENT" else (-1.0, None)
        assert answer.rows[0] == (values, (status, status), NOW - age_ms)

    def test_null_is_a_value(self, store: Store) -> None:
        """A null is served as null, not as the default."""
        store.put(WEATHER, weather("JFK", None))
        assert store.read("weather", [{"origin": "JFK"}])[0].rows[0][:2] == ((None, "clear"), ("NULL_VALUE", "PRESENT"))

    def test_a_null_key_matches_nothing(self, store: Store) -> None:
        """As in the point-in-time join."""
        store.put(WEATHER, weather("JFK", 1.0))
        (answer,) = store.read("weather:wind", [{"origin": None}, {"origin": "JFK"}])
        assert [row.statuses[0] for row in answer.rows] == ["NOT_FOUND", "PRESENT"]

    def test_composite_keys_are_never_confused(self, store: Store) -> None:
        """(1, 12) and (11, 2), and strings that hold the separator, are different entities."""
        keys = [("1", 12), ("11", 2), ("1#i:1", 2), ("1", 1), ("1%23i:1", 2)]
        store.put(ROUTES, *(OnlineRow(key, NOW, None, (i, None)) for i, key in enumerate(keys)))
        (answer,) = store.read("routes:distance", [{"origin": a, "number": b} for a, b in keys])
        assert [row.values[0] for row in answer.rows] == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize(
        ("row", "message"),
        [
            ({"number": 1}, "entity row 1 has no column 'origin'"),
            ({"origin": "A", "number": "1"}, "entity row 1: key '1'"),
        ],
    )
    def test_rows_that_do_not_fit_are_refused(self, store: Store, row: dict[str, Any], message: str) -> None:
        """By number, and before anything is read."""
        with pytest.raises(EntityRowsError, match=message):
            store.read("routes", [{"origin": "A", "number": 1}, row])
        assert store.client.calls == []

    def test_bytes_that_are_not_the_views_are_an_error(self, store: Store) -> None:
        """An item another definition wrote is named, not guessed at."""
        other = replace(WEATHER, features=DEPARTURES.features)
        store.put(other, departures("JFK", 1))
        with pytest.raises(OnlineStoreError, match="written for other features") as caught:
            store.read("weather", [{"origin": "JFK"}])
        assert "airport#s:JFK" in caught.value.__notes__[0]

    def test_no_rows_read_nothing(self, store: Store) -> None:
        """An empty request is an empty answer."""
        assert store.read("weather", [])[0].rows == ()
        assert store.client.calls == []

    def test_consistency_is_asked_for_only_if_wanted(self, store: Store) -> None:
        """Eventually consistent reads cost half."""
        views = resolve(MANIFEST, "weather").views
        for consistent in (False, True):
            store.client.calls.clear()
            store.reader(consistent=consistent).read(views, [{"origin": "JFK"}])
            ((_, call),) = store.client.calls
            assert next(iter(call["RequestItems"].values()))["ConsistentRead"] is consistent


class FreshnessSuite:
    """Watermarks and what staleness does."""

    @pytest.mark.parametrize(("late_ms", "stale"), [(0, False), (1, True)])
    @pytest.mark.parametrize("on_stale", ["serve", "default", "fail"])
    def test_a_view_older_than_its_freshness(self, store: Store, on_stale: Any, late_ms: int, stale: bool) -> None:
        """It is served, replaced by defaults, or refused, as declared; exactly its freshness is fresh."""
        view = replace(DEPARTURES, on_stale=on_stale)
        (projection,) = resolve(MANIFEST, "departures").views
        store.put(view, departures("JFK", 5))
        store.publish_watermark(view, NOW - HOUR - late_ms)
        views = [replace(projection, view=view)]
        if stale and on_stale == "fail":
            with pytest.raises(StaleFeaturesError, match=r"departures@v1 is as of .*1h old"):
                store.reader().read(views, [{"origin": "JFK"}], NOW)
            return
        (answer,) = store.reader().read(views, [{"origin": "JFK"}, {"origin": "X"}], NOW)
        withheld = stale and on_stale == "default"
        assert answer.rows[0].values == ((0, None) if withheld else (5, None))
        assert answer.rows[0].statuses == (("OUTSIDE_MAX_AGE",) * 2 if withheld else ("PRESENT", "NULL_VALUE"))
        assert answer.rows[1].statuses == ("NOT_FOUND",) * 2
        assert answer.as_of_ms == NOW - HOUR - late_ms

    def test_a_view_never_published_is_stale(self, store: Store) -> None:
        """Nothing vouches for it."""
        (projection,) = resolve(MANIFEST, "departures").views
        views = [replace(projection, view=replace(DEPARTURES, on_stale="fail"))]
        with pytest.raises(StaleFeaturesError, match="was never loaded"):
            store.reader().read(views, [{"origin": "JFK"}])

    def test_watermarks_are_read_along_and_remembered_for_a_moment(self, store: Store) -> None:
        """In the same call as the items, then not for five seconds; one that is missing is asked for again."""
        store.put(DEPARTURES, departures("JFK", 5))
        reader = store.reader()
        views = resolve(MANIFEST, "departures").views
        seen = []
        for publish, wait_ms in ((None, 0), (NOW - 50, 0), (NOW - 10, 4_999), (None, 1)):
            if publish:
                store.publish_watermark(DEPARTURES, publish)
            store.clock.set(store.clock.now_ms() + wait_ms)
            store.client.calls.clear()
            seen.append((reader.read(views, [{"origin": "JFK"}])[0].as_of_ms, len(store.client.calls)))
        assert seen == [(None, 1), (NOW - 50, 1), (NOW - 50, 1), (NOW - 10, 1)]

    def test_a_clock_that_was_set_back_forgets_watermarks(self, store: Store) -> None:
        """What was read in the future says nothing of now."""
        reader = store.reader()
        views = resolve(MANIFEST, "departures").views
        store.publish_watermark(DEPARTURES, NOW - 50)
        reader.read(views, [{"origin": "JFK"}])
        store.publish_watermark(DEPARTURES, NOW)
        store.clock.set(NOW - HOUR)
        assert reader.read(views, [{"origin": "JFK"}])[0].as_of_ms == NOW


class LookupSuite:
    """Whole lookups."""

    def test_views_and_on_demand_features_together(self, store: Store) -> None:
        """Names, values, statuses and times, for rows given as rows and as columns."""
        store.put(ROUTES, OnlineRow(("JFK", 1), NOW - 500, None, (300, 4)))
        store.put(WEATHER, weather("JFK", 1.5, age_ms=100))
        lookup = OnlineLookup(MANIFEST, store.reader(), store.clock)
        columns: dict[str, list[object]] = {"origin": ["JFK", "JFK"], "number": [1, 2], "hours": [2.0, 2]}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        asked = ["speed:legs_per_hour", "weather:wind", "routes:distance"]
        response = lookup.get_online_features(asked, rows)
        assert response == lookup.get_online_features(asked, columns)
        assert response.to_rows() == [
            {"origin": "JFK", "number": 1, "legs_per_hour": 2.0, "wind": 1.5, "distance": 300},
            {"origin": "JFK", "number": 2, "legs_per_hour": 3.5, "wind": 1.5, "distance": None},
        ]
        assert response.statuses == [("PRESENT",) * 3, ("PRESENT", "PRESENT", "NOT_FOUND")]
        assert response.ages == [(500, 100, 500), (None, 100, None)]

    def test_a_store_that_does_not_answer_fails_the_lookup(self, store: Store) -> None:
        """It never invents NOT_FOUND."""
        store.client.always = client_error("ProvisionedThroughputExceededException", "BatchGetItem")
        lookup = OnlineLookup(MANIFEST, store.reader(), store.clock)
        with pytest.raises(DeadlineExceededError):
            lookup.get_online_features("weather", [{"origin": "JFK"}])

    def test_what_does_not_fit_is_refused_before_anything_is_read(self, store: Store) -> None:
        """Missing request data, and request data of another type."""
        lookup = OnlineLookup(MANIFEST, store.reader(), store.clock)
        for given in ({}, {"hours": "2"}):
            with pytest.raises((EntityRowsError, RequestError), match=r"entity row 0.*'hours'"):
                lookup.get_online_features("speed", [{"origin": "JFK", "number": 1, **given}])
        assert store.client.calls == []
