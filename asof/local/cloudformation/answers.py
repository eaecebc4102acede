"""Stacks, change sets and events in the shape of CloudFormation's answers."""

from __future__ import annotations

from typing import Any

from asof.clock import from_ms
from asof.local.cloudformation.model import Change, ChangeSet, Event, Request, Stack, StackResource
from asof.local.cloudformation.parameters import shown
from asof.local.cloudformation.provider import tag_list
from asof.local.cloudformation.template import Template


def stack_answer(stack: Stack) -> dict[str, Any]:
    """A stack of ``DescribeStacks``."""
    answer = {
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": stack.request.template.description,
        "Parameters": _parameters(stack.request),
        "CreationTime": from_ms(stack.created_ms),
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "DisableRollback": stack.request.disable_rollback,
        "NotificationARNs": list(stack.request.notification_arns),
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        "Outputs": [
            {
                "OutputKey": output.key,
                "OutputValue": output.value,
                "Description": output.description,
                "ExportName": output.export,
            }
            for output in stack.outputs
        ],
        "RoleARN": stack.request.role_arn,
        "Tags": tag_list(stack.request.tags),
        "EnableTerminationProtection": stack.termination_protection,
        "DriftInformation": {"StackDriftStatus": "NOT_CHECKED"},
        "RollbackConfiguration": {},
    }
    if stack.updated_ms is not None:
        answer["LastUpdatedTime"] = from_ms(stack.updated_ms)
    if stack.deleted_ms is not None and stack.status.startswith("DELETE"):
        answer["DeletionTime"] = from_ms(stack.deleted_ms)
    return answer


def summary_answer(stack: Stack) -> dict[str, Any]:
    """A stack of ``ListStacks``."""
    names = ("StackId", "StackName", "CreationTime", "StackStatus", "LastUpdatedTime", "DeletionTime")
    answer = stack_answer(stack)
    return {name: answer[name] for name in names if name in answer} | {"TemplateDescription": answer["Description"]}


def event_answer(stack: Stack, event: Event) -> dict[str, Any]:
    """An event of ``DescribeStackEvents``."""
    return {
        "StackId": stack.id,
        "EventId": event.id,
        "StackName": stack.name,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.type,
        "Timestamp": from_ms(event.at_ms),
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
    }


def resource_answer(stack: Stack, resource: StackResource) -> dict[str, Any]:
    """A resource of ``DescribeStackResources``, ``DescribeStackResource`` and ``ListStackResources``."""
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "Timestamp": from_ms(resource.changed_ms),
        "LastUpdatedTimestamp": from_ms(resource.changed_ms),
        "ResourceStatus": resource.status,
        "DriftInformation": {"StackResourceDriftStatus": "NOT_CHECKED"},
    }


def change_set_answer(change_set: ChangeSet) -> dict[str, Any]:
    """``DescribeChangeSet``."""
    return change_set_summary(change_set) | {
        "Parameters": _parameters(change_set.request),
        "NotificationARNs": list(change_set.request.notification_arns),
        "Tags": tag_list(change_set.request.tags),
        "Changes": [{"Type": "Resource", "ResourceChange": _change(each)} for each in change_set.changes],
    }


def change_set_summary(change_set: ChangeSet) -> dict[str, Any]:
    """A change set of ``ListChangeSets``."""
    return {
        "ChangeSetName": change_set.name,
        "ChangeSetId": change_set.id,
        "StackId": change_set.stack.id,
        "StackName": change_set.stack.name,
        "Description": change_set.description,
        "CreationTime": from_ms(change_set.created_ms),
        "ExecutionStatus": change_set.execution_status,
        "Status": change_set.status,
        "StatusReason": change_set.reason,
        "IncludeNestedStacks": False,
    }


def template_answer(template: Template) -> dict[str, Any]:
    """``GetTemplateSummary``; ``ValidateTemplate`` answers with parts of it."""
    return {
        "Description": template.description,
        "Parameters": [
            {
                "ParameterKey": name,
                "DefaultValue": None if each.get("Default") is None else str(each["Default"]),
                "ParameterType": each.get("Type", "String"),
                "NoEcho": str(each.get("NoEcho", False)).lower() == "true",
                "Description": each.get("Description"),
                "ParameterConstraints": {"AllowedValues": [str(value) for value in each.get("AllowedValues", [])]},
            }
            for name, each in template.section("Parameters").items()
        ],
        "ResourceTypes": sorted({each["Type"] for each in template.resources.values()}),
        "Version": template.body.get("AWSTemplateFormatVersion"),
        "Capabilities": ["CAPABILITY_NAMED_IAM"],
        "CapabilitiesReason": "The local cloud grants every capability",
        "DeclaredTransforms": [],
    }


def _change(change: Change) -> dict[str, Any]:
    return {
        "Action": change.action,
        "LogicalResourceId": change.logical_id,
        "PhysicalResourceId": change.physical_id,
        "ResourceType": change.type,
        "Replacement": change.replacement,
        "Scope": ["Properties"] if change.action == "Modify" else [],
        "Details": [],
    }


def _parameters(request: Request) -> list[dict[str, str]]:
    found = shown(request.template, request.parameters)
    return [{"ParameterKey": name, "ParameterValue": value} for name, value in found.items()]
