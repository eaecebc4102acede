"""The manifest: what the definitions compile to, and the only thing everything after ``compile`` reads.

Canonical JSON (sorted keys, no white space variance), a format version, and per view a *data* fingerprint (meaning)
apart from a *metadata* fingerprint (words). Standard library only, so a Lambda can read it without a SQL library.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from asof.errors import ManifestError, UnknownFeatureError
from asof.names import view_reference

FORMAT: Final = 1

Json = Any
"""A default value as JSON spells it: timestamps and dates as ISO text, non-finite floats as text."""

AGGREGATION_FUNCTIONS: Final = (
    "count",
    "sum",
    "min",
    "max",
    "mean",
    "stddev",
    "last",
    "first",
    "count_distinct",
)


@dataclass(frozen=True, slots=True)
class Column:
    """A typed column. ``dtype`` is a value type's text (``asof.value_types``)."""

    name: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Entity:
    """What features describe: one or more typed keys, in declared order."""

    name: str
    join_keys: tuple[Column, ...]
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchSource:
    """Rows of raw data with an event time: a Glue table (``table`` = ``database.table``) or Parquet under ``path``."""

    name: str
    table: str | None
    path: str | None
    timestamp_field: str
    created_timestamp_column: str | None
    date_partition_column: str | None
    lateness_ms: int
    columns: tuple[Column, ...]
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a view. ``default`` (JSON; None for null) is its value where there is no row."""

    name: str
    dtype: str
    default: Json = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Aggregation:
    """How one feature of an aggregation view is computed: ``function`` over ``column`` in ``(t - window_ms, t]``.

    ``column`` is None only for ``count``, which then counts rows.
    """

    feature: str
    function: str
    column: str | None
    window_ms: int


@dataclass(frozen=True, slots=True)
class FeatureView:
    """One published version of a view, whole.

    ``kind`` says how rows come about: ``aggregation`` (windows ending at grid times), ``sql`` (the user's SELECT over
    the source) or ``passthrough`` (the source's own columns). ``queries`` holds the Athena SQL of each question a run
    asks, with ``:name`` parameters (``asof.sql.binding``).
    """

    name: str
    version: int
    entity: str
    source: str
    kind: Literal["aggregation", "sql", "passthrough"]
    features: tuple[Feature, ...]
    aggregations: tuple[Aggregation, ...] = ()
    sql: str | None = None
    where: str | None = None
    step_ms: int = 86_400_000
    offset_ms: int = 0
    ttl_ms: int | None = None
    publish_delay_ms: int = 0
    freshness_ms: int | None = None
    on_stale: Literal["serve", "default", "fail"] = "serve"
    online: bool = True
    deprecated: bool = False
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    queries: Mapping[str, str] = field(default_factory=dict)
    data_fingerprint: str = ""
    metadata_fingerprint: str = ""

    @property
    def reference(self) -> str:
        """``view@v2``."""
        return view_reference(self.name, self.version)

    @property
    def expires_ms(self) -> int | None:
        """The ttl that is in force: None both for no ttl and for ``ttl=0``, which mean "never expires"."""
        return self.ttl_ms or None

    def feature(self, name: str) -> Feature:
        """The feature of that name; raises UnknownFeatureError with the nearest names."""
        for candidate in self.features:
            if candidate.name == name:
                return candidate
        raise UnknownFeatureError(f"{self.name}:{name}", [f"{self.name}:{each.name}" for each in self.features])


@dataclass(frozen=True, slots=True)
class OnDemandInput:
    """An input of an on-demand view: a request field (``view`` is None) or another view's feature, under ``name``."""

    name: str
    dtype: str
    view: str | None = None
    version: int | None = None
    feature: str | None = None


@dataclass(frozen=True, slots=True)
class OnDemandFeatureView:
    """Features a pure Python function computes from request data and other features, alike in training and serving.

    ``code`` is the function's source text; ``function`` its name. It maps a dict of inputs to a dict of features.
    """

    name: str
    version: int
    inputs: tuple[OnDemandInput, ...]
    features: tuple[Feature, ...]
    function: str
    code: str
    deprecated: bool = False
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    data_fingerprint: str = ""
    metadata_fingerprint: str = ""

    @property
    def reference(self) -> str:
        """``view@v2``."""
        return view_reference(self.name, self.version)


@dataclass(frozen=True, slots=True)
class FeatureReference:
    """A feature, pinned to a view's version."""

    view: str
    version: int
    feature: str

    def __str__(self) -> str:
        return f"{view_reference(self.view, self.version)}:{self.feature}"


@dataclass(frozen=True, slots=True)
class FeatureService:
    """A named, versioned list of pinned features: what one model reads."""

    name: str
    version: int
    features: tuple[FeatureReference, ...]
    description: str = ""
    owner: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    data_fingerprint: str = ""
    metadata_fingerprint: str = ""


AnyView = FeatureView | OnDemandFeatureView


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything the definitions say, resolved. Tuples are sorted by name, then version."""

    entities: tuple[Entity, ...] = ()
    sources: tuple[BatchSource, ...] = ()
    feature_views: tuple[FeatureView, ...] = ()
    on_demand_feature_views: tuple[OnDemandFeatureView, ...] = ()
    feature_services: tuple[FeatureService, ...] = ()
    format: int = FORMAT

    def entity(self, name: str) -> Entity:
        """The entity of that name; raises UnknownFeatureError."""
        for each in self.entities:
            if each.name == name:
                return each
        raise UnknownFeatureError(name, [each.name for each in self.entities], "entity")

    def source(self, name: str) -> BatchSource:
        """The source of that name; raises UnknownFeatureError."""
        for each in self.sources:
            if each.name == name:
                return each
        raise UnknownFeatureError(name, [each.name for each in self.sources], "source")

    def views(self) -> Iterator[AnyView]:
        """All feature views, then all on-demand feature views."""
        yield from self.feature_views
        yield from self.on_demand_feature_views

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, two-space indent, a final newline; equal manifests give equal bytes."""
        return (
            json.dumps(dataclasses.asdict(self), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        )

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """The manifest a text holds; raises ManifestError where it is not one this version can read."""
        try:
            data = json.loads(text)
        except ValueError as error:
            raise ManifestError(f"the manifest is not JSON: {error}") from error
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            found = data.get("format") if isinstance(data, dict) else type(data).__name__
            raise ManifestError(f"the manifest has format {found!r}; this version of asof reads format {FORMAT}")
        manifest = _build(cls, data, "manifest")
        if not isinstance(manifest, cls):  # _build is generic; this tells the type checker and costs nothing
            raise ManifestError("the manifest holds something else")
        return manifest


def fingerprint(value: Any) -> str:
    """SHA-256, in hex, of a JSON-like value's canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _build(kind: Any, data: Any, where: str) -> Any:
    """A dataclass, tuple or plain value of type ``kind`` from decoded JSON; ``where`` names the place in errors."""
    if dataclasses.is_dataclass(kind):
        if not isinstance(data, dict):
            raise ManifestError(f"{where} should be an object, not {type(data).__name__}")
        hints = typing.get_type_hints(kind)
        unknown = set(data) - set(hints)
        if unknown:
            raise ManifestError(f"{where} has unknown parts {sorted(unknown)}")
        try:
            parts = {name: _build(hints[name], value, f"{where}.{name}") for name, value in data.items()}
            return kind(**parts)  # type: ignore[operator]  # is_dataclass also admits instances; hints never hold one
        except TypeError as error:
            raise ManifestError(f"{where} is incomplete: {error}") from error
    if typing.get_origin(kind) is tuple:
        if not isinstance(data, list):
            raise ManifestError(f"{where} should be a list, not {type(data).__name__}")
        return tuple(_build(typing.get_args(kind)[0], each, f"{where}[{i}]") for i, each in enumerate(data))
    if isinstance(kind, types.UnionType) and data is not None:
        kind = next(each for each in typing.get_args(kind) if each is not types.NoneType)
    if kind in (str, int, bool) and type(data) is not kind:
        raise ManifestError(f"{where} should be of type {kind.__name__}, not {type(data).__name__}")
    return data
