"""A cold start of the online function: from a fresh interpreter to the first answer, against boto3's own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.bundling import stage, without_queries
from tests.support.online import MANIFEST, TABLE

ROUNDS = 7

ONLINE = """
import time
begun = time.perf_counter()
import sys
sys.path.insert(0, {folder!r})
import handler
answer = handler.handle({event!r}, None)
print((time.perf_counter() - begun) * 1000)
if answer["statusCode"] != 200:
    raise SystemExit(answer)
"""
BOTO3 = """
import time
begun = time.perf_counter()
import boto3
client = boto3.client("dynamodb")
client.batch_get_item(RequestItems={{{table!r}: {{"Keys": [{{"pk": {{"S": "a"}}, "sk": {{"S": "b"}}}}]}}}})
print((time.perf_counter() - begun) * 1000)
"""
EVENT = {
    "rawPath": "/get-online-features",
    "requestContext": {"http": {"method": "POST"}},
    "body": json.dumps({"features": ["weather:wind"], "entities": {"origin": ["JFK"]}}),
}


class Empty(BaseHTTPRequestHandler):
    """A DynamoDB without items."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Any call."""
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"Responses": {TABLE: []}, "UnprocessedKeys": {}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def endpoint() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def milliseconds(program: str, variables: dict[str, str]) -> float:
    """What a program in a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", program], env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


def test_the_first_answer_takes_at_most_half_of_boto3_s(endpoint: str, tmp_path: Path) -> None:
    """Both against the same store, in turns, so that a busy machine is busy for both."""
    stage("online", tmp_path, without_queries(MANIFEST).to_json())
    variables = {
        **os.environ,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "ASOF_ENV": "test",
        "ASOF_ACCOUNT": "123456789012",
        "ASOF_REGION": "eu-central-1",
        "LAMBDA_TASK_ROOT": str(tmp_path),
    }
    programs = ONLINE.format(folder=str(tmp_path), event=EVENT), BOTO3.format(table=TABLE)
    rounds = [[milliseconds(program, variables) for program in programs] for _ in range(ROUNDS)]
    online, boto3 = (statistics.median(times) for times in zip(*rounds, strict=True))
    assert online <= boto3 / 2, f"{online:.0f} ms against {boto3:.0f} ms"
