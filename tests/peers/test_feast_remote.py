"""Feast's own remote online client reads from the deployed API what Asof's reader reads from DynamoDB."""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from asof.store import FeatureStore
from tests.support.deployment_kinds import FACTS, HOUR_MS, LEGS, LISTS, OLD
from tests.support.deployment_world import World

CLIENT: Final = Path(__file__).with_name("feast_client.py")
FACT_NAMES: Final = ("whole", "broken", "yes", "text", "instant", "day")
LIST_NAMES: Final = ("wholes", "brokens", "yeses", "texts", "vector")
FINITE: Final = [name for name in FACTS if name not in ("NAN", "INF", "NEG")]
DEFINED: Final[dict[str, Any]] = {
    "keys": {"origin": "STRING", "carrier": "STRING", "number": "INT64"},
    "key_types": {"origin": "String", "carrier": "String", "number": "Int64"},
    "views": [
        {
            "name": "airport_facts",
            "keys": ["origin"],
            "features": {
                "whole": "Int64",
                "broken": "Float64",
                "yes": "Bool",
                "text": "String",
                "instant": "UnixTimestamp",
                "day": "String",
            },
        },
        {
            "name": "airport_lists",
            "keys": ["origin"],
            "features": {
                "wholes": "Array(Int64)",
                "brokens": "Array(Float64)",
                "yeses": "Array(Bool)",
                "texts": "Array(String)",
                "vector": "Array(Float64)",
            },
        },
        {
            "name": "flight_legs",
            "keys": ["carrier", "number"],
            "features": {"distance": "Int64", "whole": "Int64"},
        },
    ],
    "services": {"everything": ["airport_facts", "airport_lists"]},
}


@pytest.fixture(scope="module")
def store(world: World, api: str) -> Iterator[FeatureStore]:
    """Asof's own reader of the same table."""
    assert api
    with FeatureStore.from_environment("dev", clock=world.server.assembly.clock) as found:
        yield found


@pytest.fixture
def feast(feast_python: Path, api: str, tmp_path: Path) -> Any:
    """Asks Feast's client for several things at once."""

    def ask(*requests: dict[str, Any]) -> list[dict[str, Any]]:
        given = {**DEFINED, "url": api, "folder": str(tmp_path), "requests": requests}
        done = subprocess.run(
            [feast_python, CLIENT],
            input=json.dumps(given),
            env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "FEAST_USAGE": "False", "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers: list[dict[str, Any]] = json.loads(done.stdout)
        return answers

    return ask


def asked(features: list[str] | str, rows: list[dict[str, Any]], *, full: bool = False) -> dict[str, Any]:
    """A request of Feast's; a text is a feature service."""
    what = {"service": features} if isinstance(features, str) else {"features": features}
    return {**what, "rows": rows, "full_feature_names": full}


def carried(value: Any) -> Any:
    """A value as it reaches Feast: JSON has no instants, no dates, and no floats that are not finite."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    return [carried(each) for each in value] if isinstance(value, list) else value


def same(store: FeatureStore, request: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    """Assert that Feast found what Asof's reader finds, column by column; its columns."""
    assert "error" not in found, found
    columns: dict[str, Any] = found["columns"]
    features = request.get("features") or request["service"]
    wanted = store.get_online_features(features, request["rows"], full_feature_names=request["full_feature_names"])
    assert list(columns) == [column.name for column in (*wanted.keys, *wanted.features)]
    for column in (*wanted.keys, *wanted.features):
        got = columns[column.name]
        assert got["values"] == [carried(value) for value in column.values], column.name
        assert got["statuses"] == [str(status) for status in column.statuses], column.name
        for value, kind in zip(column.values, got["kinds"], strict=True):
            assert kind == protobuf_field(carried(value)), (column.name, value)
    return columns


def protobuf_field(value: Any) -> str | None:
    """The field of Feast's Value that holds a JSON value."""
    if value is None:
        return None
    if isinstance(value, list):
        return str(protobuf_field(value[0])).replace("_val", "_list_val")
    kinds: dict[type, str] = {bool: "bool_val", int: "int64_val", float: "double_val", str: "string_val"}
    return kinds[type(value)]


def test_every_value_and_status_arrives(store: FeatureStore, feast: Any) -> None:
    """All types, views, entities and statuses; references, versions and feature services; names short and full."""
    airports = [{"origin": name} for name in (*FACTS, OLD, "XXX")]
    flights = [{"carrier": carrier, "number": number} for carrier, number in (*LEGS, ("UA", 9))]
    both = [{"origin": "JFK", "carrier": "UA", "number": 1}, {"origin": "XXX", "carrier": "B6", "number": 1}]
    requests = [
        asked([f"airport_facts:{name}" for name in FACT_NAMES], airports),
        asked([f"airport_lists:{name}" for name in LIST_NAMES], [*airports[:5], *airports[6:]]),
        asked(["flight_legs:distance", "flight_legs:whole"], flights),
        asked(["airport_facts:whole", "flight_legs:whole", "airport_lists:texts"], both, full=True),
        asked(["airport_facts@v1:text", "flight_legs:distance"], both),
        asked("everything", [{"origin": name} for name in ("JFK", "LGA", "NUL", "XXX")]),
        asked("everything", airports[:2], full=True),
    ]
    answers = feast(*requests)
    columns = [same(store, request, found) for request, found in zip(requests, answers, strict=True)]
    seen = {status for each in columns for column in each.values() for status in column["statuses"]}
    assert seen == {"PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"}
    first = columns[0]["whole"]
    written = [FACTS[name][0] for name in FACTS]
    assert first["values"] == [*written, 7, 7], "what was written, then the default for the expired and the missing"
    assert columns[2]["whole"]["values"] == [5, None, 0, -1]
    assert set(columns[3]) == {
        "origin", "carrier", "number", "airport_facts__whole", "flight_legs__whole", "airport_lists__texts",
    }  # fmt: skip


def test_one_view_is_read_with_the_types_of_feast_s_registry(world: World, feast: Any) -> None:
    """The way Feast reads one view: each value as the registry's type, an event time that Feast can parse."""
    names = ["whole", "broken", "yes", "text", "day"]
    (found,) = feast({"read": "airport_facts", "key": "origin", "values": FINITE, "names": names})
    assert "error" not in found, found
    for name, row in zip(FINITE, found["rows"], strict=True):
        wanted = dict(zip(FACT_NAMES, FACTS[name], strict=True))
        assert row["values"] == {each: carried(wanted[each]) for each in names}
    at = datetime.fromisoformat(found["rows"][0]["event_timestamp"])
    assert 0 <= world.server.now_ms() - HOUR_MS - at.timestamp() * 1000 < HOUR_MS


def test_values_look_as_feast_s_own_server_spells_them(world: World, feast: Any) -> None:
    """Byte for byte the same JSON, instants apart: Feast's server gives whole seconds, Asof text to the millisecond."""
    fact_kinds = ("INT64", "DOUBLE", "BOOL", "STRING")
    list_kinds = ("INT64_LIST", "DOUBLE_LIST", "BOOL_LIST", "STRING_LIST", "DOUBLE_LIST")
    cases = [
        *(
            (key, f"airport_facts:{FACT_NAMES[i]}", FACTS[key][i], kind)
            for key in FACTS
            for i, kind in enumerate(fact_kinds)
        ),
        *(
            (key, f"airport_lists:{LIST_NAMES[i]}", LISTS[key][i], kind)
            for key in LISTS
            for i, kind in enumerate(list_kinds)
        ),
    ]
    (found,) = feast({"serve": [[value, kind] for _, _, value, kind in cases]})
    keys = [key for key, _, _, _ in cases]
    features = sorted({feature for _, feature, _, _ in cases})
    answer = world.deployment.post("/get-online-features", {"features": features, "entities": {"origin": keys}})
    columns = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    for i, (key, feature, _, _) in enumerate(cases):
        ours = columns[feature.partition(":")[2]]["values"][i]
        assert json.dumps(ours) == json.dumps(found["served"][i]), (key, feature)


def test_what_feast_s_client_cannot_read_from_any_server(feast: Any) -> None:
    """An empty list, a list with a float that is not finite, and, typed, such floats and instants; the rest it can."""
    nil, nan, rest, infinite, instant = feast(
        asked(["airport_lists:wholes"], [{"origin": "NIL"}]),
        asked(["airport_lists:brokens"], [{"origin": "NAN"}]),
        asked(["airport_lists:vector"], [{"origin": "NIL"}]),
        {"read": "airport_facts", "key": "origin", "values": ["INF"], "names": ["broken"]},
        {"read": "airport_facts", "key": "origin", "values": ["JFK"], "names": ["instant"]},
    )
    assert "Couldn't infer value type from empty value" in nil["error"]
    assert "List value type for field  is inconsistent" in nan["error"]
    assert rest["columns"]["vector"]["values"] == [[0.0, 0.0, 0.0]]
    assert "AssertionError" in infinite["error"]
    assert "invalid literal for int()" in instant["error"]


def test_a_mistake_is_told_in_the_api_s_words(feast: Any) -> None:
    unknown, lacking = feast(
        asked(["airport_facts:wole"], [{"origin": "JFK"}]), asked(["airport_facts:whole"], [{"number": 1}])
    )
    assert "airport_facts:whole" in unknown["error"]
    assert '"entities" lacks origin' in lacking["error"].replace('\\"', '"')
