"""What a function finds when it runs: its unpacked zip, and beside it only the libraries that Lambda's runtime has."""

from __future__ import annotations

import importlib.util
import io
import zipfile
from pathlib import Path
from typing import Final

from asof.errors import LocalCloudError

_PROVIDED: Final = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six", "urllib3")
"""Lambda's Python runtime has these and no other packages."""

UNZIPPED_LIMIT: Final = 262_144_000
"""Bytes a function may have unpacked."""


def provided(folder: Path) -> Path:
    """A folder with links to the packages that Lambda provides, made when first asked for."""
    target = folder / "runtime"
    if not target.exists():
        target.mkdir(parents=True)
        for name in _PROVIDED:
            found = importlib.util.find_spec(name)
            if found is None or found.origin is None:
                raise LocalCloudError(f"the local cloud's functions need {name}, which is not installed")
            origin = Path(found.origin)
            source = origin.parent if origin.name == "__init__.py" else origin
            (target / source.name).symlink_to(source)
    return target


def unpacked(code: bytes, fingerprint: str, folder: Path) -> Path:
    """The folder with a function's files, unpacked when first asked for; raises LocalCloudError if they are too big."""
    target = folder / "code" / fingerprint
    if not target.exists():
        partly = target.with_suffix(".part")
        with zipfile.ZipFile(io.BytesIO(code)) as archive:
            size = sum(each.file_size for each in archive.infolist())
            if size > UNZIPPED_LIMIT:
                raise LocalCloudError(f"Unzipped size must be smaller than {UNZIPPED_LIMIT} bytes; it is {size}")
            archive.extractall(partly)
        partly.rename(target)
    return target
