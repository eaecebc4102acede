"""Loading a run's rows into the online store as a run does: gzipped lines of JSON in, conditional writes out.

A contestant of ``benchmarks.support.measure``: preparing makes the file and an empty table, running loads.
"""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3

from asof.clock import SystemClock
from asof.manifest import FeatureView, Manifest
from asof.materialize.load import online_rows
from asof.materialize.services import Services
from asof.online.client import client_config, online_client
from asof.online.reader import OnlineReader
from asof.online.writer import OnlineWriter
from asof.references import resolve
from benchmarks.support.online_contestants import ENTITY, feature_view
from benchmarks.support.online_data import EVENT_MS, feature_names, row
from benchmarks.support.online_load_data import VIEW, Load
from tests.support.dynamodb_local import create_table

_BATCH = 100


def asof(task: dict[str, Any]) -> Any:
    """The load stage, from what a query unloaded to the online table."""
    load = Load(**task)
    os.environ.update(load.environment())
    path = Path(load.folder) / f"rows-{load.rows}.json.gz"
    if not path.exists():
        write(path, load.rows)
    dynamodb = boto3.client("dynamodb", endpoint_url=load.endpoint, config=client_config(read_timeout_s=30))
    create_table(dynamodb, load.table)
    view, direct = feature_view(VIEW), online_client(dynamodb)

    def run() -> Any:
        writer = OnlineWriter(direct, load.table)
        counts = writer.write(view, ENTITY, online_rows(over(view, path), view, path.name))
        if not load.check:
            return None
        import pyarrow as pa  # which brings pandas along: no part of a load

        return pa.table({"written": [counts.written], "wrong": [wrong_rows(dynamodb, load, view)]})

    return run


def write(path: Path, rows: int) -> None:
    """The file a query would have unloaded: keys and values as text, times in milliseconds."""
    names = feature_names(VIEW)
    with gzip.open(path, "wt", compresslevel=1) as file:
        for user in range(rows):
            values = {f"f{i}": value if value is None else str(value) for i, value in enumerate(row(VIEW, user))}
            file.write(json.dumps({"k0": user, "e": EVENT_MS, "c": EVENT_MS, **values}) + "\n")
    if len(names) != len(row(VIEW, 0)):
        raise ValueError(f"{VIEW} has {len(names)} features")


def over(view: FeatureView, path: Path) -> Services:
    """Services of which there is what reading an unloaded file takes."""

    class Files:
        """S3, for one file."""

        def get_object(self, **_: str) -> dict[str, io.BufferedReader]:
            """GetObject."""
            return {"Body": path.open("rb")}

    manifest = Manifest(entities=(ENTITY,), feature_views=(view,))
    services: Any = SimpleNamespace(
        s3=Files(), entity=lambda _: manifest.entities[0], environment=SimpleNamespace(offline_bucket="none")
    )
    found: Services = services
    return found


def wrong_rows(dynamodb: Any, load: Load, view: FeatureView) -> int:
    """How many users' values are not what they should be, read back in the end."""
    manifest = Manifest(entities=(ENTITY,), feature_views=(view,))
    reader = OnlineReader(online_client(dynamodb), load.table, clock=SystemClock(), consistent=True)
    wrong = 0
    for users in chunks(load.rows):
        (answer,) = reader.read(resolve(manifest, VIEW).views, [{"user_id": user} for user in users])
        wrong += sum(list(got.values) != row(VIEW, user) for got, user in zip(answer.rows, users, strict=True))
    return wrong


def chunks(rows: int) -> Iterator[range]:
    """All users, a batch at a time."""
    for start in range(0, rows, _BATCH):
        yield range(start, min(start + _BATCH, rows))
