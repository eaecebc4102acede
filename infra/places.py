"""The ARNs of an environment's resources, from their deterministic names. Tokens stand for what synth does not know."""

from __future__ import annotations

from dataclasses import dataclass

from asof.manifest import BatchSource, Manifest
from asof.names import Environment, source_table


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything of an environment is. ``source_locations`` as in ``infra.environments.Deployment``."""

    environment: Environment
    partition: str
    manifest: Manifest
    source_locations: tuple[str, ...] = ()

    def arn(self, service: str, resource: str) -> str:
        """``arn:<partition>:<service>:<region>:<account>:<resource>``."""
        return f"arn:{self.partition}:{service}:{self.environment.region}:{self.environment.account}:{resource}"

    def bucket(self, name: str) -> str:
        """A bucket."""
        return f"arn:{self.partition}:s3:::{name}"

    def objects(self, bucket: str, prefix: str = "") -> str:
        """The objects of a bucket under a prefix."""
        return f"{self.bucket(bucket)}/{prefix}*"

    def function(self, name: str) -> str:
        """The function of that name."""
        return self.arn("lambda", f"function:{self.environment.named(name)}")

    def machine(self, name: str) -> str:
        """The state machine of that name."""
        return self.arn("states", f"stateMachine:{self.environment.named(name)}")

    def executions(self, machine: str) -> str:
        """All executions of a state machine."""
        return self.arn("states", f"execution:{self.environment.named(machine)}:*")

    def map_runs(self, machine: str) -> str:
        """All child executions that a state machine's distributed maps run; a redrive of it redrives them."""
        return self.arn("states", f"execution:{self.environment.named(machine)}/*:*")

    @property
    def online_table(self) -> str:
        """The online table."""
        return self.arn("dynamodb", f"table/{self.environment.online_table}")

    @property
    def control_table(self) -> str:
        """The control table."""
        return self.arn("dynamodb", f"table/{self.environment.control_table}")

    @property
    def workgroup(self) -> str:
        """The Athena workgroup."""
        return self.arn("athena", f"workgroup/{self.environment.workgroup}")

    @property
    def topic(self) -> str:
        """The topic of alarms and failed runs."""
        return self.arn("sns", self.environment.named("alarms"))

    @property
    def own_tables(self) -> tuple[str, ...]:
        """The Glue tables of the environment, with the catalog and database that Glue asks for as well."""
        database = self.environment.database
        return (
            self.arn("glue", "catalog"),
            self.arn("glue", f"database/{database}"),
            self.arn("glue", f"table/{database}/*"),
        )

    @property
    def source_tables(self) -> tuple[str, ...]:
        """The Glue tables of sources, with their databases and the catalog."""
        own = self.environment.database
        named = [(each.table or f"{own}.{source_table(each.name)}").split(".", 1) for each in self.manifest.sources]
        found = {self.arn("glue", "catalog")}
        found |= {self.arn("glue", f"database/{database}") for database, _ in named}
        return tuple(sorted(found | {self.arn("glue", f"table/{database}/{table}") for database, table in named}))

    @property
    def prefix_buckets(self) -> tuple[str, ...]:
        """The buckets of sources given as prefixes, which a run looks into before it begins."""
        paths = [each.path for each in self.manifest.sources if each.path is not None]
        return tuple(sorted({self.bucket(_split(path)[0]) for path in paths}))

    @property
    def source_buckets(self) -> tuple[str, ...]:
        """The buckets of sources."""
        return tuple(sorted({self.bucket(bucket) for bucket, _ in self._source_places()}))

    @property
    def source_objects(self) -> tuple[str, ...]:
        """The objects of sources."""
        return tuple(sorted({self.objects(bucket, prefix) for bucket, prefix in self._source_places()}))

    def _source_places(self) -> list[tuple[str, str]]:
        return [_split(uri) for uri in (*self.source_locations, *map(_path, self.manifest.sources)) if uri]


def _path(source: BatchSource) -> str:
    return source.path or ""


def _split(uri: str) -> tuple[str, str]:
    bucket, _, prefix = uri.removeprefix("s3://").partition("/")
    return bucket, prefix if not prefix or prefix.endswith("/") else prefix + "/"
