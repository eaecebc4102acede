"""The deployed HTTP API under a stranger's requests: Schemathesis by the document that the API serves, and odd bodies.

Reproduce what it finds with ``SCHEMATHESIS_HOOKS=tests.support.deployment_fuzz schemathesis run ...`` as below.
"""

from __future__ import annotations

import copy
import gzip
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Final

import boto3
import pytest

from asof.definitions import compile_path
from tests.deployed.conftest import World
from tests.support.deployment_commands import run
from tests.support.deployment_signing import Signer, send
from tests.support.small_store import ORIGINS

ROOT: Final = Path(__file__).parents[2]
LOOKUP: Final = "/get-online-features"
EXAMPLES: Final = int(os.environ.get("ASOF_FUZZ_EXAMPLES", "40"))
SEED: Final = os.environ.get("ASOF_FUZZ_SEED", "20260310")

NOT_OURS: Final = (
    "unsupported_method",  # API Gateway answers methods without a route: 404, where the check wants 405
    "missing_required_header",  # it wants 401 where nobody signed; IAM says 403, as ignored_auth knows
    "positive_data_acceptance",  # no schema says which keys a choice of features needs; the answer is 422
)
CONFIGURATION: Final = """\
[checks.negative_data_rejection]
expected-statuses = [400, 403, 404, 413, 422]
"""


@pytest.fixture(scope="module")
def signer(world: World) -> Signer:
    """Signs for the API, and has something to look up there."""
    views = ["airport_departures", "airport_weather"]
    given = {"views": views, "start": "2026-03-08", "end": "2026-03-10T12:20:00Z", "chunk": "31d"}
    world.deployment.run_machine("backfill", given)
    return Signer(boto3.Session(), world.server.region)


@pytest.fixture(scope="module")
def document(world: World, signer: Signer) -> dict[str, Any]:
    """The OpenAPI document that the running API serves."""
    status, body, headers = signer.send("GET", world.deployment.url() + "/openapi.json")
    assert (status, headers["content-type"]) == (200, "application/json")
    found: dict[str, Any] = json.loads(body)
    return found


def test_no_request_breaks_the_api(world: World, document: dict[str, Any], tmp_path: Path) -> None:
    """Whatever fits the served document or does not: no 5xx, nothing undocumented, nothing accepted wrongly."""
    answered = fuzz(world, document, tmp_path)
    assert answered[400] > 0
    assert answered[404] > 0


def test_no_request_for_what_there_is_breaks_the_api(world: World, document: dict[str, Any], tmp_path: Path) -> None:
    """With the store's own names in the document, so that many requests reach DynamoDB."""
    answered = fuzz(world, narrowed(document, world.definitions), tmp_path)
    assert answered[200] >= 20


def fuzz(world: World, document: dict[str, Any], folder: Path) -> Counter[int]:
    """Run Schemathesis; it must find nothing. How many answers of each status there were."""
    (folder / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    (folder / "schemathesis.toml").write_text(CONFIGURATION, encoding="utf-8")
    command = str(Path(sys.executable).with_name("schemathesis"))
    words = [command, "--config-file", str(folder / "schemathesis.toml"), "run", str(folder / "openapi.json")]
    words += ["--url", world.deployment.url(), "--checks", "all", "--exclude-checks", ",".join(NOT_OURS)]
    words += ["--seed", SEED, "--max-examples", str(EXAMPLES), "--generation-database", "none", "--no-color"]
    words += ["--continue-on-failure", "--report", "har", "--report-har-path", str(folder / "requests.har")]
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = run(words, folder, SCHEMATHESIS_HOOKS="tests.support.deployment_fuzz", PYTHONPATH=path, NO_PROXY="localhost")
    assert done.code == 0, done.out + done.err
    entries = json.loads((folder / "requests.har").read_text(encoding="utf-8"))["log"]["entries"]
    return Counter(entry["response"]["status"] for entry in entries)


def narrowed(document: dict[str, Any], definitions: Path) -> dict[str, Any]:
    """The document with this store's features, services and keys, so that what fits it can be answered."""
    manifest = compile_path(definitions)
    features = [f"{view.name}:{each.name}" for view in manifest.feature_views for each in view.features]
    features += [view.name for view in manifest.feature_views]
    features += [view.reference for view in manifest.feature_views]
    services = [service.name for service in manifest.feature_services]
    made = copy.deepcopy(document)
    del made["components"]["schemas"]["Request"]["examples"]  # pinned to a version, which is not among the names
    request = made["components"]["schemas"]["Request"]["properties"]
    request["features"]["items"] = {"enum": [*features, *services]}
    request["feature_service"] = {"enum": [*services, None]}
    origin = {"anyOf": [{"enum": list(ORIGINS)}, {"type": ["string", "null"]}]}
    keys = {"type": "array", "maxItems": 1000, "items": origin}
    request["entities"] = {"type": "object", "required": ["origin"], "properties": {"origin": keys}}
    return made


FITTING: Final = {"features": ["airport_departures:count_3h"], "entities": {"origin": ["JFK"]}}


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "application/octet-stream"])
def test_a_body_is_json_whatever_its_type_is_said_to_be(world: World, signer: Signer, kind: str) -> None:
    """As curl -d sends it, too; what the gateway takes for binary reaches the function as Base64."""
    status, body, _ = ask(world, signer, json.dumps(FITTING).encode(), {"content-type": kind})
    assert status == 200, body


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "not JSON"),
        (b"\x00\xff", 400, "not JSON in UTF-8"),
        (gzip.compress(json.dumps(FITTING).encode(), mtime=0), 400, "compressed"),
        (b'{"features": ["airport_weather"], "entities": {"origin": ["JFK"], "origin": ["LGA"]}}', 400, "stands twice"),
        (b'{"features": ["airport_weather"], "entities": {"origin": [NaN]}}', 400, "NaN is not JSON"),
        (b'{"features": ["airport_weather"], "entities": {"origin": [1e999]}}', 422, "origin=inf does not fit"),
        (b'{"features": ["airport_weather"], "entities": {"origin": ["\\ud800"]}}', 400, "UTF-8"),
        (b'{"features": ["airport_weather"], "entities": {"origin": [' + b"9" * 5_000 + b"]}}", 400, "not JSON"),
        (b'{"features": ["airport_weather"], "entities": {"origin": [' + b"[" * 900 + b"]" * 900 + b"]}}", 422, "[["),
        (b"[" * 400_000, 400, "not JSON"),
        (b'{"x": "' + b"x" * 1_000_000 + b'"}', 413, "ask in parts"),
        (b'{"x": "' + b"x" * 10_600_000 + b'"}', 413, "Request Entity Too Large"),
    ],
    ids=lambda value: str(value[:12]) if isinstance(value, bytes) else None,
)
def test_an_odd_body_is_the_sender_s_mistake(world: World, signer: Signer, body: bytes, status: int, says: str) -> None:
    """Told with what to do, by the function or by the gateway before it."""
    found, answer, headers = ask(world, signer, body, {"content-type": "application/json"})
    assert (found, headers["content-type"]) == (status, "application/json"), answer
    told = json.loads(answer)
    assert says in (told.get("detail") or told.get("message"))


def test_whoever_does_not_sign_is_turned_away(world: World) -> None:
    """On every route; a signature for another service is none."""
    url, other = world.deployment.url(), Signer(boto3.Session(), world.server.region, service="s3")
    for method, path, body in (("POST", LOOKUP, b"{}"), ("GET", "/health", None), ("GET", "/openapi.json", None)):
        for answered in (send(method, url + path, body), other.send(method, url + path, body)):
            assert answered[:2] == (403, b'{"message": "Forbidden"}')


def test_health_and_unknown_paths(world: World, signer: Signer) -> None:
    url = world.deployment.url()
    status, body, _ = signer.send("GET", url + "/health")
    assert (status, json.loads(body)) == (200, {"status": "ok", "environment": "dev"})
    for method, path in (("GET", "/"), ("GET", LOOKUP), ("POST", "/health"), ("GET", "/health/more")):
        status, body, _ = signer.send(method, url + path, b"{}" if method == "POST" else None)
        assert (status, json.loads(body)) == (404, {"message": "Not Found"})


def ask(world: World, signer: Signer, body: bytes, headers: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
    """A signed lookup with that body."""
    return signer.send("POST", world.deployment.url() + LOOKUP, body, headers)
