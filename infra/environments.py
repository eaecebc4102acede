"""The environments there are: one frozen record each. What is not here is the same everywhere."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from asof.errors import RequestError

TIB: Final = 1 << 40


@dataclass(frozen=True, slots=True)
class Deployment:
    """How one environment is deployed.

    ``account`` and ``region`` None: those of the credentials at hand, or, without any, whichever the templates are
    deployed to. ``protected`` is the first of two keys: of a protected environment nothing stateful can be deleted. The
    second is ``-c destroy=<name>`` on the command line. ``source_locations`` are the ``s3://bucket/prefix`` of sources
    given as tables, which runs must be allowed to read. ``scan_limit_bytes`` stops a single query; ``notify`` is an
    e-mail address for alarms.
    """

    name: str
    protected: bool
    account: str | None = None
    region: str | None = None
    source_locations: tuple[str, ...] = ()
    scan_limit_bytes: int = TIB
    requests_per_second: int = 500
    burst: int = 1_000
    slow_answer_ms: int = 250
    log_days: int = 30
    notify: str | None = None
    removable: bool = False


ENVIRONMENTS: Final = (
    Deployment("dev", protected=False, log_days=7),
    Deployment("staging", protected=False),
    Deployment("prod", protected=True, log_days=90),
)


def find_deployment(name: str, variables: Mapping[str, str], destroy: str | None = None) -> Deployment:
    """The environment of that name, its gaps filled from CDK's own variables where those are set.

    ``removable`` is true where both keys are turned. Raises RequestError for an unknown name or a wrong key.
    """
    found = {each.name: each for each in ENVIRONMENTS}.get(name)
    if found is None:
        known = ", ".join(each.name for each in ENVIRONMENTS)
        raise RequestError(f"there is no environment {name!r}; infra/environments.py has {known}")
    if destroy is not None and (destroy != name or found.protected):
        why = "is protected" if found.protected else f"is not {destroy!r}"
        raise RequestError(f"-c destroy={destroy}: environment {name!r} {why}; nothing may be deleted")
    return dataclasses.replace(
        found,
        account=found.account or variables.get("CDK_DEFAULT_ACCOUNT"),
        region=found.region or variables.get("CDK_DEFAULT_REGION"),
        removable=destroy == name,
    )
