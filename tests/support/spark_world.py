"""A local cloud in a process of its own, which Spark reaches as boto3 does: by its address.

It may run beside any other local cloud, of which a process has one.
"""

from __future__ import annotations

import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.request import urlopen

import boto3
import botocore.loaders
import botocore.session
from botocore.config import Config

from asof.local.cloud import ACCOUNT, REGION
from asof.local.provision import provision
from asof.local.server.local_server import client_environment
from asof.names import Environment
from tests.support.spark_engine import LOCAL_SETTINGS, s3_jars
from tests.support.world import SOURCE_BUCKET

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_PATIENCE_S = 60
_LOADER = botocore.loaders.create_loader()


class _Session(boto3.Session):
    """A session whose clients all go to one address."""

    endpoint = ""

    def client(self, *arguments: Any, **named: Any) -> Any:
        """A client of a service."""
        return super().client(*arguments, **{"endpoint_url": self.endpoint, **named})


@dataclass(frozen=True)
class ServedCloud:
    """A running local cloud, as ``tests.support.world.World`` takes one."""

    endpoint: str
    account: str = ACCOUNT
    region: str = REGION
    _environments: Iterator[int] = field(default_factory=itertools.count)

    def session(self) -> boto3.Session:
        """A session of its own with made-up credentials."""
        core = botocore.session.get_session()
        core.register_component("data_loader", _LOADER)
        core.set_default_client_config(Config(s3={"addressing_style": "path"}))
        session = _Session("local", "local", region_name=self.region, botocore_session=core)
        session.endpoint = self.endpoint
        return session

    def environment(self, name: str = "local") -> Environment:
        """The names of an environment in this account and region, another one each time."""
        return Environment(f"{name}{next(self._environments)}", self.account, self.region)

    def client_environment(self) -> dict[str, str]:
        """The environment variables that lead AWS's clients here."""
        return client_environment(self.endpoint, self.region)

    def provision(self, environment: Environment) -> None:
        """Create what a deployment creates."""
        provision(self.session(), environment)


@contextmanager
def fresh(cloud: ServedCloud) -> Iterator[ServedCloud]:
    """The cloud for one more world, whose sources are gone afterwards; to start another would take seconds."""
    yield cloud
    session: Any = cloud.session()
    s3, glue = session.client("s3"), session.client("glue")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=SOURCE_BUCKET):
        for each in page.get("Contents", ()):
            s3.delete_object(Bucket=SOURCE_BUCKET, Key=each["Key"])
    s3.delete_bucket(Bucket=SOURCE_BUCKET)
    glue.delete_table(DatabaseName="raw", Name="departures")
    glue.delete_database(Name="raw")


@contextmanager
def served_cloud(spark: SparkSession) -> Iterator[ServedCloud]:
    """A local cloud whose S3 is also the session's ``s3://``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "asof.local.server", "--port", str(port)])
    try:
        cloud = ServedCloud(f"http://localhost:{port}")
        _wait(cloud.endpoint, process)
        for name, value in s3_settings(cloud.endpoint).items():
            spark.sparkContext._jsc.hadoopConfiguration().set(name, value)
        yield cloud
    finally:
        process.terminate()
        process.wait()


def s3_settings(endpoint: str) -> dict[str, str]:
    """Hadoop's settings for S3 at an endpoint; a file system is not kept for the next one."""
    return {
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.s3.impl.disable.cache": "true",
        "fs.s3a.endpoint": endpoint,
        "fs.s3a.endpoint.region": REGION,
        "fs.s3a.access.key": "local",
        "fs.s3a.secret.key": "local",
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": "false",
        "fs.s3a.attempts.maximum": "1",
    }


def java_arguments(endpoint: str) -> str:
    """``PYSPARK_SUBMIT_ARGS`` of a process whose ``s3://`` is at an endpoint."""
    settings = {f"spark.hadoop.{name}": value for name, value in s3_settings(endpoint).items()}
    listed = {**LOCAL_SETTINGS, **settings, "spark.jars": s3_jars()}
    given = " ".join(f"--conf {name}={value}" for name, value in listed.items())
    return f"--master local[2] {given} pyspark-shell"


def _wait(endpoint: str, process: subprocess.Popen[bytes]) -> None:
    """Until it answers; fails where it ends instead."""
    patience = time.monotonic() + _PATIENCE_S
    while time.monotonic() < patience and process.poll() is None:
        try:
            with urlopen(endpoint, timeout=_PATIENCE_S):
                return
        except URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                return  # it answered, if with an error
    raise AssertionError(f"the local cloud did not begin to answer at {endpoint}")
