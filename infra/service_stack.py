"""The stateless half of an environment: functions, state machines, schedules, the API, alarms. It can be made anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aws_cdk import CfnOutput, Stack
from aws_cdk import Environment as CdkEnvironment
from constructs import Construct

from asof.manifest import Manifest
from asof.names import Environment
from infra.bundling import without_queries
from infra.constructs.alarms import Alarms
from infra.constructs.api import LookupApi
from infra.constructs.dashboard import Dashboard
from infra.constructs.definitions import DefinitionsResource
from infra.constructs.function import Function
from infra.constructs.glue_jobs import GlueJobs
from infra.constructs.machines import Machines
from infra.constructs.schedules import Schedules
from infra.environments import Deployment
from infra.places import Places
from infra.storage_stack import StorageStack


@dataclass(frozen=True, slots=True)
class _Size:
    timeout_s: int
    memory_mb: int
    description: str


_SIZES: Final = {
    "begin": _Size(120, 512, "Takes the lease and says which run to work on"),
    "step": _Size(300, 512, "Takes a chunk one step further and says which query comes next"),
    "load_plan": _Size(60, 512, "Says which query unloads the newest rows for the online store"),
    "load": _Size(900, 1_769, "Writes one unloaded object to the online store"),
    "publish": _Size(300, 512, "Advances the watermark and closes the run"),
    "fail": _Size(60, 512, "Records what stopped a run, gives its lease back, tells people"),
    "freshness": _Size(60, 512, "Measures the age of each view's data"),
    "online": _Size(10, 1_024, "Answers lookups"),
}
"""The functions of the stack; 1,769 MB is one whole processor."""


class ServiceStack(Stack):
    """``asof-<env>-service``. It finds the storage by its names, so that neither stack holds the other back."""

    def __init__(self, scope: Construct, deployment: Deployment, manifest: Manifest, storage: StorageStack) -> None:
        name = f"asof-{deployment.name}-service"
        super().__init__(
            scope,
            name,
            stack_name=name,
            description=f"Asof {deployment.name}: materialization, lookups and alarms",
            env=CdkEnvironment(account=deployment.account, region=deployment.region),
        )
        self.add_stack_dependency(storage, "the functions work on the storage's tables and buckets")
        environment = Environment(deployment.name, self.account, self.region)
        self.places = places = Places(environment, self.partition, manifest, deployment.source_locations)
        views = [view for view in manifest.feature_views if not view.deprecated]
        DefinitionsResource(self, "Definitions", action="publish", places=places, log_days=deployment.log_days)
        functions = {name: self._function(name, deployment) for name in _SIZES}
        Machines(self, "Machines", places, deployment.log_days)
        GlueJobs(self, "Jobs", places)
        schedules = Schedules(self, "Schedules", places, views)
        api = LookupApi(self, "Lookups", environment, deployment, functions["online"].function)
        alarms = Alarms(
            self,
            "Alarms",
            places=places,
            deployment=deployment,
            views=views,
            dead_letters=schedules.dead_letters,
            api_id=api.api.api_id,
        )
        Dashboard(
            self,
            "Dashboard",
            places=places,
            views=views,
            alarms=[*alarms.others, *alarms.freshness],
            api_id=api.api.api_id,
        )
        CfnOutput(self, "ApiUrl", value=api.api.api_endpoint, description="POST <url>/get-online-features")
        CfnOutput(self, "AlarmTopic", value=alarms.topic.topic_arn, description="Subscribe to be told of alarms")

    def _function(self, name: str, deployment: Deployment) -> Function:
        manifest = self.places.manifest
        size = _SIZES[name]
        return Function(
            self,
            name.replace("_", " ").title().replace(" ", ""),
            name=name,
            places=self.places,
            manifest_text=(without_queries(manifest) if name == "online" else manifest).to_json(),
            log_days=deployment.log_days,
            timeout_s=size.timeout_s,
            memory_mb=size.memory_mb,
            description=size.description,
        )
