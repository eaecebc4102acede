"""The same over TLS, with a certificate made for the test: trusted if it is named, refused if not."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from asof.online.faults import is_retryable
from asof.online.signed import Credentials, SignedDynamoDB

ITEMS = [{"pk": {"S": "a"}, "w": {"N": str(i)}} for i in range(5_000)]


class Large(BaseHTTPRequestHandler):
    """An answer of many TLS records."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Any call."""
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps({"Items": ITEMS}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing."""


def certificate(folder: Path) -> Path:
    """A file with a key and a certificate for the loopback that it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, plain)
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def trusted(tmp_path: Path) -> Path:
    return certificate(tmp_path)


@pytest.fixture
def endpoint(trusted: Path) -> Iterator[str]:
    """A server with that certificate."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(trusted)
    with HTTPServer(("127.0.0.1", 0), Large) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_large_answer_comes_whole_over_a_kept_connection(endpoint: str, trusted: Path) -> None:
    keys = Credentials("a", "b")
    with closing(SignedDynamoDB("eu-central-1", keys, endpoint=endpoint, timeout_s=10, trusted=str(trusted))) as client:
        for _ in range(2):
            assert client.query(TableName="t")["Items"] == ITEMS


def test_a_server_that_nobody_vouches_for_is_told_nothing(endpoint: str) -> None:
    """The handshake fails before the request is sent; botocore too would try again until its time is up."""
    with (
        closing(SignedDynamoDB("eu-central-1", Credentials("a", "b"), endpoint=endpoint, timeout_s=10)) as client,
        pytest.raises(ssl.SSLCertVerificationError) as caught,
    ):
        client.query(TableName="t")
    assert is_retryable(caught.value)
