"""The two state machines, their roles, and the log of what their runs did."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from aws_cdk import Acknowledgment, RemovalPolicy, Validations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from infra.constructs.function import make_role, retention
from infra.permissions import Grant, backfill_machine, materialize_machine
from infra.places import Places
from infra.state_machine import backfill_definition, materialize_definition

_NO_TRACING = (
    "A run's execution history and its ledger say what happened when; its calls cross no service of the team's"
)
_LOG_DELIVERY = "Step Functions sets up log delivery by actions that take no resource (AWS documents '*')"


class Machines(Construct):
    """``materialize`` and ``backfill``, both Standard: a run may take hours, and every step of it can be looked up."""

    def __init__(self, scope: Construct, name: str, places: Places, log_days: int) -> None:
        super().__init__(scope, name)
        self._log_days = log_days
        self.materialize = self._machine(
            "Materialize", places, "materialize", materialize_definition(places), materialize_machine(places)
        )
        self.backfill = self._machine(
            "Backfill", places, "backfill", backfill_definition(places), backfill_machine(places)
        )

    def _machine(
        self, construct_id: str, places: Places, name: str, definition: dict[str, Any], grants: Sequence[Grant]
    ) -> sfn.StateMachine:
        full_name = places.environment.named(name)
        log_group = logs.LogGroup(
            self,
            f"{construct_id}Logs",
            log_group_name=f"/aws/vendedlogs/states/{full_name}",
            retention=retention(self._log_days),
            removal_policy=RemovalPolicy.DESTROY,
        )
        role = make_role(self, f"{construct_id}Role", "states.amazonaws.com", grants)
        machine = sfn.StateMachine(
            self,
            construct_id,
            state_machine_name=full_name,
            state_machine_type=sfn.StateMachineType.STANDARD,
            # Not the CDK's to_json_string: it leaves out what is null, and a ResultPath of null means something.
            definition_body=sfn.DefinitionBody.from_string(json.dumps(definition)),
            role=role,
            # Data stays out of the log: a state holds SQL, and the execution history has it anyway.
            logs=sfn.LogOptions(destination=log_group, level=sfn.LogLevel.ALL, include_execution_data=False),
        )
        Validations.of(machine).acknowledge(Acknowledgment(id="AwsSolutions-SF2", reason=_NO_TRACING))
        Validations.of(role).acknowledge(Acknowledgment(id="AwsSolutions-IAM5[Resource::*]", reason=_LOG_DELIVERY))
        return machine
