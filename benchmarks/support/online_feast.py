"""Feast as a contestant: its SDK and its feature server, over its DynamoDB online store. Run in Feast's environment.

``python -m benchmarks.support.online_feast fill|sdk|server <endpoint> <folder> [view ...]``; ``fill`` comes first,
and leaves the registry in the folder for the others.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from benchmarks.support.online_data import (
    EVENT_MS,
    USERS,
    Cell,
    feature_names,
    is_integer,
    row,
)
from benchmarks.support.online_worker import Lookup, serve

PROJECT: Final = "bench"
START_S: Final = 180


def repository(endpoint: str, folder: Path) -> Path:
    """A feature repository whose online store is at an endpoint; all share one registry."""
    own = folder / endpoint.rpartition(":")[2]
    own.mkdir(parents=True, exist_ok=True)
    region = os.environ.get("AWS_DEFAULT_REGION", "eu-central-1")
    config = {
        "project": PROJECT,
        "provider": "local",
        "registry": str(folder / "registry.db"),
        "online_store": {"type": "dynamodb", "region": region, "endpoint_url": endpoint},
        "offline_store": {"type": "file"},
        "entity_key_serialization_version": 3,
    }
    (own / "feature_store.yaml").write_text(json.dumps(config))  # JSON is YAML
    return own


def fill(endpoint: str, folder: Path, names: Sequence[str]) -> None:
    """Define views and write their rows through Feast itself."""
    import pandas as pd
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType  # type: ignore[import-not-found]  # its own environment has it
    from feast.types import Float64, Int64  # type: ignore[import-not-found]  # as above

    store = FeatureStore(repo_path=str(repository(endpoint, folder)))
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    views, frames = [], {}
    for view in names:
        features = feature_names(view)
        rows = [row(view, each) for each in range(USERS)]
        columns = {
            name: pd.array([values[i] for values in rows], dtype="Int64" if is_integer(i) else "Float64")
            for i, name in enumerate(features)
        }
        times = [datetime.fromtimestamp(EVENT_MS / 1000, timezone.utc)] * USERS
        frame = pd.DataFrame({"user_id": range(USERS), "event_timestamp": times, "created": times, **columns})
        path = str(folder / f"{view}.parquet")
        frame.to_parquet(path)
        source = FileSource(path=path, timestamp_field="event_timestamp", created_timestamp_column="created")
        schema = [Field(name=name, dtype=Int64 if is_integer(i) else Float64) for i, name in enumerate(features)]
        views.append(FeatureView(name=view, entities=[user], ttl=timedelta(0), schema=schema, source=source))
        frames[view] = frame
    store.apply([user, *views])
    for view, frame in frames.items():
        store.write_to_online_store(view, frame.astype(dict.fromkeys(feature_names(view), object)))


class Sdk:
    """``get_online_features(...).to_dict()``."""

    def __init__(self, folder: Path) -> None:
        from feast import FeatureStore

        self._store = FeatureStore(repo_path=str(folder))

    def prepare(self, cell: Cell) -> Lookup:
        """As a program asks."""
        features = cell.references
        return lambda users: self._store.get_online_features(features, {"user_id": users}).to_dict()

    def rows(self, cell: Cell, answer: Any) -> Sequence[Sequence[Any]]:
        """From columns."""
        names = [reference.partition(":")[2] for reference in cell.references]
        return list(zip(*(answer[name] for name in names), strict=True))

    def processor_s(self) -> float:
        """This process's."""
        return time.process_time()


class Server:
    """Feast's Python feature server, asked over a kept HTTP connection; both sides' processor time counts."""

    def __init__(self, folder: Path) -> None:
        import psutil  # type: ignore[import-untyped]  # the peer's environment has it

        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = free.getsockname()[1]
        feast = str(Path(sys.executable).parent / "feast")
        options = ["--port", str(self._port), "--no-access-log", "--max-requests", "0", "--registry_ttl_sec", "3600"]
        self._process = subprocess.Popen([feast, "-c", str(folder), "serve", *options], stdout=sys.stderr)
        self._observed = psutil.Process(self._process.pid)
        self._wait()
        self._connection = HTTPConnection("127.0.0.1", self._port)

    def _wait(self) -> None:
        """Until it answers; raises TimeoutError."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self._port}/health", timeout=5).close()
            except OSError:
                time.sleep(0.2)
            else:
                return
        self.stop()
        raise TimeoutError(f"Feast's feature server did not answer within {START_S} s")

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()

    def prepare(self, cell: Cell) -> Lookup:
        """One POST, over a new connection: the server closes one that idled while others had their turns."""
        self._connection.close()  # the next request opens it
        features = cell.references

        def look_up(users: list[int]) -> Any:
            body = json.dumps({"features": features, "entities": {"user_id": users}})
            self._connection.request("POST", "/get-online-features", body, {"content-type": "application/json"})
            return json.loads(self._connection.getresponse().read())

        return look_up

    def rows(self, cell: Cell, answer: Any) -> Sequence[Sequence[Any]]:
        """From columns."""
        columns = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
        names = [reference.partition(":")[2] for reference in cell.references]
        return list(zip(*(columns[name]["values"] for name in names), strict=True))

    def processor_s(self) -> float:
        """This process's and the server's."""
        processes = [self._observed, *self._observed.children(recursive=True)]
        times = [process.cpu_times() for process in processes]
        return time.process_time() + float(sum(each.user + each.system for each in times))


def main() -> None:
    """Fill, or serve as a contestant."""
    what, endpoint, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    if what == "fill":
        fill(endpoint, folder, sys.argv[4:])
    elif what == "sdk":
        serve(Sdk(repository(endpoint, folder)))
    else:
        server = Server(repository(endpoint, folder))
        try:
            serve(server)
        finally:
            server.stop()


if __name__ == "__main__":
    main()
