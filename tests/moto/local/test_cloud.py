"""The local cloud as a whole: what it provisions, and that it leaves nothing behind."""

from __future__ import annotations

import io
import os

import boto3
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError
from moto.athena.responses import AthenaResponse
from moto.core.botocore_stubber import BotocoreStubber

from asof.clock import ManualClock
from asof.errors import LocalCloudError, RequestError
from asof.local import LocalCloud
from tests.moto.local.conftest import Asker


def test_it_provisions_what_a_deployment_creates_and_does_so_twice() -> None:
    """Buckets, database, workgroup, tables, by the environment's names."""
    with LocalCloud(region="eu-west-1", account="999999999999") as cloud:
        environment = cloud.environment("dev")
        cloud.provision(environment)
        cloud.provision(environment)
        session = cloud.session()
        assert session.client("sts").get_caller_identity()["Account"] == "999999999999"
        s3, dynamodb = session.client("s3"), session.client("dynamodb")
        assert {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]} == {
            "asof-dev-offline-999999999999-eu-west-1",
            "asof-dev-registry-999999999999-eu-west-1",
            "asof-dev-results-999999999999-eu-west-1",
        }
        assert s3.get_bucket_versioning(Bucket=environment.registry_bucket)["Status"] == "Enabled"
        assert session.client("glue").get_database(Name="asof_dev")["Database"]["Name"] == "asof_dev"
        group = session.client("athena").get_work_group(WorkGroup="asof-dev")["WorkGroup"]["Configuration"]
        assert group["EnforceWorkGroupConfiguration"] is True
        assert group["ResultConfiguration"]["OutputLocation"] == f"s3://{environment.results_bucket}/"
        assert set(dynamodb.list_tables()["TableNames"]) == {"asof-dev-control", "asof-dev-online"}
        described = dynamodb.describe_table(TableName="asof-dev-online")["Table"]
        assert [(key["AttributeName"], key["KeyType"]) for key in described["KeySchema"]] == (
            [("pk", "HASH"), ("sk", "RANGE")]
        )
        assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        ttl = dynamodb.describe_time_to_live(TableName="asof-dev-online")["TimeToLiveDescription"]
        assert ttl["AttributeName"] == "x"


def test_nothing_is_left_after_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Environment variables, moto's classes and state are as before; stopping twice does nothing."""
    monkeypatch.setenv("AWS_PROFILE", "somebody")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://real.example")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    before = dict(os.environ)
    methods = (AthenaResponse.start_query_execution, BotocoreStubber.__call__)
    cloud = LocalCloud()
    cloud.start()
    assert "AWS_PROFILE" not in os.environ
    assert os.environ["AWS_DEFAULT_REGION"] == "eu-central-1"
    boto3.client("s3").create_bucket(Bucket="mine", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    cloud.stop()
    cloud.stop()
    assert dict(os.environ) == before
    assert (AthenaResponse.start_query_execution, BotocoreStubber.__call__) == methods
    assert not hasattr(AthenaResponse, "batch_get_query_execution")
    with LocalCloud() as other:
        assert other.session().client("s3").list_buckets()["Buckets"] == []


def test_a_second_one_is_refused_and_does_not_disturb_the_first() -> None:
    """There is one moto in a process."""
    with LocalCloud() as cloud:
        with pytest.raises(LocalCloudError, match="running in this process already"):
            LocalCloud().start()
        assert cloud.session().client("s3").list_buckets()["Buckets"] == []


def test_it_can_start_again() -> None:
    """The same object, a fresh state."""
    cloud = LocalCloud()
    for _ in range(2):
        with cloud:
            cloud.session().client("glue").create_database(DatabaseInput={"Name": "once"})


def test_a_session_needs_a_running_cloud() -> None:
    """Before start and after stop it would reach for the real AWS."""
    with pytest.raises(LocalCloudError, match="not running"):
        LocalCloud().session()


def test_an_error_inside_still_stops_it() -> None:
    """As a context manager does."""
    with pytest.raises(RequestError), LocalCloud() as cloud:
        cloud.environment("Not A Name")
    with LocalCloud():
        pass


def test_executions_are_dated_by_its_clock() -> None:
    """So that a demo that moves in time shows it."""
    clock = ManualClock(1_577_836_800_000)
    with LocalCloud(clock=clock) as cloud:
        environment = cloud.environment()
        cloud.provision(environment)
        athena = cloud.session().client("athena")
        started = athena.start_query_execution(QueryString="SELECT 1", WorkGroup=environment.workgroup)
        found = athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])["QueryExecution"]
        assert found["Status"]["SubmissionDateTime"].timestamp() == 1_577_836_800


def test_regions_are_apart() -> None:
    """An execution of one region is unknown in another."""
    with LocalCloud() as cloud:
        environment = cloud.environment()
        cloud.provision(environment)
        session = cloud.session()
        started = session.client("athena").start_query_execution(
            QueryString="SELECT 1", WorkGroup=environment.workgroup
        )
        elsewhere = session.client("athena", region_name="us-east-1")
        with pytest.raises(ClientError, match="was not found"):
            elsewhere.get_query_execution(QueryExecutionId=started["QueryExecutionId"])


def test_a_partition_may_be_spread_over_several_files() -> None:
    """As Athena's workers do; the rows are all there, once."""
    with LocalCloud(writers=3) as cloud:
        environment = cloud.environment("several")
        cloud.provision(environment)
        ask = Asker(cloud.session(), environment, cloud)
        location = ask.location()
        query = "SELECT n, n % 2 AS p FROM UNNEST(sequence(1, 20)) AS t(n)"
        options = "WITH (format = 'PARQUET', partitioned_by = ARRAY['p'])"
        ask.done(f"UNLOAD ({query}) TO '{location}' {options}")
        files = {key: pq.read_table(io.BytesIO(ask.read(location, key))) for key in ask.keys(location)}
        assert sorted(key.split("/")[0] for key in files) == ["p=0"] * 3 + ["p=1"] * 3
        assert all(file.column_names == ["n"] for file in files.values())
        assert sorted(value for file in files.values() for value in file["n"].to_pylist()) == list(range(1, 21))
        ask.done(f"CREATE TABLE t AS {query}")
        assert ask.rows("SELECT count(*), sum(n) FROM t") == [["20", "210"]]
