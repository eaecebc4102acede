"""The HTTP API: Feast's shape, more beside it, and for every mistake of a caller a 4xx that says what to do."""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from asof.clock import iso
from asof.errors import OnlineStoreError
from asof.keys import partition_key
from asof.references import resolve
from asof.serve.http import MOST_ANSWER_BYTES, OnlineApi, plain
from asof.serve.lookup import OnlineLookup
from asof.serve.openapi import openapi
from asof.serve.request import MOST_BODY_BYTES, MOST_ENTITIES, columns_from_json
from asof.value_types import KEY_TYPES
from lambdas.online import handler
from tests.support.fake_dynamodb import FakeDynamoDB
from tests.support.online import DEPARTURES, MANIFEST, NOW, WEATHER, Store, a_store, departures, weather

ROOT = Path(__file__).parents[3]
EVENTS = ROOT / "tests" / "events"
OPENAPI = (ROOT / "lambdas" / "online" / "openapi.json").read_text()


def an_api(store: Store) -> OnlineApi:
    """The API over a store."""
    lookup = OnlineLookup(MANIFEST, store.reader(), store.clock)
    return OnlineApi(lookup, about={"environment": "test"}, openapi=lambda: openapi(OPENAPI, MANIFEST))


@pytest.fixture(scope="module")
def store() -> Store:
    """A store in which one airport has weather and another departures."""
    made = a_store(FakeDynamoDB())
    made.put(WEATHER, weather("JFK", 1.5, age_ms=100))
    made.put(DEPARTURES, departures("LGA", 3, age_ms=200))
    made.publish_watermark(DEPARTURES, NOW - 50)
    return made


@pytest.fixture(scope="module")
def api(store: Store) -> OnlineApi:
    return an_api(store)


def ask(api: OnlineApi, body: Any) -> tuple[int, dict[str, Any]]:
    """Status and JSON of a lookup, which fits the document that is served."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = api.respond("POST", "/get-online-features", data)
    assert answer.headers["content-type"] == "application/json"
    found = json.loads(answer.body)
    described = json.loads(OPENAPI)
    kind = "Response" if answer.status == 200 else "Problem"
    assert str(answer.status) in described["paths"]["/get-online-features"]["post"]["responses"]
    schema = {"$ref": f"#/components/schemas/{kind}", "components": described["components"]}
    Draft202012Validator(schema).validate(found)
    return answer.status, found


def test_an_answer_has_feast_s_shape_and_more(api: OnlineApi) -> None:
    """Columns, keys first; an absent event time is Feast's word for it; ages and as-of times stand beside."""
    status, found = ask(
        api,
        {
            "features": ["weather:wind", "departures:count_1h"],
            "entities": {"origin": ["JFK", "LGA", None]},
            "full_feature_names": True,
        },
    )
    none = "1970-01-01T00:00:00Z"
    assert status == 200
    assert found["metadata"] == {
        "feature_names": ["origin", "weather__wind", "departures__count_1h"],
        "as_of": {"weather@v2": None, "departures@v1": iso(NOW - 50)},
        "now": iso(NOW),
    }
    assert found["results"] == [
        {
            "values": ["JFK", "LGA", None],
            "statuses": ["PRESENT", "PRESENT", "NULL_VALUE"],
            "event_timestamps": [none] * 3,
            "ages_ms": [None] * 3,
        },
        {
            "values": [1.5, -1.0, -1.0],
            "statuses": ["PRESENT", "NOT_FOUND", "NOT_FOUND"],
            "event_timestamps": [iso(NOW - 100), none, none],
            "ages_ms": [100, None, None],
        },
        {
            "values": [0, 3, 0],
            "statuses": ["NOT_FOUND", "PRESENT", "NOT_FOUND"],
            "event_timestamps": [none, iso(NOW - 200), none],
            "ages_ms": [None, 200, None],
        },
    ]


def test_a_field_that_means_nothing_is_named_and_ignored(api: OnlineApi) -> None:
    """Other clients of this shape send some."""
    body = {"features": ["weather:wind"], "entities": {"origin": []}, "include_metadata": True, "allow_cache": 1}
    status, found = ask(api, body)
    assert (status, found["metadata"]["ignored"]) == (200, ["allow_cache", "include_metadata"])


def test_request_data_reaches_on_demand_features(api: OnlineApi) -> None:
    body = {
        "features": ["speed:legs_per_hour"],
        "entities": {"origin": ["JFK", "JFK"], "number": [1, 2], "hours": [2, 5e-324]},
    }
    status, found = ask(api, body)
    assert (status, found["results"][-1]["values"]) == (200, [3.5, "Infinity"])


@pytest.mark.parametrize(
    ("body", "status", "kind", "says"),
    [
        (b"", 400, "RequestError", "not JSON"),
        (b"{", 400, "RequestError", "not JSON"),
        (b"\xff", 400, "RequestError", "not JSON in UTF-8"),
        (b"[" * 100_000, 400, "RequestError", "not JSON"),
        (b'{"features": ["a:b"], "entities": {"k": [NaN]}}', 400, "RequestError", "NaN is not JSON"),
        (b'{"features": ["a:b"], "entities": {"k": ["\\ud800"]}}', 400, "RequestError", "UTF-8"),
        (gzip.compress(b"{}", mtime=0), 400, "RequestError", "compressed"),
        (b'{"features": ["a:b"], "entities": {"k": [1], "k": [2]}}', 400, "RequestError", "'k' stands twice"),
        (b" " * (MOST_BODY_BYTES + 1), 413, "RequestTooLargeError", "ask in parts"),
        ([], 400, "RequestError", "it should be an object"),
        ({}, 400, "RequestError", 'either "features"'),
        ({"features": ["weather"], "feature_service": "x", "entities": {}}, 400, "RequestError", 'either "features"'),
        ({"features": "weather:wind", "entities": {}}, 400, "RequestError", "list of texts"),
        ({"feature_service": 3, "entities": {}}, 400, "RequestError", "is a name"),
        ({"features": [], "entities": {"origin": []}}, 400, "RequestError", "no features are asked for"),
        ({"features": ["weather:wind"]}, 400, "RequestError", "object of lists"),
        ({"features": ["weather:wind"], "entities": {"origin": "JFK"}}, 400, "RequestError", "object of lists"),
        ({"features": ["weather:wind"], "entities": [{"origin": "JFK"}]}, 400, "RequestError", "object of lists"),
        (
            {"features": ["weather:wind"], "entities": {"origin": []}, "full_feature_names": "yes"},
            400,
            "RequestError",
            "true or false",
        ),
        ({"features": ["weather:wint"], "entities": {"origin": []}}, 404, "UnknownFeatureError", "weather:wind"),
        ({"feature_service": "fraud", "entities": {"origin": []}}, 404, "UnknownFeatureError", "unknown"),
        ({"features": ["a b"], "entities": {"origin": []}}, 400, "RequestError", "not a feature reference"),
        ({"features": ["weather:wind"], "entities": {}}, 422, "EntityRowsError", "lacks origin"),
        ({"features": ["weather:wind"], "entities": {"dest": ["JFK"]}}, 422, "EntityRowsError", "has dest"),
        ({"features": ["weather:wind"], "entities": {"origin": [5]}}, 422, "EntityRowsError", "origin=5"),
        ({"features": ["weather:wind"], "entities": {"origin": ["x" * 3_000]}}, 422, "EntityRowsError", "2048"),
        (
            {"features": ["routes:legs"], "entities": {"origin": ["JFK"], "number": [2**63]}},
            422,
            "EntityRowsError",
            "Int64",
        ),
        (
            {"features": ["routes:legs"], "entities": {"origin": ["JFK"], "number": [1, 2]}},
            422,
            "EntityRowsError",
            "differ in length",
        ),
        (
            {"features": ["weather:wind"], "entities": {"origin": ["JFK"] * (MOST_ENTITIES + 1)}},
            413,
            "RequestTooLargeError",
            "1,001 entities",
        ),
        ({"features": ["weather:wind"] * 1_001, "entities": {}}, 413, "RequestTooLargeError", "1,001 features"),
    ],
)
def test_a_caller_s_mistake_is_told(api: OnlineApi, body: Any, status: int, kind: str, says: str) -> None:
    found_status, found = ask(api, body)
    assert (found_status, found["error"]) == (status, kind)
    assert says in found["detail"]


def test_an_unknown_name_comes_with_the_nearest_ones(api: OnlineApi) -> None:
    _, found = ask(api, {"features": ["weather:wint"], "entities": {"origin": ["JFK"]}})
    assert found["nearest"][0] == "weather:wind"


def test_an_answer_too_long_to_give_back_is_refused(api: OnlineApi) -> None:
    """Lambda would fail with it."""
    origin = "é" * 1_000  # six characters each as JSON spells it, twice in bytes as a key
    with patch("asof.serve.http.MOST_ANSWER_BYTES", 10_000):
        status, found = ask(api, {"features": ["weather:wind"], "entities": {"origin": [origin] * 10}})
    assert (status, found["error"]) == (413, "RequestTooLargeError")
    assert MOST_ANSWER_BYTES < 6 * 2**20


def test_a_store_that_does_not_answer_is_a_503_to_be_tried_again() -> None:
    """Never NOT_FOUND."""
    store = a_store(FakeDynamoDB())
    store.client.throttle(1_000)
    store.client.delay_ms = 100
    answer = an_api(store).respond(
        "POST", "/get-online-features", b'{"features": ["weather:wind"], "entities": {"origin": ["JFK"]}}'
    )
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert json.loads(answer.body)["error"] == "DeadlineExceededError"


def test_a_broken_store_is_a_500(store: Store) -> None:
    lookup = OnlineLookup(MANIFEST, store.reader(), store.clock)
    with patch.object(lookup, "get_online_features", side_effect=OnlineStoreError("broken")):
        api = OnlineApi(lookup, about={}, openapi=str)
        answer = api.respond(
            "POST", "/get-online-features", b'{"features": ["weather:sky"], "entities": {"origin": []}}'
        )
    assert answer.status == 500


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/get-online-features", 405),
        ("POST", "/health", 405),
        ("GET", "/", 404),
    ],
)
def test_other_requests(api: OnlineApi, method: str, path: str, status: int) -> None:
    answer = api.respond(method, path, None)
    assert answer.status == status
    assert json.loads(answer.body)


def test_the_document_has_an_example_that_the_store_answers(api: OnlineApi) -> None:
    """In the names of this store: every key of the entity, and features that exist."""
    described = json.loads(api.respond("GET", "/openapi.json", None).body)
    (example,) = described["components"]["schemas"]["Request"]["examples"]
    assert ask(api, example)[0] == 200
    assert example["features"] == ["departures@v1:count_1h", "departures@v1:delay_mean_1h"]


def test_without_a_view_to_look_up_there_is_no_example() -> None:
    """None is served online, or all are deprecated: the document is the file."""
    offline = tuple(replace(each, online=False) for each in MANIFEST.feature_views)
    deprecated = tuple(replace(each, deprecated=True) for each in MANIFEST.feature_views)
    for views in ((), offline, deprecated):
        assert openapi(OPENAPI, replace(MANIFEST, feature_views=views)) == OPENAPI


@pytest.mark.parametrize("dtype", KEY_TYPES)
def test_an_example_has_a_value_for_every_type_of_key(dtype: str) -> None:
    """One that the request's reader takes."""
    view = MANIFEST.feature_views[0]
    entities = tuple(
        replace(each, join_keys=tuple(replace(key, dtype=dtype) for key in each.join_keys))
        for each in MANIFEST.entities
    )
    manifest = replace(MANIFEST, entities=entities)
    described = json.loads(openapi(OPENAPI, manifest))
    (example,) = described["components"]["schemas"]["Request"]["examples"]
    rows = columns_from_json(example["entities"], resolve(manifest, example["features"], False))
    keys = [(dtype, rows[key.name][0]) for key in manifest.entity(view.entity).join_keys]
    assert partition_key(view.entity, keys)


names = st.sampled_from(["weather:wind", "weather", "departures:count_1h", "routes:legs", "speed", "x:y"]) | st.text()
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.lists(st.sampled_from(["JFK", "LGA", 1, 2.5]) | scalars, max_size=4)
columns = st.dictionaries(st.sampled_from(["origin", "number", "hours"]) | st.text(), values | scalars, max_size=4)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "features": st.lists(names, max_size=3) | scalars,
        "feature_service": names | scalars,
        "entities": columns | values,
        "full_feature_names": st.booleans() | scalars,
        "other": scalars,
    },
)


@given(bodies | st.recursive(scalars, st.lists, max_leaves=5))
def test_nothing_a_caller_sends_is_a_server_error(body: Any) -> None:
    """Fuzzed; each answer also fits the document."""
    status, _ = ask(an_api(a_store(FakeDynamoDB())), body)
    assert status < 500


@given(st.binary(max_size=200))
def test_no_bytes_are_a_server_error(body: bytes) -> None:
    assert ask(an_api(a_store(FakeDynamoDB())), body)[0] < 500


def test_values_as_json_has_them() -> None:
    """Floats that are not finite as text, as in Feast."""
    inf = float("inf")
    assert [plain(each) for each in (inf, -inf, 1.5, [inf], None, True)] == [
        "Infinity",
        "-Infinity",
        1.5,
        ["Infinity"],
        None,
        True,
    ]
    assert plain(float("nan")) == "NaN"


@pytest.fixture
def deployed(store: Store) -> Iterator[None]:
    """The function, over the store."""
    with patch.object(handler, "api", lambda: an_api(store)):
        yield


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize("encoded", [False, True])
def test_the_function_answers_an_http_api_s_event(encoded: bool) -> None:
    """As text, or in base 64 where a client declares something else than JSON."""
    event = json.loads((EVENTS / "http_lookup.json").read_text())
    if encoded:
        event |= {"body": b64encode(event["body"].encode()).decode(), "isBase64Encoded": True}
    answer = handler.handle(event, None)
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["results"][1]["values"] == [1.5, -1.0]


@pytest.mark.usefixtures("deployed")
def test_the_function_logs_what_it_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    """One line of JSON; what succeeds is the access log's."""
    event = json.loads((EVENTS / "http_lookup.json").read_text())
    assert handler.handle({**event, "body": "{}"}, None)["statusCode"] == 400
    assert handler.handle(json.loads((EVENTS / "http_health.json").read_text()), None)["statusCode"] == 200
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["request"] == event["requestContext"]["requestId"]
