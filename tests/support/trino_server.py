"""A real Trino server on the loopback interface, whose Hive connector reads a local cloud's Glue catalogue and S3.

Trino is what Athena engine version 3 is made of. Maven Central has no server after 476; of it, the core server and the
Hive plugin are taken, which together are all that a Glue catalogue over Parquet needs.
"""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trino.dbapi
import trino.exceptions

from tests.support.java import java_home
from tests.support.maven import CACHE, artifact, unpacked

VERSION = "476"
CATALOG = "hive"

_CORE_SHA1 = "6bae2db438f8e6a2a8d9c8b566bb5e5b05870138"
_HIVE_SHA1 = "7b2a4b6468ebf92b47cf096d43c4133eea88ae20"
_JAVA = 24
_PATIENCE_S = 240.0
_LOOK_EVERY_S = 0.2


class TrinoError(Exception):
    """Trino could not be started."""


@dataclass(frozen=True)
class TrinoServer:
    """A server that answers. ``started_s`` is how long it took from the process's start to being ready."""

    port: int
    pid: int
    java: Path
    started_s: float


@contextmanager
def trino_server(endpoint: str, region: str, heap: str = "1500m") -> Iterator[TrinoServer]:
    """A single node over the Glue and S3 of an AWS endpoint, in UTC; stopped at the end, and nothing of it is left.

    Raises TrinoError with the end of its log where it does not become ready, and what ``java_home`` and ``artifact``
    raise where Java or the server cannot be had.
    """
    java = java_home(_JAVA) / "bin" / "java"
    core, hive = _installation()
    with tempfile.TemporaryDirectory(prefix="asof-trino-") as name:
        folder, port = Path(name), _free_port()
        _configure(folder, hive, port, endpoint, region, heap=heap)
        log = folder / "server.log"
        began = time.monotonic()
        with log.open("wb") as out:
            command = [str(java), *_options(folder, core, heap)]
            process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        try:
            _await(process, port, log)
            yield TrinoServer(port, process.pid, java, time.monotonic() - began)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _installation() -> tuple[Path, Path]:
    """The folders of the server and of the Hive plugin."""
    packed = (
        artifact("io.trino", "trino-server-core", VERSION, "tar.gz", _CORE_SHA1),
        artifact("io.trino", "trino-hive", VERSION, "zip", _HIVE_SHA1),
    )
    core, hive = (unpacked(each, CACHE.parent / "trino" / each.parts[-3] / VERSION) for each in packed)
    return core / f"trino-server-core-{VERSION}", hive / f"trino-hive-{VERSION}"


def _megabytes(heap: str) -> int:
    """A size as Java's command line has it (``1500m``, ``6g``)."""
    return int(heap[:-1]) * {"m": 1, "g": 1024}[heap[-1].lower()]


def _configure(folder: Path, hive: Path, port: int, endpoint: str, region: str, *, heap: str) -> None:
    query_memory = f"{_megabytes(heap) * 3 // 5}MB"  # what is left is Trino's own, and headroom
    (folder / "plugin").mkdir()
    (folder / "plugin" / "hive").symlink_to(hive)  # the only one: what is not loaded need not be waited for
    _properties(
        folder / "etc" / "config.properties",
        {
            "coordinator": "true",
            "node-scheduler.include-coordinator": "true",
            "http-server.http.port": str(port),
            "discovery.uri": f"http://localhost:{port}",
            "plugin.dir": str(folder / "plugin"),
            "catalog.config-dir": str(folder / "etc" / "catalog"),
            "query.max-memory": query_memory,
            "query.max-memory-per-node": query_memory,
            "memory.heap-headroom-per-node": "200MB",
            "web-ui.enabled": "false",
        },
    )
    keys = {"aws-access-key": "local", "aws-secret-key": "local", "region": region}
    glue = {f"hive.metastore.glue.{name}": value for name, value in {**keys, "endpoint-url": endpoint}.items()}
    s3 = {f"s3.{name}": value for name, value in {**keys, "endpoint": endpoint, "path-style-access": "true"}.items()}
    hive_connector = {
        "connector.name": "hive",
        "hive.metastore": "glue",
        **glue,
        "fs.native-s3.enabled": "true",
        **s3,
        # As Athena has them: instants of three digits, partitions derived from the table's properties.
        "hive.timestamp-precision": "MILLISECONDS",
        "hive.partition-projection-enabled": "true",
        # The local cloud keeps none, and says so each time it is asked.
        "hive.table-statistics-enabled": "false",
    }
    _properties(folder / "etc" / "catalog" / f"{CATALOG}.properties", hive_connector)


def _properties(file: Path, values: Mapping[str, str]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))


def _options(folder: Path, core: Path, heap: str) -> list[str]:
    system = {
        "user.timezone": "UTC",
        "node.environment": "asof",
        "node.id": "asof",
        "node.data-dir": str(folder / "data"),
        "config": str(folder / "etc" / "config.properties"),
        "jdk.attach.allowAttachSelf": "true",
    }
    return [
        f"-Xmx{heap}",
        "-XX:+UseSerialGC",
        "-XX:+ExitOnOutOfMemoryError",
        "--add-modules=jdk.incubator.vector",
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
        *(f"-D{name}={value}" for name, value in system.items()),
        "-cp",
        f"{core}/lib/*",
        "io.trino.server.TrinoServer",
    ]


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def _await(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not _is_ready(port):
        try:
            process.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            if time.monotonic() < until:
                continue
        raise TrinoError(f"Trino did not become ready; the end of its log:\n{log.read_text()[-4000:]}")


def _is_ready(port: int) -> bool:
    """Whether it executes; for a while after it has started it knows of no node that could, itself included."""
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/v1/info", timeout=5) as answer:
            if json.load(answer).get("starting") is not False:
                return False
        connect: Any = trino.dbapi.connect  # untyped
        cursor = connect(host="localhost", port=port, user="asof").cursor()
        # Numbers are made by a worker. What a query fails of may come only with its rows.
        cursor.execute("SELECT count(*) FROM TABLE(sequence(1, 2))")
        cursor.fetchall()
    except (OSError, ValueError, trino.exceptions.TrinoQueryError):
        return False
    return True
