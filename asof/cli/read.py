"""Commands that read features: training sets and lookups."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from asof.cli.clock import clock_in_force
from asof.cli.output import Instant, env_option, json_option, show
from asof.clock import duration_text, iso
from asof.errors import RequestError
from asof.extras import require
from asof.store import FeatureStore

_FEATURES = click.option(
    "--features",
    "-f",
    multiple=True,
    required=True,
    help="view:feature, view@v2:feature, or one feature service; may be repeated.",
)
_FULL_NAMES = click.option("--full-feature-names", is_flag=True, help="Name columns view__feature.")


def _features(features: tuple[str, ...]) -> str | list[str]:
    """One name without a colon is a feature service."""
    return features[0] if len(features) == 1 and ":" not in features[0] else list(features)


@click.command("get-historical-features")
@click.argument("entity_rows")
@_FEATURES
@click.option("--output", "-o", required=True, help="Parquet or CSV file to write, or an s3:// prefix.")
@click.option(
    "--as-of",
    type=click.Choice(["served", "event"]),
    default="served",
    show_default=True,
    help="Use what serving could have known, or everything up to the event time (Feast's rule).",
)
@click.option("--known-as-of", type=Instant(), default=None, help="Pretend that rows created later do not exist.")
@click.option(
    "--engine",
    type=click.Choice(["athena", "duckdb"]),
    default="athena",
    show_default=True,
    help="Join in AWS, or on this machine over the same Parquet.",
)
@_FULL_NAMES
@env_option
def get_historical_features_command(
    *,
    entity_rows: str,
    features: tuple[str, ...],
    output: str,
    as_of: Any,
    known_as_of: datetime | None,
    engine: Any,
    full_feature_names: bool,
    environment: str,
) -> None:
    """Build a training set: ENTITY_ROWS (Parquet or CSV file, s3:// prefix, or SELECT) with point-in-time features.

    \b
    Example:
      asof get-historical-features labels.parquet -f departure_delay -o training.parquet --env dev
    """
    with FeatureStore.from_environment(environment, clock=clock_in_force()) as store:
        job = store.get_historical_features(
            _entity_rows(entity_rows),
            _features(features),
            as_of=as_of,
            known_as_of=known_as_of,
            full_feature_names=full_feature_names,
            engine=engine,
        )
        if output.startswith("s3://"):
            job.to_s3(output)
            click.echo(f"{output}: written, {job.scanned_bytes or 0:,} bytes scanned")
            return
        frame = job.to_pandas()
        if output.endswith(".csv"):
            frame.to_csv(output, index=False)
        else:
            frame.to_parquet(output, index=False)
        click.echo(
            f"{output}: {len(frame):,} rows, {len(frame.columns)} columns, {job.scanned_bytes or 0:,} bytes scanned"
        )


def _entity_rows(text: str) -> Any:
    """A file as a frame; an s3:// prefix and SQL as they are."""
    if text.startswith("s3://") or text.lstrip().lower().startswith(("select", "with")):
        return text
    path = Path(text)
    if not path.exists():
        raise RequestError(f"{text!r} is neither a file, nor an s3:// prefix, nor a SELECT")
    pandas = require("pandas", "offline", "reading entity rows from a file")
    if path.suffix == ".csv":
        return pandas.read_csv(path, parse_dates=["event_timestamp"])
    return pandas.read_parquet(path)


@click.command("get-online-features")
@_FEATURES
@click.option(
    "--entity", "-e", "entities", multiple=True, required=True, help='One entity as JSON: \'{"origin": "JFK"}\'.'
)
@_FULL_NAMES
@env_option
@json_option
def get_online_features_command(
    features: tuple[str, ...], entities: tuple[str, ...], full_feature_names: bool, environment: str, as_json: bool
) -> None:
    """Look features of entities up, as a model would be served them now: value, status, event time and age.

    \b
    Example:
      asof get-online-features -f airport_departures:count_1h -e '{"origin": "JFK"}' --env dev
    """
    rows = [_entity(text) for text in entities]
    with FeatureStore.from_environment(environment, clock=clock_in_force()) as store:
        response = store.get_online_features(_features(features), rows, full_feature_names=full_feature_names)
    if as_json:
        click.echo(json.dumps(response.to_dict(include_event_timestamps=True), indent=2, default=str))
        return
    show(_cells(response, rows), as_json=False)


def _entity(text: str) -> dict[str, Any]:
    try:
        entity = json.loads(text)
    except ValueError as error:
        raise RequestError(f"--entity {text!r} is not JSON: {error}") from error
    if not isinstance(entity, dict):
        raise RequestError(f'--entity {text!r} should be a JSON object of keys, such as {{"origin": "JFK"}}')
    return entity


def _cells(response: Any, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """One table row per entity and feature: features of one model have little else in common."""
    return [
        {
            "entity": json.dumps(entity),
            "feature": name,
            "value": value,
            "status": status,
            "event time": iso(event_ms) if event_ms is not None else None,
            "age": duration_text(age_ms // 1000 * 1000) if age_ms is not None else None,
        }
        for entity, values, statuses, events, ages in zip(
            rows, response.values, response.statuses, response.event_timestamps, response.ages, strict=True
        )
        for name, value, status, event_ms, age_ms in zip(response.names, values, statuses, events, ages, strict=True)
    ]
