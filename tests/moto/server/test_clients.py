"""Unmodified clients: the aws command and awswrangler, told nothing but the address."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from asof.local.server import LocalServer
from tests.support.stacks import deployed, template

RESOURCES = {
    "Bucket": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "client-data"}},
    "Database": {
        "Type": "AWS::Glue::Database",
        "Properties": {"CatalogId": {"Ref": "AWS::AccountId"}, "DatabaseInput": {"Name": "client_db"}},
    },
    "Group": {
        "Type": "AWS::Athena::WorkGroup",
        "Properties": {
            "Name": "client",
            "WorkGroupConfiguration": {
                "EnforceWorkGroupConfiguration": True,
                "ResultConfiguration": {"OutputLocation": "s3://client-data/results/"},
            },
        },
    },
}


@pytest.fixture(scope="module")
def environment(server: LocalServer, client: Callable[[str], Any]) -> dict[str, str]:
    """The environment of a client's process, with a few resources deployed."""
    deployed(client("cloudformation"), "clients", template(RESOURCES))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {**kept, **server.client_environment(), "AWS_PAGER": "", "AWS_CONFIG_FILE": os.devnull}


def test_the_aws_command(environment: dict[str, str], tmp_path: Path) -> None:
    """Copies an object, starts a query, reads its result and lists stacks."""
    if shutil.which("aws") is None:
        pytest.skip("the aws command is not installed")
    (tmp_path / "rows.csv").write_text("1,a\n2,b\n", encoding="utf-8")

    def aws(*arguments: str) -> Any:
        done = subprocess.run(["aws", *arguments], env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.startswith("{") else done.stdout

    aws("s3", "cp", str(tmp_path / "rows.csv"), "s3://client-data/rows/rows.csv")
    assert "rows.csv" in aws("s3", "ls", "s3://client-data/rows/")
    started = aws(
        "athena", "start-query-execution", "--work-group", "client", "--query-string", "SELECT 6 * 7 AS answer"
    )
    found = aws("athena", "get-query-results", "--query-execution-id", started["QueryExecutionId"])
    assert found["ResultSet"]["Rows"][1]["Data"][0]["VarCharValue"] == "42"
    stacks = aws("cloudformation", "describe-stacks", "--stack-name", "clients")["Stacks"]
    assert stacks[0]["StackStatus"] == "CREATE_COMPLETE"


# awswrangler 3.17 still gives pandas arguments that pandas 3 has deprecated.
@pytest.mark.filterwarnings("ignore:The copy keyword is deprecated", "ignore:The inplace keyword in DataFrame")
def test_awswrangler(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes a Parquet table and reads it back through Athena."""
    wr: Any = pytest.importorskip("awswrangler")
    pd = pytest.importorskip("pandas")
    for name, value in environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)
    import boto3

    session = boto3.Session()
    frame = pd.DataFrame({"id": [1, 2, 3], "name": ["a", "b", "c"]})
    where = {"database": "client_db", "table": "things"}
    wr.s3.to_parquet(frame, path="s3://client-data/things/", dataset=True, boto3_session=session, **where)
    read = wr.athena.read_sql_query(
        "SELECT name FROM things WHERE id > 1 ORDER BY id",
        database="client_db",
        workgroup="client",
        ctas_approach=False,
        boto3_session=session,
    )
    assert list(read["name"]) == ["b", "c"]


def test_conditional_writes_are_atomic(client: Callable[[str], Any]) -> None:
    """Of many that want to be first, one is."""
    dynamodb = client("dynamodb")
    dynamodb.create_table(
        TableName="first",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
    )

    def write(number: int) -> bool:
        item = {"pk": {"S": "it"}, "n": {"N": str(number)}}
        try:
            dynamodb.put_item(TableName="first", Item=item, ConditionExpression="attribute_not_exists(pk)")
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, range(40))) == 1
