"""What a local cloud has started ends with it."""

from __future__ import annotations

import os
import select
from pathlib import Path
from typing import Any

import boto3

from asof.local.server import LocalServer
from asof.local.services.functions.process import FunctionProcess
from tests.support.stacks import deployed, function, role, template

SLEEPS = """
import time

def handle(event, context):
    with open(event["pipe"], "w") as pipe:
        pipe.write("here")
        pipe.flush()
        time.sleep(850)
"""


def test_a_function_at_work_ends_with_the_server(tmp_path: Path) -> None:
    """Its process holds a pipe open, whose end is seen once the process is gone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with LocalServer() as server:
        session = boto3.Session("local", "local", region_name=server.region)
        make: Any = session.client  # boto3's stubs know services by literal names only
        resources = {"Role": role(), "Function": function("sleeps", SLEEPS, Timeout=900)}
        deployed(make("cloudformation", endpoint_url=server.endpoint), "sleeps", template(resources))
        make("lambda", endpoint_url=server.endpoint).invoke(
            FunctionName="sleeps", InvocationType="Event", Payload=f'{{"pipe": "{pipe}"}}'
        )
        reader = os.open(pipe, os.O_RDONLY)
        assert os.read(reader, 4) == b"here"
    ready, _, _ = select.select([reader], [], [], 30)
    assert ready
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_log_that_is_gone_with_its_cloud_is_empty(tmp_path: Path) -> None:
    """The thread that waits for an invocation asks for it when the cloud's folder may be gone."""
    process = FunctionProcess("handler.handle", {}, tmp_path, tmp_path, tmp_path / "log")
    try:
        (tmp_path / "log").unlink()
        assert process.log() == ""
    finally:
        process.close()
