"""What every job begins with: its arguments, the services of its environment, and a Spark session."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from asof.clock import to_ms
from asof.errors import RequestError
from asof.materialize.services import Services
from asof.names import Environment
from asof.registry.publish import read_manifest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def parser(description: str) -> argparse.ArgumentParser:
    """The arguments every job has. Glue adds ``--JOB_NAME`` and others of its own, which are ignored."""
    made = argparse.ArgumentParser(description=description, allow_abbrev=False)
    made.add_argument("--JOB_NAME", default="asof", help="what Glue calls the job")
    made.add_argument("--environment", required=True, help="the store, such as dev")
    made.add_argument("--account", required=True, help="its AWS account")
    made.add_argument("--region", required=True, help="its AWS region")
    return made


def parsed(given: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """The arguments, from the command line where None are given."""
    return given.parse_known_args(arguments)[0]


def connected(arguments: argparse.Namespace) -> Services:
    """The services of the environment, with the definitions in force."""
    import boto3

    environment = Environment(arguments.environment, arguments.account, arguments.region)
    session = boto3.Session(region_name=environment.region)
    return Services.connect(environment, read_manifest(session.client("s3"), environment), session)


def session(arguments: argparse.Namespace) -> SparkSession:
    """The process's Spark session: Glue's own where Glue runs it."""
    from pyspark.sql import SparkSession

    builder: Any = SparkSession.builder
    spark: SparkSession = builder.appName(arguments.JOB_NAME).getOrCreate()
    return spark


def instant_ms(text: str | None, name: str) -> int | None:
    """Milliseconds of an ISO instant; one without a zone is UTC, as on the command line."""
    if not text:
        return None
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise RequestError(f"--{name} {text!r} is not an instant; write 2026-01-31 or 2026-01-31T12:00:00Z") from error
    return to_ms(value if value.tzinfo else value.replace(tzinfo=timezone.utc), name)


def say(**facts: Any) -> None:
    """One line of JSON for the job's log."""
    print(json.dumps(facts, sort_keys=True), flush=True)
