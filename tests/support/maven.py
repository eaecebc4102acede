"""Artefacts of Maven Central, downloaded once into the git-ignored ``.cache/maven``, checked against a pinned SHA-1."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import urllib.request
import zipfile
from pathlib import Path
from urllib.error import URLError

CENTRAL = "https://repo1.maven.org/maven2"
"""Where artefacts come from; ``ASOF_MAVEN_CENTRAL`` names a mirror instead."""

CACHE = Path(__file__).parents[2] / ".cache" / "maven"

_CHUNK = 1 << 20
_SILENCE_S = 60


class ArtifactError(Exception):
    """An artefact could not be had, or is not the one that was pinned."""


def artifact(group: str, name: str, version: str, extension: str, sha1: str) -> Path:
    """The file of an artefact, from the cache or from Maven Central.

    Several processes may ask at once: a file appears whole and checked, or not at all. Raises ArtifactError.
    """
    file_name = f"{name}-{version}.{extension}"
    cached = CACHE / group / name / version / file_name
    if cached.exists():
        return cached
    address = f"{os.environ.get('ASOF_MAVEN_CENTRAL', CENTRAL)}/{group.replace('.', '/')}/{name}/{version}/{file_name}"
    cached.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkstemp(prefix=f".{file_name}.", dir=cached.parent)[1])
    try:
        found = _download(address, part)
        if found != sha1:
            raise ArtifactError(f"{address} has the SHA-1 {found}; pinned is {sha1}. It was not kept.")
        part.rename(cached)
    finally:
        part.unlink(missing_ok=True)
    return cached


def _download(address: str, file: Path) -> str:
    digest = hashlib.sha1(usedforsecurity=False)  # what Maven Central publishes beside every artefact
    try:
        with urllib.request.urlopen(address, timeout=_SILENCE_S) as answer, file.open("wb") as out:
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                out.write(chunk)
    except URLError as error:
        raise ArtifactError(
            f"{address} could not be downloaded ({error.reason}); with a mirror, set ASOF_MAVEN_CENTRAL to it, "
            f"or put the file at {CACHE}/<group>/<name>/<version>/"
        ) from error
    return digest.hexdigest()


def unpacked(archive: Path, folder: Path) -> Path:
    """The folder with the content of a ``tar.gz`` or ``zip``, made once; it appears whole or not at all."""
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as content:  # shutil's would leave out every file with ".." in its name
                content.extractall(part)
        else:
            shutil.unpack_archive(archive, part, filter="data")
        try:
            part.rename(folder)
        except OSError:  # another process was faster
            shutil.rmtree(part)
    return folder
