"""Rules about names across definitions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from asof.definitions.arguments import Published
from asof.definitions.collection import Definitions
from asof.definitions.source import BatchSource
from asof.errors import Problem
from asof.names import history_table, source_table, staging_table


def unique_names(definitions: Definitions) -> Iterator[Problem]:
    """Two definitions of one name, kind and version say the same."""
    first: dict[tuple[str, str, int], Published] = {}
    for each in definitions.all():
        if not each.complete:
            continue
        version: int = getattr(each, "version", 1)
        other = first.setdefault((type(each).__name__, each.name, version), each)
        if other != each:
            where = f"{other.origin.file}:{other.origin.line}"
            label = f"{each.name}@v{version}" if hasattr(each, "version") else each.name
            yield each.problem(
                f"{type(each).__name__} {label!r} is already defined at {where}, with another content",
                "rename one of them" + (", or give it a new version" if hasattr(each, "version") else ""),
            )


def unique_view_names(definitions: Definitions) -> Iterator[Problem]:
    """A feature view and an on-demand feature view do not share a name: references could mean either."""
    taken = {view.name: view for view in definitions.feature_views}
    for view in definitions.on_demand_feature_views:
        if (other := taken.get(view.name)) is not None:
            where = f"{other.origin.file}:{other.origin.line}"
            yield view.problem(f"a feature view at {where} is also called {view.name!r}", "rename one of them")


def consistent_keys(definitions: Definitions) -> Iterator[Problem]:
    """A join key has one type wherever it is used: it is one column of the data frame that is enriched."""
    first: dict[str, tuple[str, str]] = {}
    for entity in definitions.entities:
        if not entity.complete:
            continue
        for key, value_type in entity.join_keys.items():
            other, kind = first.setdefault(key, (entity.name, str(value_type)))
            if kind != str(value_type):
                yield entity.problem(
                    f"join key {key!r} is {value_type} in entity {entity.name!r} but {kind} in entity {other!r}",
                    "give both the same type, or one another name",
                )


def distinct_tables(definitions: Definitions) -> Iterator[Problem]:
    """No two definitions need the same table."""
    owners: dict[str, dict[tuple[str, str], Published]] = defaultdict(dict)
    for view in definitions.feature_views:
        if view.complete:
            for table in (history_table(view.name, view.version), staging_table(view.name, view.version)):
                owners[table]["view", view.reference] = view
    for source in definitions.sources:
        if _is_registered(source):
            owners[source_table(source.name)]["source", source.name] = source
    for table, users in owners.items():
        if len(users) > 1:
            *_, last = users.values()
            whose = " and ".join(f"{kind} {name!r}" for kind, name in users)
            yield last.problem(f"{whose} would both have the table {table!r}", "rename one of them")


def distinct_full_names(definitions: Definitions) -> Iterator[Problem]:
    """``view__feature`` names one feature."""
    owners: dict[str, tuple[str, str]] = {}
    for view in definitions.views():
        if not view.complete:
            continue
        for feature in view.feature_names():
            full = f"{view.name}__{feature}"
            other = owners.setdefault(full, (view.name, feature))
            if other != (view.name, feature):
                yield view.problem(
                    f"{view.name}:{feature} and {':'.join(other)} both have the full name {full!r}",
                    "rename one of them without '__'",
                )


def _is_registered(source: BatchSource) -> bool:
    return source.complete and source.path is not None
