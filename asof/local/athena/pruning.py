"""Which partitions a reference of a table can need: those its WHERE does not exclude by partition columns alone."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
from sqlglot import exp

from asof.local.athena.catalog import Partition, Table
from asof.local.athena.rewrite import to_duckdb
from asof.local.athena.types import duckdb_type, quoted, text_literal

HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"


def prune(
    cursor: duckdb.DuckDBPyConnection, table: Table, partitions: Sequence[Partition], reference: exp.Table
) -> list[Partition]:
    """The partitions that can hold rows the statement looks at. Never drops one that it needs."""
    conditions = _conditions(table, reference)
    if not conditions or not partitions:
        return list(partitions)
    rows = ", ".join(
        f"({position}, {', '.join('NULL' if value == HIVE_NULL else text_literal(value) for value in each.values)})"
        for position, each in enumerate(partitions)
    )
    casts = ", ".join(
        f"CAST({quoted(key.name)} AS {duckdb_type(key.type)}) AS {quoted(key.name)}" for key in table.partition_keys
    )
    names = ", ".join(quoted(key.name) for key in table.partition_keys)
    tests = " AND ".join(f"({to_duckdb(each).sql('duckdb', identify=True)})" for each in conditions)
    sql = (
        f"SELECT _position FROM (SELECT _position, {casts} FROM (VALUES {rows}) AS v(_position, {names})) AS p "  # noqa: S608 # generated
        f"WHERE {tests} ORDER BY _position"
    )
    try:
        kept = cursor.execute(sql).fetchall()
    except duckdb.Error:
        # A condition that cannot be judged for a partition alone excludes nothing; the statement itself will say why.
        return list(partitions)
    return [partitions[position] for (position,) in kept]


def _conditions(table: Table, reference: exp.Table) -> list[exp.Expr]:
    """The conjuncts of the enclosing WHERE that speak of this reference's partition columns and nothing else."""
    select = reference.find_ancestor(exp.Select)
    where = select.args.get("where") if select is not None else None
    if select is None or where is None or not table.partition_keys:
        return []
    joins = select.args.get("joins") or []
    # Beside an outer join a condition in WHERE may be about the rows the join made up.
    if any(join.side or join.method for join in joins):
        return []
    alone = not joins
    keys = {key.name for key in table.partition_keys}
    names = {reference.alias_or_name.lower()}
    found = []
    for conjunct in where.this.flatten() if isinstance(where.this, exp.And) else [where.this]:
        columns = list(conjunct.find_all(exp.Column))
        if not columns or conjunct.find(exp.Subquery, exp.Select, exp.Window):
            continue
        if all(
            column.name.lower() in keys and (column.table.lower() in names if column.table else alone)
            for column in columns
        ):
            bare = conjunct.copy()
            for column in bare.find_all(exp.Column):
                column.set("table", None)
                column.set("db", None)
            found.append(bare)
    return found
