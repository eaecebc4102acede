"""Physical names: one deterministic name per thing, derived from the environment and the view.

Names are deterministic so that a function needs no list of resources in its 4 KB of environment (docs/decisions).
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from asof.errors import RequestError

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What an entity, source, view, feature or service may be called: Glue's and Athena's common ground."""

RESERVED_COLUMNS: Final = frozenset(
    {"event_timestamp", "created_timestamp", "available_timestamp", "event_date", "run"}
)
"""Columns every history table has beside keys and features."""

_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]{0,15}")
_SCHEDULE_NAME: Final = 64


@dataclass(frozen=True, slots=True)
class Environment:
    """One deployed (or local) store: where everything of it is. All names follow from name, account and region."""

    name: str
    account: str
    region: str

    def __post_init__(self) -> None:
        if not _ENVIRONMENT.fullmatch(self.name):
            raise RequestError(
                f"environment {self.name!r} is not a usable name: lower-case letters, digits and '-', "
                f"beginning with a letter, at most 16 characters"
            )

    @property
    def database(self) -> str:
        """Glue database of the history tables."""
        return f"asof_{self.name.replace('-', '_')}"

    @property
    def workgroup(self) -> str:
        """Athena workgroup every query of the store runs in."""
        return f"asof-{self.name}"

    @property
    def offline_bucket(self) -> str:
        """Bucket of the history, temporary tables and exports."""
        return f"asof-{self.name}-offline-{self.account}-{self.region}"

    @property
    def registry_bucket(self) -> str:
        """Bucket of the published manifests."""
        return f"asof-{self.name}-registry-{self.account}-{self.region}"

    @property
    def results_bucket(self) -> str:
        """Bucket of Athena's own query results."""
        return f"asof-{self.name}-results-{self.account}-{self.region}"

    @property
    def online_table(self) -> str:
        """DynamoDB table of the online store."""
        return f"asof-{self.name}-online"

    @property
    def control_table(self) -> str:
        """DynamoDB table of leases, ledger, watermarks and dataset records."""
        return f"asof-{self.name}-control"

    def named(self, part: str) -> str:
        """``asof-<env>-<part>``: how a function, state machine, queue, topic, API or alarm is called."""
        return f"asof-{self.name}-{part}"

    def schedule(self, view: str, version: int) -> str:
        """The schedule of a view version's runs; EventBridge Scheduler takes 64 characters."""
        name = self.named(f"{view}-v{version}")
        if len(name) <= _SCHEDULE_NAME:
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        return f"{name[: _SCHEDULE_NAME - 9]}-{digest}"


MANIFEST_KEY: Final = "manifest/current.json"
"""Object of the registry bucket that holds the manifest in force."""


def view_reference(view: str, version: int) -> str:
    """``view@v2``, as references, sort keys and messages spell it."""
    return f"{view}@v{version}"


def history_table(view: str, version: int) -> str:
    """Glue table of a view version's history: ``view_v2``."""
    return f"{view}_v{version}"


def staging_table(view: str, version: int) -> str:
    """Glue table over the attempts of a view version that are not committed yet: ``view_v2__staging``.

    Same columns and partition keys as the history table. An attempt's partitions are registered here first, so that
    its rows can be checked by SQL before anybody sees them.
    """
    return f"{view}_v{version}__staging"


def source_table(source: str) -> str:
    """Glue table Asof registers over a source given as an S3 prefix."""
    return f"src_{source}"


def attempt_prefix(view: str, version: int, attempt: str) -> str:
    """Key prefix, ending in ``/``, that one attempt's Parquet is written to."""
    return f"history/{history_table(view, version)}/run={attempt}/"


def scratch_prefix(purpose: str, token: str) -> str:
    """Key prefix, ending in ``/``, of data that a lifecycle rule expires: temporary tables and loads."""
    return f"scratch/{purpose}/{token}/"


def quarantine_prefix(view: str, version: int, attempt: str) -> str:
    """Key prefix, ending in ``/``, of rows with a null key that an attempt set aside."""
    return f"quarantine/{history_table(view, version)}/run={attempt}/"
