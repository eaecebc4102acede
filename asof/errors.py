"""Every error Asof raises, drawn as one tree.

AsofError
├── DefinitionError            the user's definitions are wrong (all problems at once)
├── RequestError               a call's arguments do not fit
│   ├── UnknownFeatureError    a feature, view or service that does not exist (with the nearest names)
│   ├── EntityRowsError        entity rows lack a column, collide, or hold values of the wrong type
│   ├── NaiveDatetimeError     an instant without a time zone given as an argument
│   └── RequestTooLargeError   more is asked for, or would be answered, than one call may hold
├── SourceError                a source cannot be reached or does not have the declared columns
├── QueryError                 an engine refused or failed a query
├── OnlineStoreError           the online store could not answer or accept a write
│   ├── DeadlineExceededError  no complete answer within the deadline
│   └── ItemTooLargeError      one entity's values do not fit an item
├── OnDemandError              an on-demand view's function failed, or returned something else than it declares
├── StaleFeaturesError         a view's data is older than its freshness and ``on_stale="fail"``
├── MaterializationError       a run could not go on
│   ├── LeaseHeldError         another run works on the view
│   ├── LeaseLostError         this run's lease expired and another took over
│   ├── RunFailedError         a state machine's execution ends, since what it ran has failed
│   └── CheckFailedError       the computed rows broke a check; nothing became visible
├── PublishedVersionError      a published version would change its meaning
├── RetiredVersionError        a retired version would come back into service
├── VersionInUseError          a version cannot be retired: it is still in service
├── ManifestError              a manifest cannot be read or is of another format
├── MissingExtraError          an optional dependency is not installed
└── LocalCloudError            the local cloud was asked for something it cannot do

A message says what is wrong, where, what was tried, and what to do. Facts are attributes, so that callers need not
parse text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


class AsofError(Exception):
    """Root of all errors raised on purpose by Asof."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong with the definitions: where it stands, what it is, and what to do about it."""

    file: str
    line: int
    what: str
    fix: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file else ""
        return f"{where}{self.what}" + (f" ({self.fix})" if self.fix else "")


class DefinitionError(AsofError):
    """The definitions cannot be used; ``problems`` lists everything found, in file and line order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        count = len(self.problems)
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"{count} problem{'s' if count != 1 else ''} in the definitions:\n{lines}")


class RequestError(AsofError):
    """A call's arguments do not fit; nothing was read or changed."""


class UnknownFeatureError(RequestError):
    """A reference names a feature, view or service that the manifest does not have."""

    def __init__(self, reference: str, known: Iterable[str] = (), what: str = "feature") -> None:
        # Imported here: only a failing request pays for difflib.
        import difflib

        names = list(known)
        self.reference = reference
        self.nearest: tuple[str, ...] = tuple(difflib.get_close_matches(reference, names, n=3, cutoff=0.5))
        hint = f"; the nearest names are {', '.join(self.nearest)}" if self.nearest else ""
        if not self.nearest and names:
            hint = f"; there are {', '.join(sorted(names)[:8])}{', ...' if len(names) > 8 else ''}"
        super().__init__(f"unknown {what} {reference!r}{hint}")


class EntityRowsError(RequestError):
    """Entity rows lack a column, would collide with a feature, or hold values of the wrong type."""


class NaiveDatetimeError(RequestError):
    """An instant was given without a time zone, so which instant it is cannot be known."""

    def __init__(self, argument: str, value: object) -> None:
        self.argument = argument
        self.value = value
        super().__init__(
            f"{argument}={value!r} has no time zone; give an aware datetime, "
            f"for example datetime(2026, 1, 31, 12, tzinfo=timezone.utc)"
        )


class RequestTooLargeError(RequestError):
    """More is asked for, or would be answered, than one call may hold; ask in parts."""


class SourceError(AsofError):
    """A source cannot be reached, or is not what its definition says."""


class QueryError(AsofError):
    """An engine refused or failed a query; carries what is needed to look it up."""

    def __init__(self, message: str, *, query_id: str | None = None, sql: str | None = None) -> None:
        self.query_id = query_id
        self.sql = sql
        super().__init__(message + (f" (query {query_id})" if query_id else ""))


class OnlineStoreError(AsofError):
    """The online store could not answer or accept a write."""


class DeadlineExceededError(OnlineStoreError):
    """No complete answer arrived within the deadline; nothing is guessed, nothing is reported as not found."""


class ItemTooLargeError(OnlineStoreError):
    """One entity's values of one view exceed what an item of the online store can hold."""


class OnDemandError(AsofError):
    """An on-demand view's function failed, or returned something else than the features it declares."""


class StaleFeaturesError(AsofError):
    """A view declared ``on_stale="fail"`` and its data is older than its freshness."""


class MaterializationError(AsofError):
    """A run could not go on; the message says at which stage, and a rerun is safe."""


class LeaseHeldError(MaterializationError):
    """Another run, ``owner``, holds the view's lease; nothing was done."""

    def __init__(self, message: str, *, owner: str = "") -> None:
        self.owner = owner
        super().__init__(message)


class LeaseLostError(MaterializationError):
    """This run's lease expired and another run took over; this run stopped without changing anything further."""


class RunFailedError(MaterializationError):
    """A state machine's execution ends here, since what it ran has failed; the message has the error and what to do."""


class CheckFailedError(MaterializationError):
    """The computed rows broke a check, so the interval stopped before anything became visible."""

    def __init__(self, message: str, *, failures: Sequence[str] = ()) -> None:
        self.failures = tuple(failures)
        super().__init__("\n".join([message, *(f"  {failure}" for failure in self.failures)]))


class PublishedVersionError(AsofError):
    """Published versions would change their meaning; nothing was published. ``references`` names them."""

    def __init__(self, references: Sequence[str]) -> None:
        self.references = tuple(references)
        super().__init__(
            f"the meaning of {', '.join(references)} has changed since it was published, and published versions are "
            f"immutable; nothing was published. Restore the definition, or give the change a new version"
        )


class RetiredVersionError(AsofError):
    """Retired versions would come back into service; nothing was published. ``references`` names them."""

    def __init__(self, references: Sequence[str]) -> None:
        self.references = tuple(references)
        super().__init__(
            f"{', '.join(references)} is retired, and a retired version never comes back into service; nothing was "
            f"published. Give the view a new version; the old one may stay only if it is deprecated and unread"
        )


class VersionInUseError(AsofError):
    """A version cannot be retired while it is in service; ``readers`` names who still reads it."""

    def __init__(self, reference: str, reason: str, readers: Sequence[str] = ()) -> None:
        self.reference = reference
        self.readers = tuple(readers)
        super().__init__(f"{reference} cannot be retired: {reason}; nothing was changed")


class ManifestError(AsofError):
    """A manifest cannot be read, or was written in a format this version does not know."""


class MissingExtraError(AsofError):
    """An optional dependency is missing; the message names the exact extra to install."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        self.package = package
        self.extra = extra
        super().__init__(f"{purpose} needs {package}, which is not installed; run: pip install 'asof[{extra}]'")


class LocalCloudError(AsofError):
    """The local cloud was asked for something it cannot do; it never invents success."""
