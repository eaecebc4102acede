"""The newest row per entity among a run's rows, as text that the loader reads with the standard library."""

from __future__ import annotations

from sqlglot import exp

from asof.manifest import Entity, FeatureView
from asof.sql.expressions import column, descending, history_relation, named, number, over, parameter, to_ms
from asof.sql.source_rows import key_aliases
from asof.value_types import parse_type


def latest(view: FeatureView, entity: Entity) -> exp.Select:
    """One row per entity of the history's runs that begin with ``:run``, within ``:from_date .. :to_date``.

    It is the one of the greatest (event, created, values in declared order). Columns: ``k0, k1, ...`` keys as typed,
    ``e`` and ``c`` event and created ms, ``f0, f1, ...`` features as text that reads back as the same value (instants
    as milliseconds; arrays as arrays of such text); NULL stays NULL.
    """
    keys = [column(key.name) for key in entity.join_keys]
    newest_first = [
        *descending(column("event_timestamp"), "Timestamp"),
        *descending(column("created_timestamp"), "Timestamp"),
        *(term for each in view.features for term in descending(column(each.name), each.dtype)),
    ]
    ranked = exp.select(
        *(named(key, alias) for key, alias in zip(keys, key_aliases(entity), strict=True)),
        named(to_ms(column("event_timestamp")), "e"),
        named(to_ms(column("created_timestamp")), "c"),
        *(named(_text(column(each.name), each.dtype), f"f{i}") for i, each in enumerate(view.features)),
        named(over(exp.RowNumber(), keys, newest_first), "place"),
    )
    ranked = ranked.from_(history_relation(view)).where(
        exp.Between(this=column("event_date"), low=parameter("from_date"), high=parameter("to_date")),
        exp.StartsWith(this=column("run"), expression=parameter("run")),
    )
    plain = [*key_aliases(entity), "e", "c", *(f"f{i}" for i in range(len(view.features)))]
    query = exp.select(*(column(each) for each in plain)).from_(
        exp.Subquery(this=ranked, alias=exp.TableAlias(this=exp.to_identifier("ranked")))
    )
    return query.where(exp.EQ(this=column("place"), expression=number(1)))


def _text(value: exp.Expr, dtype: str) -> exp.Expr:
    value_type = parse_type(dtype)
    if value_type.kind in ("Array", "Embedding"):
        item = exp.column("item")
        # Trino writes seven digits of a float, which do not read back as the same one; of a double it writes all.
        body = _text(item, value_type.item) if value_type.item else _text(exp.cast(item, "double"), "Float64")
        return exp.Transform(this=value, expression=exp.Lambda(this=body, expressions=[exp.to_identifier("item")]))
    return exp.cast(to_ms(value) if dtype == "Timestamp" else value, "varchar")
