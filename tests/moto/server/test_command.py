"""``asof local``: started in the background, asked, moved in time and ended, by nothing but its port."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

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


def test_keeping_state_is_refused_by_name() -> None:
    """The local cloud does not pretend to keep anything."""
    refused = asof("up", "--state-dir", "somewhere")
    assert refused.exit_code == 2
    assert "keeps its state in memory" in refused.output
