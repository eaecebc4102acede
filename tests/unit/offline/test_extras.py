"""Optional packages: found, missing by their extra's name, broken as they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from asof.errors import MissingExtraError
from asof.extras import require


def test_an_installed_module_is_given() -> None:
    assert require("json.decoder", "offline", "a test").__name__ == "json.decoder"


def test_a_missing_package_names_the_extra_and_the_purpose() -> None:
    with pytest.raises(MissingExtraError, match=r"a test needs no_such_package.*pip install 'asof\[offline\]'"):
        require("no_such_package.part", "offline", "a test")


def test_a_package_that_is_broken_inside_is_not_called_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_package.py").write_text("import another_missing_package\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ModuleNotFoundError, match="another_missing_package"):
        require("broken_package", "offline", "a test")
