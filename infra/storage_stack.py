"""The stateful half of an environment: buckets, catalog, workgroup, tables. What is here survives the stack."""

from __future__ import annotations

from aws_cdk import Environment as CdkEnvironment
from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_athena as athena
from constructs import Construct

from asof.manifest import Manifest
from asof.names import Environment
from infra.constructs.buckets import Buckets
from infra.constructs.catalog import Catalog
from infra.constructs.definitions import DefinitionsResource
from infra.constructs.dynamodb_tables import Tables
from infra.environments import Deployment
from infra.places import Places


class StorageStack(Stack):
    """``asof-<env>-storage``. Its custom resource checks the definitions before any table is touched."""

    def __init__(self, scope: Construct, deployment: Deployment, manifest: Manifest) -> None:
        name = f"asof-{deployment.name}-storage"
        super().__init__(
            scope,
            name,
            stack_name=name,
            description=f"Asof {deployment.name}: history, catalog, registry and online store",
            env=CdkEnvironment(account=deployment.account, region=deployment.region),
            termination_protection=not deployment.removable,
        )
        environment = Environment(deployment.name, self.account, self.region)
        places = Places(environment, self.partition, manifest, deployment.source_locations)
        removal = RemovalPolicy.DESTROY if deployment.removable else RemovalPolicy.RETAIN
        buckets = Buckets(self, "Buckets", environment, removal)
        Tables(self, "Tables", environment, removal, protected=not deployment.removable)
        check = DefinitionsResource(self, "Definitions", action="check", places=places, log_days=deployment.log_days)
        check.node.add_dependency(buckets.registry)
        catalog = Catalog(self, "Catalog", environment, manifest, removal=removal, after=check)
        tables = DefinitionsResource(self, "History", action="tables", places=places, log_days=deployment.log_days)
        tables.node.add_dependency(check, catalog.database)
        self._workgroup(environment, deployment)

    def _workgroup(self, environment: Environment, deployment: Deployment) -> None:
        """The workgroup every query runs in: it fixes where results go, encrypted, and how much is read."""
        properties = athena.CfnWorkGroup
        athena.CfnWorkGroup(
            self,
            "Workgroup",
            name=environment.workgroup,
            description=f"Every query of Asof {environment.name}",
            recursive_delete_option=deployment.removable,
            work_group_configuration=properties.WorkGroupConfigurationProperty(
                enforce_work_group_configuration=True,
                publish_cloud_watch_metrics_enabled=True,
                bytes_scanned_cutoff_per_query=deployment.scan_limit_bytes,
                engine_version=properties.EngineVersionProperty(selected_engine_version="Athena engine version 3"),
                result_configuration=properties.ResultConfigurationProperty(
                    output_location=f"s3://{environment.results_bucket}/",
                    encryption_configuration=properties.EncryptionConfigurationProperty(encryption_option="SSE_S3"),
                ),
            ),
        )
