"""What each kind of statement does. One function per kind; :func:`execute` chooses."""

from __future__ import annotations

from asof.local.athena import ddl, writes
from asof.local.athena.engine import Engine
from asof.local.athena.errors import not_supported
from asof.local.athena.model import Context, Outcome
from asof.local.athena.statements import (
    AlterDatabase,
    AlterPartitions,
    CreateTable,
    CreateTableAs,
    DropTable,
    Explain,
    InsertInto,
    RepairTable,
    Select,
    Show,
    Statement,
    Unload,
)


def execute(engine: Engine, statement: Statement, context: Context) -> Outcome:
    """Run a statement; raises QueryFailedError."""
    match statement:
        case Select(query):
            return engine.select(query, context.database, f"{context.results}{context.query_id}.csv", context.cutoff)
        case Unload() | CreateTableAs() | InsertInto():
            return writes.run(engine, statement, context)
        case Explain(query):
            lines = engine.explain(query, context.database).splitlines()
            return ddl.text_result(engine, context, ("UTILITY", "EXPLAIN"), [[line] for line in lines], ["Query Plan"])
        case Show():
            return ddl.show(engine, statement, context)
        case CreateTable() | DropTable() | AlterPartitions() | RepairTable() | AlterDatabase():
            return ddl.run(engine, statement, context)
    raise not_supported(f"run {type(statement).__name__}")
