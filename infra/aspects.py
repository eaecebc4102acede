"""What must hold for every resource, whoever adds it: nothing that holds state is deleted with its stack."""

from __future__ import annotations

from typing import Final

import jsii
from aws_cdk import Annotations, CfnDeletionPolicy, CfnResource, IAspect
from constructs import IConstruct

STATEFUL: Final = frozenset({"AWS::DynamoDB::Table", "AWS::Glue::Database", "AWS::S3::Bucket"})
"""Types whose loss loses data. A history table is judged where it is made: others of its type hold nothing."""


@jsii.implements(IAspect)
class KeepState:
    """An error at synth for a stateful resource that would be deleted, unless both keys are turned (``removable``)."""

    def __init__(self, *, removable: bool) -> None:
        self._removable = removable

    def visit(self, node: IConstruct) -> None:
        """Look at one construct."""
        if self._removable or not isinstance(node, CfnResource) or node.cfn_resource_type not in STATEFUL:
            return
        policies = (node.cfn_options.deletion_policy, node.cfn_options.update_replace_policy)
        if any(policy != CfnDeletionPolicy.RETAIN for policy in policies):
            Annotations.of(node).add_error(
                f"{node.cfn_resource_type} holds data and would be deleted with its stack; retain it"
            )
