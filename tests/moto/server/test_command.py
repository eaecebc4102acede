"""``asof local``: started in the background, asked, moved in time and ended, by nothing but its port."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from click.testing import CliRunner, Result

from asof.cli import main


@pytest.fixture
def port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
    return found


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logs and process ids of the test's own."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def asof(*arguments: str) -> Result:
    """Run a command of ``asof local``."""
    return CliRunner().invoke(main, ["local", *arguments])


def test_up_status_advance_down(port: int) -> None:
    """A whole life; what was made in it is forgotten, and its process is gone."""
    where = ("--port", str(port))
    up = asof("up", *where, "--now", "2026-01-31T12:00:00Z")
    assert up.exit_code == 0, up.output
    try:
        assert f"http://localhost:{port}" in up.output
        assert asof("up", *where).exit_code == 1
        status = json.loads(asof("status", *where, "--json").output)[0]
        assert status["now"].startswith("2026-01-31T12:00")
        assert f"export AWS_ENDPOINT_URL=http://localhost:{port}" in asof("env", *where).output
        assert "2026-01-31T13:0" in asof("advance", "1h", *where).output
        sqs = boto3.client(
            "sqs", "eu-central-1", endpoint_url=f"http://localhost:{port}",
            aws_access_key_id="local", aws_secret_access_key="local",
        )  # fmt: skip
        sqs.create_queue(QueueName="q")
        pid = int(status["pid"])
        os.kill(pid, 0)
    finally:
        down = asof("down", *where)
    assert (down.exit_code, down.output) == (0, "ended\n")
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert asof("status", *where).exit_code == 1
    assert asof("down", *where).output == f"nothing runs on port {port}\n"


def test_a_taken_port_is_refused(port: int) -> None:
    """With what to do about it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        failed = asof("up", "--port", str(port))
    assert failed.exit_code == 1
    assert f"port {port} of 127.0.0.1 cannot be used" in failed.output


def test_a_state_folder_outlives_the_process(port: int, tmp_path: Path) -> None:
    """What was made goes on after ``down`` and ``up``; a state of another port is refused, and nothing is started."""
    where = ("--port", str(port))
    kept = ("--state-dir", str(tmp_path / "state"))
    place: Any = {
        "endpoint_url": f"http://localhost:{port}",
        "aws_access_key_id": "local",
        "aws_secret_access_key": "local",
    }
    assert asof("up", *where, *kept, "--now", "2026-01-31T12:00:00Z").exit_code == 0
    try:
        boto3.client("sqs", "eu-central-1", **place).create_queue(QueueName="q")
    finally:
        assert asof("down", *where).output == f"ended; its state is in {tmp_path / 'state' / 'cloud.state'}\n"
    refused = asof("up", "--port", "1", *kept)
    assert (refused.exit_code, f"addresses are on port {port}, not on 1" in refused.stderr) == (1, True), refused.stderr
    up = asof("up", *where, *kept)
    assert up.exit_code == 0, up.output
    try:
        assert "q" in boto3.client("sqs", "eu-central-1", **place).list_queues()["QueueUrls"][0]
        assert json.loads(asof("status", *where, "--json").output)[0]["now"].startswith("2026-01-31T12:")
        # Where it cannot be written any more, that is said.
        (tmp_path / "state").rename(tmp_path / "elsewhere")
    finally:
        lost = asof("down", *where)
    assert lost.exit_code == 1
    assert "its state was not kept" in lost.stderr


@contextmanager
def answering(port: int, status: int, body: bytes) -> Iterator[None]:
    """Something that answers every request with the same, or never where the status is 0."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            """Answer."""
            if not status:
                ended.wait()
                return
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (200, b"<html>", "is no local cloud"),
        (404, b"nothing here", "is no local cloud"),
        (200, b'{"version": "0.0.1", "pid": 1}', "a local cloud of asof 0.0.1 listens there"),
        (0, b"", "has not answered for"),
    ],
)
def test_a_stranger_on_the_port_is_told_apart(
    port: int, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, why: str
) -> None:
    """Nobody is told that nothing runs where something does, and nothing is started or ended there."""
    monkeypatch.setattr("asof.local.server.background._ANSWER_SECONDS", 0.2)
    where = ("--port", str(port))
    with answering(port, status, body):
        for command in ("status", "up", "down", "env"):
            result = asof(command, *where)
            assert (result.exit_code, why in result.stderr) == (1, True), result.stderr
    assert f"nothing listens on port {port}" in asof("status", *where).stderr
