"""Rules that look at several definitions together: one rule per function, each yielding all the problems it finds.

A rule judges only what is complete; what is not has been reported where it was constructed.
"""

from __future__ import annotations

from asof.definitions.collection import Definitions
from asof.definitions.rules import columns, features, names, references, sources, sql
from asof.errors import Problem

RULES = (
    names.unique_names,
    names.unique_view_names,
    names.consistent_keys,
    names.distinct_tables,
    names.distinct_full_names,
    sources.column_names,
    sources.role_types,
    columns.key_columns,
    columns.aggregated_columns,
    columns.passed_columns,
    features.feature_names,
    features.default_names,
    features.default_values,
    features.reachable_freshness,
    sql.filters,
    sql.selects,
    references.service_features,
    references.on_demand_inputs,
    references.request_types,
)
"""Every rule; none depends on another's outcome."""


def check(definitions: Definitions) -> list[Problem]:
    """All problems that the rules find."""
    return [problem for rule in RULES for problem in rule(definitions)]
