"""What a local cloud has started ends with it."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

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


@contextmanager
def at_work(pipe: Path) -> Iterator[int]:
    """A server whose function sleeps and holds a pipe open; gives the other end. The server ends with the block."""
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
        yield reader


def test_a_function_at_work_ends_with_the_server(tmp_path: Path) -> None:
    """Its process holds a pipe open, whose end is seen once the process is gone."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with at_work(pipe) as reader:
        pass
    ready, _, _ = select.select([reader], [], [], 30)
    assert ready
    assert os.read(reader, 1) == b""
    os.close(reader)


def test_a_server_ends_after_those_who_wait_for_its_functions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who waits for an invocation that is ended asks for its log next, which goes with the cloud's folder."""
    logs: list[str] = []
    log = FunctionProcess.log

    def read(process: FunctionProcess) -> str:
        logs.append(log(process))
        return logs[-1]

    monkeypatch.setattr(FunctionProcess, "log", read)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with at_work(pipe) as reader:
        logs.clear()
    assert logs == [""]
    os.close(reader)
