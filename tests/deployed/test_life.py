"""A store from its first deployment to a version's retirement, through the command lines its users have.

Only unmodified clients speak to it: the CDK's, ``aws``, ``asof`` and ``curl``. What they are told is compared with
plain loops over the raw data (tests.support.deployment_oracle).
"""

from __future__ import annotations

import base64
import json
import struct
import time
from datetime import datetime, timezone
from typing import Any, Final

import boto3
import pytest

from asof.errors import LocalCloudError
from tests.deployed.conftest import World
from tests.support import deployment_oracle as oracle
from tests.support.deployment_commands import asof, aws, curl, curl_signs
from tests.support.deployment_signing import Signer
from tests.support.small_store import DEFINITIONS, NOW, ORIGINS

GRID: Final = datetime(2026, 3, 10, 12, tzinfo=timezone.utc)
START: Final = "2026-03-08"
END: Final = "2026-03-10T12:20:00Z"
OLD_WORDS: Final = "How busy an airport is."
NEW_WORDS: Final = "How many flights leave an airport, and how late."
WORKING: Final = ("QUEUED", "RUNNING")
FILTER: Final = 'source=departures, where="dep_delay > 0", schedule="1h"'

REWORDED: Final = DEFINITIONS.replace(OLD_WORDS, NEW_WORDS)
GUSTS: Final = """
airport_gusts = FeatureView(
    name="airport_gusts", version=1, entity=airport, source=weather, schedule="1h",
    aggregations=[Aggregation(function="max", column="gusts", time_windows=["24h"])],
    freshness="3h", owner="airports-team", description="The strongest gust of a day.",
)
"""
CHANGED: Final = REWORDED.replace('source=departures, schedule="1h"', FILTER)
SECOND: Final = """
delayed_departures = FeatureView(
    name="airport_departures", version=2, entity=airport, source=departures, where="dep_delay > 0", schedule="1h",
    aggregations=[
        Aggregation(function="count", time_windows=["3h"]),
        Aggregation(function="mean", column="dep_delay", time_windows=["3h", "24h"]),
    ],
    freshness="3h", owner="airports-team", description="How many flights leave an airport late.",
)
"""


def test_a_store_s_life(world: World) -> None:
    """Each step finds what the one before left behind."""
    fill_and_read(world)
    change_words_and_add_a_view(world)
    change_a_published_meaning(world)
    give_it_a_second_version_and_remove_a_view(world)
    deploy_what_was_before(world)
    roll_back_and_forth(world)
    retire(world)


def fill_and_read(world: World) -> None:
    """The history is filled by the state machine, and found in DynamoDB, in Athena and behind the API."""
    backfill(world, "airport_departures", "airport_weather")
    assert unpacked(stored("JFK", "airport_departures@v1")) == oracle.departures("JFK", GRID)
    assert history("airport_departures_v1", "count_3h") == {
        origin: str(oracle.departures(origin, GRID)["count_3h"]) for origin in ORIGINS
    }
    assert lookup(world, "airport_departures") == departures_of()
    assert lookup(world, "airport_weather") == {
        "temp": [seen["temp"] if (seen := oracle.weather(origin, NOW)) else None for origin in ORIGINS],
        "gusts": [seen["gusts"] if (seen := oracle.weather(origin, NOW)) else 0 for origin in ORIGINS],
    }
    states = {row["view"]: row for row in asof("status", "--env", "dev", "--json", "--count").json()}
    assert {view: row["online rows"] for view, row in states.items()} == {
        "airport_departures@v1": 3,
        "airport_weather@v1": 2,
    }
    assert {row["through"] for row in states.values()} == {"2026-03-10T12:00:00Z"}
    assert {view: row["state"] for view, row in states.items()} == {
        "airport_departures@v1": "fresh",
        "airport_weather@v1": "published",
    }


def change_words_and_add_a_view(world: World) -> None:
    """New words are deployed and nothing is computed anew; a new view gets tables, schedule, alarm, and is served."""
    before = runs("airport_departures@v1")
    write(world, REWORDED + GUSTS)
    planned = asof("plan", "--env", "dev", "--path", str(world.definitions), "--exit-code", "--no-estimate", code=4)
    assert "~ airport_departures@v1" in planned.out
    assert "+ airport_gusts@v1" in planned.out
    world.deployment.deploy()
    asof("plan", "--env", "dev", "--path", str(world.definitions), "--exit-code", code=0)
    published = publications()
    assert len(published) == 2
    assert published[-1]["in force"]
    assert published[-1]["changes"].split() == ["+airport_gusts@v1", "~airport_departures@v1"]
    assert watched(world, "airport_gusts-v1") == (True, True)
    assert lookup(world, "airport_departures") == departures_of()
    backfill(world, "airport_gusts")
    assert runs("airport_departures@v1") == before
    assert lookup(world, "airport_gusts") == gusts_of()


def change_a_published_meaning(world: World) -> None:
    """Refused by plan and by the deployment, which is rolled back; the old store goes on serving the same."""
    write(world, CHANGED + GUSTS)
    planned = asof("plan", "--env", "dev", "--path", str(world.definitions), "--no-estimate", code=1)
    assert "! airport_departures@v1" in planned.out
    with pytest.raises(LocalCloudError, match="meaning of airport_departures@v1 has changed since it was published"):
        world.deployment.deploy()
    assert statuses(world) == {
        "asof-dev-storage": "UPDATE_ROLLBACK_COMPLETE",
        "asof-dev-service": "UPDATE_COMPLETE",
    }
    assert len(publications()) == 2
    assert lookup(world, "airport_departures") == departures_of()
    assert lookup(world, "airport_gusts") == gusts_of()


def give_it_a_second_version_and_remove_a_view(world: World) -> None:
    """After a refusal the next good deployment works: two versions side by side, and a view less."""
    kept = history("airport_gusts_v1", "gusts_max_24h")
    write(world, REWORDED + SECOND)
    world.deployment.deploy()
    assert set(statuses(world).values()) == {"UPDATE_COMPLETE"}
    backfill(world, "airport_departures@v2")
    assert lookup(world, "airport_departures@v1") == departures_of()
    assert lookup(world, "airport_departures@v2") == departures_of(delayed_only=True)
    assert lookup(world, "airport_departures") == departures_of(delayed_only=True)
    assert departures_of() != departures_of(delayed_only=True)
    served_by_service = lookup(world, service="delays")
    assert {name: served_by_service[name] for name in departures_of()} == departures_of()
    assert watched(world, "airport_departures-v2") == (True, True)
    assert watched(world, "airport_gusts-v1") == (False, False)
    status, said = ask(world, {"features": ["airport_gusts:gusts_max_24h"], "entities": {"origin": ["JFK"]}})
    assert (status, said["error"]) == (404, "UnknownFeatureError")
    assert history("airport_gusts_v1", "gusts_max_24h") == kept != {}


def deploy_what_was_before(world: World) -> None:
    """The view that was removed comes back, with the history it had; the second version is removed."""
    write(world, REWORDED + GUSTS)
    planned = asof("plan", "--env", "dev", "--path", str(world.definitions), "--no-estimate")
    assert "+ airport_gusts@v1  comes back" in planned.out
    world.deployment.deploy()
    assert set(statuses(world).values()) == {"UPDATE_COMPLETE"}
    assert watched(world, "airport_gusts-v1") == (True, True)
    assert watched(world, "airport_departures-v2") == (False, False)
    assert lookup(world, "airport_gusts") == gusts_of()
    assert lookup(world, "airport_departures") == departures_of()
    assert history("airport_gusts_v1", "gusts_max_24h").keys() == {"EWR", "JFK"}


def roll_back_and_forth(world: World) -> None:
    """The registry goes back to what was published before, and forth again; the functions keep what they carry."""
    first, second = (each["fingerprint"] for each in publications()[-2:])
    said = asof("rollback", "--env", "dev", "--yes")
    assert "npx cdk deploy --all -c env=dev" in said.out
    assert [each["fingerprint"] for each in publications() if each["in force"]] == [first]
    assert lookup(world, "airport_gusts") == gusts_of()
    asof("rollback", "--to", second, "--env", "dev", "--yes")


def retire(world: World) -> None:
    """What a service reads is not retired; what was removed is: its items are gone, its history is not."""
    refused = asof("retire", "airport_departures@v1", "--env", "dev", "--yes", code=1)
    assert "delays@v1" in refused.err
    assert stored("JFK", "airport_departures@v2") is not None
    said = asof("retire", "airport_departures@v2", "--env", "dev", "--yes")
    assert "3 items deleted" in said.out
    assert stored("JFK", "airport_departures@v2") is None
    assert unpacked(stored("JFK", "airport_departures@v1")) == oracle.departures("JFK", GRID)
    assert history("airport_departures_v2", "count_3h")
    write(world, REWORDED + SECOND + GUSTS)
    planned = asof("plan", "--env", "dev", "--path", str(world.definitions), "--no-estimate", code=1)
    assert "retired" in planned.out


def write(world: World, definitions: str) -> None:
    """Save the definitions, as an editor does."""
    (world.definitions / "store.py").write_text(definitions, encoding="utf-8")


def backfill(world: World, *views: str) -> None:
    """Start the deployed state machine by the ``aws`` command, and ask it how that went."""
    server = world.server
    machine = f"arn:aws:states:{server.region}:{server.account}:stateMachine:asof-dev-backfill"
    given = json.dumps({"views": views, "start": START, "end": END, "chunk": "31d"})
    started = aws("stepfunctions", "start-execution", "--state-machine-arn", machine, "--input", given)
    assert server.advance(0), "the execution does not come to an end"
    found = aws("stepfunctions", "describe-execution", "--execution-arn", started["executionArn"])
    assert found["status"] == "SUCCEEDED", found


def stored(origin: str, view: str) -> dict[str, Any] | None:
    """The item of a view as DynamoDB has it, by the ``aws`` command; None where there is none."""
    key = {":pk": {"S": f"airport#s:{origin}"}, ":sk": {"S": view}}
    condition = ("--key-condition-expression", "pk = :pk AND sk = :sk")
    words = ("--table-name", "asof-dev-online", *condition, "--expression-attribute-values", json.dumps(key))
    items: list[dict[str, Any]] = aws("dynamodb", "query", *words)["Items"]
    return items[0] if items else None


def unpacked(item: dict[str, Any] | None) -> dict[str, Any]:
    """The values of an item of ``airport_departures``, unpacked by hand as asof/online/codec.py describes it."""
    assert item is not None
    assert int(item["e"]["N"]) == GRID.timestamp() * 1000
    version, nulls, *values = struct.unpack("<B2xBqdd", base64.b64decode(item["v"]["B"]))
    assert (version, nulls) == (1, 0)
    return dict(zip(("count_3h", "dep_delay_mean_3h", "dep_delay_mean_24h"), values, strict=True))


def history(table: str, column: str) -> dict[str, str]:
    """A column of a history table at the grid time, per origin, by Athena."""
    sql = f"SELECT origin, {column} FROM {table} WHERE event_timestamp = TIMESTAMP '2026-03-10 12:00:00'"
    where = ("--query-execution-context", "Database=asof_dev", "--work-group", "asof-dev")
    started = aws("athena", "start-query-execution", "--query-string", sql, *where)
    asked = ("--query-execution-id", started["QueryExecutionId"])
    deadline = time.monotonic() + 60
    while (found := aws("athena", "get-query-execution", *asked)["QueryExecution"]["Status"])["State"] in WORKING:
        assert time.monotonic() < deadline, found
    assert found["State"] == "SUCCEEDED", found
    rows = aws("athena", "get-query-results", *asked)["ResultSet"]["Rows"]
    cells = [[cell["VarCharValue"] for cell in row["Data"]] for row in rows]
    assert cells[0] == ["origin", column]
    assert len({origin for origin, _ in cells[1:]}) == len(cells) - 1
    return dict(cells[1:])


def lookup(world: World, view: str = "", service: str | None = None) -> dict[str, list[Any]]:
    """Values per feature for all origins, by the HTTP API."""
    wanted = {"feature_service": service} if service else {"features": [view]}
    status, answer = ask(world, {**wanted, "entities": {"origin": list(ORIGINS)}})
    assert status == 200, answer
    names = answer["metadata"]["feature_names"]
    return {name: each["values"] for name, each in zip(names, answer["results"], strict=True) if name != "origin"}


def ask(world: World, body: dict[str, Any]) -> tuple[int, Any]:
    """A signed request by curl, or, where there is none that signs, by botocore."""
    url = world.deployment.url() + "/get-online-features"
    if curl_signs():
        return curl(url, world.server.region, body)
    print("curl is missing or older than 7.75 and cannot sign: botocore signs instead")
    status, content, _ = Signer(boto3.Session(), world.server.region).send("POST", url, json.dumps(body).encode())
    return status, json.loads(content)


def departures_of(*, delayed_only: bool = False) -> dict[str, list[Any]]:
    """What ``airport_departures`` is for all origins."""
    rows = [oracle.departures(origin, GRID, delayed_only=delayed_only) for origin in ORIGINS]
    return {name: [row[name] for row in rows] for name in rows[0]}


def gusts_of() -> dict[str, list[Any]]:
    """What ``airport_gusts`` is for all origins."""
    return {"gusts_max_24h": [oracle.strongest_gust(origin, GRID) for origin in ORIGINS]}


def runs(view: str) -> Any:
    """The runs of a view, as ``asof runs`` has them."""
    return asof("runs", view, "--env", "dev", "--json").json()


def publications() -> list[dict[str, Any]]:
    """What was ever in force, oldest first."""
    found: list[dict[str, Any]] = asof("rollback", "--list", "--env", "dev", "--json").json()
    return found


def watched(world: World, version: str) -> tuple[bool, bool]:
    """Whether a view version has a schedule and an alarm."""
    schedules = world.deployment.client("scheduler").list_schedules()["Schedules"]
    alarms = world.deployment.client("cloudwatch").describe_alarms()["MetricAlarms"]
    return (
        f"asof-dev-{version}" in {each["Name"] for each in schedules},
        f"asof-dev-freshness-{version}" in {each["AlarmName"] for each in alarms},
    )


def statuses(world: World) -> dict[str, str]:
    """The status of each stack of the environment."""
    stacks = world.deployment.client("cloudformation").describe_stacks()["Stacks"]
    return {each["StackName"]: each["StackStatus"] for each in stacks if each["StackName"].startswith("asof-dev-")}
