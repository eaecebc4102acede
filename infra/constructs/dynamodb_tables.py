"""The two DynamoDB tables: what lookups read, and what runs record."""

from __future__ import annotations

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from asof.names import Environment


class Tables(Construct):
    """``online`` (items expire by ``x``) and ``control``. On demand, so that an idle store costs nothing.

    ``Table``, not ``TableV2``: one region, and the local cloud has no global tables.
    """

    def __init__(
        self, scope: Construct, name: str, environment: Environment, removal: RemovalPolicy, *, protected: bool
    ) -> None:
        super().__init__(scope, name)
        self.online = self._table("Online", environment.online_table, removal, protected, ttl="x")
        self.control = self._table("Control", environment.control_table, removal, protected)

    def _table(
        self, name: str, table_name: str, removal: RemovalPolicy, protected: bool, ttl: str | None = None
    ) -> dynamodb.Table:
        return dynamodb.Table(
            self,
            name,
            table_name=table_name,
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute=ttl,
            deletion_protection=protected,
            removal_policy=removal,
        )
