"""Faults on purpose: throttling, partial answers, failing queries, and dying before or after any side effect."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from asof.local.faults import CrashPlan, Faults, Killed, crash_plans
from tests.moto.local.conftest import Asker

NO_RETRIES = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def faults(ask: Asker) -> Iterator[Faults]:
    """The cloud's faults, forgotten afterwards."""
    yield ask.cloud.faults
    ask.cloud.faults.clear()


def _code(raised: pytest.ExceptionInfo[ClientError]) -> str:
    return str(raised.value.response["Error"]["Code"])


def _item(key: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": key}, "sk": {"S": "v@v1"}}


def test_the_second_write_is_throttled_and_changes_nothing(ask: Asker, faults: Faults) -> None:
    """DynamoDB's own error, below the client."""
    dynamodb = ask.session.client("dynamodb", config=NO_RETRIES)
    table = ask.environment.online_table
    faults.throttle("dynamodb", "PutItem", skip=1)
    dynamodb.put_item(TableName=table, Item=_item("a1"))
    with pytest.raises(dynamodb.exceptions.ProvisionedThroughputExceededException):
        dynamodb.put_item(TableName=table, Item=_item("a2"))
    assert "Item" not in dynamodb.get_item(TableName=table, Key=_item("a2"))
    dynamodb.put_item(TableName=table, Item=_item("a2"))
    assert "Item" in dynamodb.get_item(TableName=table, Key=_item("a2"))


def test_botocores_own_retries_meet_it_first(ask: Asker, faults: Faults) -> None:
    """One throttled request is not seen by a caller whose client retries."""
    faults.throttle("s3", "PutObject")
    s3 = ask.session.client("s3", config=Config(retries={"mode": "standard", "total_max_attempts": 2}))
    answer = s3.put_object(Bucket=ask.environment.offline_bucket, Key="retried", Body=b"x")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1


@pytest.mark.parametrize(
    ("service", "operation", "code"),
    [
        ("s3", "ListObjectsV2", "SlowDown"),
        ("athena", "StartQueryExecution", "TooManyRequestsException"),
        ("athena", "*", "TooManyRequestsException"),
        ("glue", "GetTables", "ThrottlingException"),
    ],
)
def test_each_service_throttles_with_its_own_code(
    ask: Asker, faults: Faults, service: str, operation: str, code: str
) -> None:
    """As the service's API reference names it."""
    faults.throttle(service, operation)
    calls = {
        "s3": lambda client: client.list_objects_v2(Bucket=ask.environment.offline_bucket),
        "athena": lambda client: client.start_query_execution(
            QueryString="SELECT 1", WorkGroup=ask.environment.workgroup
        ),
        "glue": lambda client: client.get_tables(DatabaseName=ask.environment.database),
    }
    client = ask.session.client(service, config=NO_RETRIES)  # type: ignore[call-overload] # one of three names
    with pytest.raises(ClientError) as raised:
        calls[service](client)
    assert _code(raised) == code
    calls[service](client)


def test_an_answer_is_lost_after_the_effect(ask: Asker, faults: Faults) -> None:
    """The client sees an error, the item is there."""
    faults.lose_answer("dynamodb", "PutItem")
    dynamodb = ask.session.client("dynamodb", config=NO_RETRIES)
    table = ask.environment.online_table
    with pytest.raises(ClientError):
        dynamodb.put_item(TableName=table, Item=_item("lost"))
    assert "Item" in dynamodb.get_item(TableName=table, Key=_item("lost"))


@pytest.mark.parametrize("keep", [0, 2])
def test_some_keys_stay_unprocessed(ask: Asker, faults: Faults, keep: int) -> None:
    """The request's other settings come back with them, so that it can be repeated."""
    dynamodb = ask.session.client("dynamodb")
    table = ask.environment.online_table
    keys = [_item(f"u{number}") for number in range(3)]
    for key in keys:
        dynamodb.put_item(TableName=table, Item=key)
    faults.unprocessed_keys(keep)
    asked = {table: {"Keys": keys, "ProjectionExpression": "pk"}}
    first = dynamodb.batch_get_item(RequestItems=asked)  # type: ignore[arg-type] # plain dicts
    assert len(first["Responses"].get(table, [])) == keep
    assert first["UnprocessedKeys"][table]["Keys"] == keys[keep:]
    assert first["UnprocessedKeys"][table]["ProjectionExpression"] == "pk"
    second = dynamodb.batch_get_item(RequestItems=first["UnprocessedKeys"])
    assert len(second["Responses"][table]) == 3 - keep
    assert second["UnprocessedKeys"] == {}


def test_a_query_fails_before_it_does_anything_or_after_it_wrote(ask: Asker, faults: Faults) -> None:
    """A failed UNLOAD may leave orphans; the failure says that it can be retried."""
    for when, written in (("before", 0), ("after", 1)):
        location = ask.location()
        sql = f"UNLOAD (SELECT 1 AS a) TO '{location}' WITH (format = 'PARQUET')"
        faults.fail_query(containing="UNLOAD", skip=1, when=when)  # type: ignore[arg-type] # a literal of two
        ask.done("SELECT 1")
        ask.done(f"UNLOAD (SELECT 1 AS a) TO '{ask.location()}' WITH (format = 'PARQUET')")
        execution = ask.run(sql)
        assert execution["Status"]["State"] == "FAILED"
        assert execution["Status"]["AthenaError"]["Retryable"] is True
        assert len(ask.keys(location)) == written
        ask.done(sql.replace(location, ask.location()))


def _work(session: boto3.Session, ask: Asker, name: str) -> None:
    """Four side effects, with reads between them and clean-up that always runs."""
    dynamodb, s3, athena = session.client("dynamodb"), session.client("s3"), session.client("athena")
    bucket, table = ask.environment.offline_bucket, ask.environment.control_table
    try:
        dynamodb.put_item(TableName=table, Item={"pk": {"S": name}, "sk": {"S": "1"}})
        dynamodb.get_item(TableName=table, Key={"pk": {"S": name}, "sk": {"S": "1"}})
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
        athena.start_query_execution(QueryString="SELECT 1", WorkGroup=ask.environment.workgroup)
    finally:
        dynamodb.put_item(TableName=table, Item={"pk": {"S": name}, "sk": {"S": "2"}})


def _effects(ask: Asker, name: str) -> tuple[bool, bool, bool]:
    dynamodb = ask.session.client("dynamodb")
    items = dynamodb.query(
        TableName=ask.environment.control_table,
        KeyConditionExpression="pk = :k",
        ExpressionAttributeValues={":k": {"S": name}},
    )["Items"]
    kept = {item["sk"]["S"] for item in items}
    objects = ask.session.client("s3").list_objects_v2(Bucket=ask.environment.offline_bucket, Prefix=name)
    return "1" in kept, objects["KeyCount"] == 1, "2" in kept


def test_calls_that_change_something_are_numbered(ask: Asker) -> None:
    """Reads are not."""
    session, plan = ask.cloud.session(), CrashPlan()
    plan.attach(session)
    _work(session, ask, "counted")
    assert plan.calls == ["dynamodb.PutItem", "s3.PutObject", "athena.StartQueryExecution", "dynamodb.PutItem"]


def test_a_run_dies_before_and_after_every_side_effect(ask: Asker) -> None:
    """Exactly the effects up to that place are there, and clean-up of the dead changes nothing."""
    effects = []
    for number, plan in enumerate(crash_plans(4)):
        session, name = ask.cloud.session(), f"crash-{number}"
        plan.attach(session)
        with pytest.raises(Killed):
            _work(session, ask, name)
        effects.append(_effects(ask, name))
    assert effects == [
        (False, False, False),
        (True, False, False),
        (True, False, False),
        (True, True, False),
        (True, True, False),
        (True, True, False),
        (True, True, False),
        (True, True, True),
    ]


def test_a_plan_watches_clients_that_exist_already(ask: Asker) -> None:
    """Attached to a client instead of a session."""
    client = ask.cloud.session().client("s3")
    CrashPlan(kill_at=1).attach(client)
    with pytest.raises(Killed, match="PutObject"):
        client.put_object(Bucket=ask.environment.offline_bucket, Key="never", Body=b"x")
    with pytest.raises(Killed, match="dead"):
        client.list_buckets()
