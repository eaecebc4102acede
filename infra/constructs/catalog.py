"""The Glue database, one staging table per view version, and the tables over sources given as paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import RemovalPolicy
from aws_cdk import aws_glue as glue
from constructs import Construct, IDependable

from asof.manifest import Manifest
from asof.names import Environment, history_table
from asof.offline.tables import table_inputs


class Catalog(Construct):
    """The tables of a manifest, each under its own name as id. None is touched before ``after`` has agreed.

    They hold nothing that could be lost. The history tables do, since their partitions are what makes rows visible: a
    custom resource makes them (infra.constructs.definitions), and nothing deletes them.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        environment: Environment,
        manifest: Manifest,
        *,
        removal: RemovalPolicy,
        after: IDependable,
    ) -> None:
        super().__init__(scope, name)
        self.database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=environment.account,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=environment.database, description=f"Feature views of {environment.name}"
            ),
        )
        self.database.apply_removal_policy(removal)
        histories = {history_table(view.name, view.version) for view in manifest.feature_views}
        for given in table_inputs(environment, manifest):
            if given["Name"] in histories:
                continue
            table = glue.CfnTable(
                self,
                given["Name"],
                catalog_id=environment.account,
                database_name=environment.database,
                table_input=_table_input(given),
            )
            table.apply_removal_policy(RemovalPolicy.DESTROY)
            table.add_resource_dependency(self.database)
            table.node.add_dependency(after)


def _table_input(given: Mapping[str, Any]) -> glue.CfnTable.TableInputProperty:
    """What boto3 takes, as CloudFormation takes it."""
    storage = given["StorageDescriptor"]
    serde = storage["SerdeInfo"]
    return glue.CfnTable.TableInputProperty(
        name=given["Name"],
        description=given["Description"],
        table_type=given["TableType"],
        parameters=given["Parameters"],
        partition_keys=_columns(given["PartitionKeys"]),
        storage_descriptor=glue.CfnTable.StorageDescriptorProperty(
            columns=_columns(storage["Columns"]),
            location=storage["Location"],
            input_format=storage["InputFormat"],
            output_format=storage["OutputFormat"],
            serde_info=glue.CfnTable.SerdeInfoProperty(
                serialization_library=serde["SerializationLibrary"], parameters=serde["Parameters"]
            ),
        ),
    )


def _columns(given: list[dict[str, str]]) -> list[glue.CfnTable.ColumnProperty]:
    return [glue.CfnTable.ColumnProperty(name=each["Name"], type=each["Type"]) for each in given]
