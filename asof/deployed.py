"""What a deployed function knows of itself: three environment variables, and the manifest that lies beside its code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from asof.errors import ManifestError
from asof.manifest import Manifest
from asof.names import Environment

VARIABLES = ("ASOF_ENV", "ASOF_ACCOUNT", "ASOF_REGION")
"""All a function is told; every name follows from these."""


def bundled_environment(variables: Mapping[str, str]) -> Environment:
    """The environment a function belongs to; raises ManifestError where it is not told."""
    missing = [name for name in VARIABLES if not variables.get(name)]
    if missing:
        raise ManifestError(f"{', '.join(missing)} is not set; functions are deployed with it, see infra/")
    name, account, region = (variables[name] for name in VARIABLES)
    return Environment(name, account, region)


def bundled_manifest(folder: Path) -> Manifest:
    """The manifest the function's stack was made from; raises ManifestError where it is missing."""
    try:
        text = (folder / "manifest.json").read_text(encoding="utf-8")
    except OSError as error:
        raise ManifestError(f"{folder}/manifest.json cannot be read: {error}; deploy the function again") from error
    return Manifest.from_json(text)
