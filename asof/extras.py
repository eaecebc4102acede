"""Optional packages: imported where they are needed, with an error that names the extra where they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from asof.errors import MissingExtraError


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """The module of that dotted name.

    Raises MissingExtraError, which names ``extra`` and what ``purpose`` needed it, where its package is not installed.
    An installed package that fails to import something else is that package's own ImportError, and stays one.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise
        raise MissingExtraError(package, extra, purpose) from error
