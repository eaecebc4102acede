"""DynamoDB Local, Amazon's own emulator, from Maven Central: in memory, on a free port of the loopback.

Its artefacts, pinned by hash, are listed in ``dynamodb_local.lock``; ``dynamodb_local.java`` starts it. What its own
dependencies hold for telemetry, other platforms and other clients is left out.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.support.maven import CACHE, artifact

HEAP = "512m"
OLDEST_JAVA = 17
REGION = "eu-central-1"
KEYS = {"AWS_ACCESS_KEY_ID": "localAccessKey", "AWS_SECRET_ACCESS_KEY": "local/secret"}
"""It takes any secret, and an access key of letters and digits alone; each key has tables of its own."""

_HERE = Path(__file__).parent
_NATIVE = "so"


class DynamoDBLocalError(Exception):
    """DynamoDB Local could not be started here."""


@contextmanager
def open_dynamodb() -> Iterator[str]:
    """The endpoint of an empty DynamoDB Local, which ends with the block; raises DynamoDBLocalError, ArtifactError.

    It also ends when this process does, however that happens.
    """
    command = [java(), f"-Xmx{HEAP}", f"-Djava.library.path={_native_folder()}", "-cp", _class_path()]
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            [*command, str(_HERE / "dynamodb_local.java")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env={**os.environ, "DDB_LOCAL_TELEMETRY": "0"},
        ) as process,
    ):
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            if not port.isdigit():
                process.kill()
                complaints.seek(0)
                raise DynamoDBLocalError(f"DynamoDB Local did not start: {port}\n{complaints.read()[-2_000:]}")
            yield f"http://127.0.0.1:{port}"
        finally:
            if process.stdin:
                process.stdin.close()  # which is what ends it


def client(endpoint: str, config: Config | None = None, access_key: str = KEYS["AWS_ACCESS_KEY_ID"]) -> Any:
    """boto3's client for an endpoint."""
    return boto3.client(
        "dynamodb",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
        config=config,
    )


def create_table(dynamodb: Any, name: str, **changes: Any) -> None:
    """A table with the keys of Asof's."""
    keys = {"pk": "HASH", "sk": "RANGE"}
    dynamodb.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
        **{"BillingMode": "PAY_PER_REQUEST", **changes},
    )


def java() -> str:
    """A Java of at least 17, with its compiler: JAVA_HOME's, the PATH's, or one of those installed on a Linux.

    Raises DynamoDBLocalError where there is none.
    """
    home = os.environ.get("JAVA_HOME")
    installed = sorted(map(str, Path("/usr/lib/jvm").glob("*/bin/java")))
    for candidate in [f"{home}/bin/java" if home else None, shutil.which("java"), *installed]:
        if candidate and shutil.which(candidate) and _java_version(candidate) >= OLDEST_JAVA:
            return candidate
    raise DynamoDBLocalError(
        f"DynamoDB Local needs a JDK of version {OLDEST_JAVA} or newer, and there is none in JAVA_HOME, on the PATH or "
        f"under /usr/lib/jvm; install one (for example temurin-25-jdk), or set JAVA_HOME"
    )


def _java_version(command: str) -> int:
    """The major version of a JDK, 0 where it is none (a JRE has no compiler)."""
    asked = subprocess.run([command, "--list-modules"], capture_output=True, text=True, check=False)
    compiler = [line for line in asked.stdout.split() if line.startswith("jdk.compiler@")]
    return int(compiler[0].partition("@")[2].split(".")[0].split("-")[0]) if compiler else 0


def _artifacts() -> list[list[str]]:
    """Group, name, version, extension and SHA-1 of each."""
    return [line.split() for line in (_HERE / "dynamodb_local.lock").read_text(encoding="utf-8").splitlines()]


def _class_path() -> str:
    return os.pathsep.join(str(artifact(*each)) for each in _artifacts() if each[3] != _NATIVE)


def _native_folder() -> Path:
    """SQLite's native library, in a folder under a name that its Java side looks for."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise DynamoDBLocalError(
            f"DynamoDB Local is pinned for Linux on x86_64; this is {sys.platform} on {platform.machine()}"
        )
    (native,) = (artifact(*each) for each in _artifacts() if each[3] == _NATIVE)
    folder = CACHE / "dynamodb_local"
    link = folder / "libsqlite4java-linux-amd64.so"
    folder.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        link.symlink_to(native)
    return folder
