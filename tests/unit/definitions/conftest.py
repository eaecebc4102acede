"""The SQL of views is another package's affair: compiling is tested with a stand-in for it."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from asof.manifest import BatchSource, Entity, FeatureView


def _render(view: FeatureView, entity: Entity, source: BatchSource) -> Mapping[str, str]:
    return {"compute": f"SELECT '{view.name}', '{entity.name}' FROM {source.name}"}


@pytest.fixture(autouse=True)
def rendered_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every view has one query, which names it."""
    monkeypatch.setattr("asof.sql.queries.render_queries", _render)
