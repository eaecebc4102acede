"""Making boto3's sessions cheap: each reads megabytes of API descriptions, which are the same for all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from botocore.loaders import create_loader


@contextmanager
def one_loader() -> Iterator[None]:
    """While inside, all sessions share what was read once."""
    loader = create_loader()
    with patch("botocore.session.create_loader", lambda *_: loader):
        yield
