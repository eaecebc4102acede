"""Stacks as a whole: change sets, outputs, expressions, replacement, rollback, custom resources, exports, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.stacks import deployed, function, reasons, role, status, template

PROVIDER = '''
import json, urllib.request
SEEN = []

def handle(event, context):
    """Refuses what it is told to, remembers what it was asked, and answers as CloudFormation expects."""
    if event.get("list"):
        return SEEN
    properties = event["ResourceProperties"]
    SEEN.append([event["RequestType"], properties["Value"], event.get("PhysicalResourceId")])
    if properties["Value"] == "crash":
        raise RuntimeError("crashed")
    body = {
        "Status": "FAILED" if properties["Value"] == "bad" else "SUCCESS",
        "Reason": "a published version would change its meaning",
        "PhysicalResourceId": "custom-1",
        "StackId": event["StackId"], "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"], "Data": {"Doubled": properties["Value"] * 2},
    }
    request = urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), method="PUT")
    urllib.request.urlopen(request)
'''


def queue(name: str, **properties: Any) -> dict[str, Any]:
    """A queue."""
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name, **properties}}


def custom(provider: str, value: str) -> dict[str, Any]:
    """A custom resource of the function."""
    arn = f"arn:aws:lambda:eu-central-1:123456789012:function:{provider}"
    return {"Type": "Custom::Thing", "Properties": {"ServiceToken": arn, "Value": value, "Flag": True}}


def asked(client: Callable[[str], Any], provider: str) -> list[list[str]]:
    """What the provider was asked: kind, value and physical id."""
    answer = client("lambda").invoke(FunctionName=provider, Payload=b'{"list": true}')
    found: list[list[str]] = json.loads(answer["Payload"].read())
    return found


def deploy_by_change_set(cloudformation: Any, name: str, text: str, kind: str) -> None:
    """What the CDK does: propose, look, execute."""
    cloudformation.create_change_set(StackName=name, ChangeSetName="c", ChangeSetType=kind, TemplateBody=text)
    assert cloudformation.describe_change_set(StackName=name, ChangeSetName="c")["Status"] == "CREATE_COMPLETE"
    cloudformation.execute_change_set(StackName=name, ChangeSetName="c")
    cloudformation.get_waiter(f"stack_{kind.lower()}_complete").wait(StackName=name)


def test_outputs_are_there_after_a_change_set(client: Callable[[str], Any]) -> None:
    """Both when a stack is created and when it is updated."""
    cloudformation = client("cloudformation")
    outputs = {"Arn": {"Fn::GetAtt": ["Q", "Arn"]}, "Url": {"Ref": "Q"}}
    deploy_by_change_set(cloudformation, "outputs", template({"Q": queue("o1")}, outputs), "CREATE")
    first = cloudformation.describe_stacks(StackName="outputs")["Stacks"][0]["Outputs"]
    assert {each["OutputKey"]: each["OutputValue"].rpartition("o1")[1] for each in first} == {"Arn": "o1", "Url": "o1"}
    deploy_by_change_set(cloudformation, "outputs", template({"Q": queue("o2")}, outputs), "UPDATE")
    second = cloudformation.describe_stacks(StackName="outputs")["Stacks"][0]["Outputs"]
    assert all(each["OutputValue"].endswith("o2") for each in second)


def test_a_change_set_says_what_it_changes(client: Callable[[str], Any]) -> None:
    """Additions, changes (with replacement) and removals; without any it fails, as the CDK expects."""
    cloudformation = client("cloudformation")
    before = template({"Kept": queue("k"), "Renamed": queue("r1"), "Gone": queue("g")})
    after = template({"Kept": queue("k"), "Renamed": queue("r2"), "New": queue("n")})
    deployed(cloudformation, "changes", before)
    cloudformation.create_change_set(StackName="changes", ChangeSetName="c", TemplateBody=after)
    found = cloudformation.describe_change_set(StackName="changes", ChangeSetName="c")
    lines = {each["ResourceChange"]["LogicalResourceId"]: each["ResourceChange"] for each in found["Changes"]}
    assert {name: each["Action"] for name, each in lines.items()} == {
        "Renamed": "Modify",
        "Gone": "Remove",
        "New": "Add",
    }
    assert lines["Renamed"]["Replacement"] == "True"
    cloudformation.create_change_set(StackName="changes", ChangeSetName="same", TemplateBody=before)
    same = cloudformation.describe_change_set(StackName="changes", ChangeSetName="same")
    assert (same["Status"], same["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert "didn't contain changes" in same["StatusReason"]


def test_expressions_are_evaluated(client: Callable[[str], Any]) -> None:
    """Parameters, mappings, conditions and the intrinsic functions, in YAML with short forms."""
    text = """
AWSTemplateFormatVersion: 2010-09-09
Parameters:
  Stage: {Type: String, Default: dev}
  Sizes: {Type: CommaDelimitedList, Default: "1, 2"}
Mappings:
  Names: {dev: {queue: small}, prod: {queue: big}}
Conditions:
  IsProd: !Equals [!Ref Stage, prod]
  NotProd: !Not [!Condition IsProd]
Resources:
  Main:
    Type: AWS::SQS::Queue
    Properties:
      QueueName: !Join ["-", [!Ref Stage, !FindInMap [Names, !Ref Stage, queue]]]
      DelaySeconds: !If [IsProd, 5, !Ref AWS::NoValue]
  Never: {Type: AWS::SQS::Queue, Condition: IsProd}
Outputs:
  Sub: {Value: !Sub "${Stage}/${Main.QueueName}/${AWS::Region}/${!Kept}"}
  Second: {Value: !Select [1, !Ref Sizes]}
  Split: {Value: !Select [5, !Split [":", !GetAtt Main.Arn]]}
  Base: {Value: !Base64 abc}
  Absent: {Condition: IsProd, Value: x}
  Present: {Condition: NotProd, Value: y}
"""
    outputs = deployed(client("cloudformation"), "expressions", text)
    assert outputs == {
        "Sub": "dev/dev-small/eu-central-1/${Kept}",
        "Second": "2",
        "Split": "dev-small",
        "Base": "YWJj",
        "Present": "y",
    }


def test_what_left_the_template_is_deleted_and_what_is_retained_stays(client: Callable[[str], Any]) -> None:
    """Also what was replaced; both after everything else succeeded."""
    cloudformation, sqs = client("cloudformation"), client("sqs")
    kept = {**queue("leave-kept"), "DeletionPolicy": "Retain"}
    deployed(cloudformation, "leave", template({"A": queue("leave-a1"), "B": queue("leave-b"), "C": kept}))
    deployed(cloudformation, "leave", template({"A": queue("leave-a2")}))
    urls = sqs.list_queues(QueueNamePrefix="leave-")["QueueUrls"]
    assert sorted(url.rpartition("/")[2] for url in urls) == ["leave-a2", "leave-kept"]


def test_a_failed_creation_leaves_nothing(client: Callable[[str], Any]) -> None:
    """The stack is rolled back and says why."""
    cloudformation, sqs = client("cloudformation"), client("sqs")
    bad = {
        "Type": "AWS::SNS::Subscription",
        "Properties": {"TopicArn": "arn:aws:sns:eu-central-1:1:no", "Protocol": "sqs"},
    }
    cloudformation.create_stack(StackName="nothing", TemplateBody=template({"Q": queue("nothing"), "Bad": bad}))
    assert status(cloudformation, "nothing") == "ROLLBACK_COMPLETE"
    assert any(reason.startswith("Bad CREATE_FAILED") for reason in reasons(cloudformation, "nothing"))
    with pytest.raises(ClientError, match="NonExistentQueue"):
        sqs.get_queue_url(QueueName="nothing")


def test_a_custom_resource_is_made_changed_and_deleted_by_its_function(client: Callable[[str], Any]) -> None:
    """Its data can be referred to; scalars arrive as text."""
    cloudformation = client("cloudformation")
    deployed(cloudformation, "provider-a", template({"Role": role(), "F": function("provider-a", PROVIDER)}))
    outputs = {"Doubled": {"Fn::GetAtt": ["It", "Doubled"]}, "Id": {"Ref": "It"}}
    found = deployed(cloudformation, "custom", template({"It": custom("provider-a", "one")}, outputs))
    assert found == {"Doubled": "oneone", "Id": "custom-1"}
    found = deployed(cloudformation, "custom", template({"It": custom("provider-a", "two")}, outputs))
    assert found["Doubled"] == "twotwo"
    cloudformation.delete_stack(StackName="custom")
    expected = [["Create", "one", None], ["Update", "two", "custom-1"], ["Delete", "two", "custom-1"]]
    assert asked(client, "provider-a") == expected


@pytest.mark.parametrize(("value", "why"), [("bad", "would change its meaning"), ("crash", "crashed")])
def test_a_custom_resource_that_refuses_rolls_the_stack_back(
    client: Callable[[str], Any], value: str, why: str
) -> None:
    """Everything that had changed is as before, and what was to be deleted is still there."""
    cloudformation, sqs, provider = client("cloudformation"), client("sqs"), f"provider-{value}"
    deployed(cloudformation, provider, template({"Role": role(), "F": function(provider, PROVIDER)}))
    name = f"refused-{value}"
    good = {"Q": queue(name, VisibilityTimeout=10), "Old": queue(f"{name}-old"), "It": custom(provider, "good")}
    outputs = {"Doubled": {"Fn::GetAtt": ["It", "Doubled"]}}
    deployed(cloudformation, name, template(good, outputs))
    bad = {
        "Q": queue(name, VisibilityTimeout=20),
        "New": queue(f"{name}-new"),
        "It": {**custom(provider, value), "DependsOn": ["Q", "New"]},
    }
    cloudformation.update_stack(StackName=name, TemplateBody=template(bad, outputs))
    assert status(cloudformation, name) == "UPDATE_ROLLBACK_COMPLETE"
    assert any(why in reason for reason in reasons(cloudformation, name))
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "10"
    urls = sqs.list_queues(QueueNamePrefix=f"{name}-")["QueueUrls"]
    assert [each.rpartition("/")[2] for each in urls] == [f"{name}-old"]
    stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
    assert stack["Outputs"][0]["OutputValue"] == "goodgood"
    assert asked(client, provider)[-1] == ["Update", "good", "custom-1"]
    # The stack goes on as if nothing had happened.
    deployed(cloudformation, name, template({**good, "Q": queue(name, VisibilityTimeout=30)}, outputs))


def test_a_function_is_restored_before_its_custom_resource(client: Callable[[str], Any]) -> None:
    """The code that refuses is gone when the resource is asked to become what it was."""
    cloudformation = client("cloudformation")
    answer = """
import json, urllib.request
def handle(event, context):
    body = {"Status": STATUS, "Reason": "no", "PhysicalResourceId": "one", **{key: event[key] for key in
            ("StackId", "RequestId", "LogicalResourceId")}}
    urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], json.dumps(body).encode(), method="PUT"))
"""

    def text(status: str, value: str) -> str:
        it = {"Type": "Custom::It", "Properties": {"ServiceToken": {"Fn::GetAtt": ["F", "Arn"]}, "Value": value}}
        source = f"STATUS = {status!r}\n{answer}"
        return template({"Role": role(), "F": function("restored", source), "It": it})

    deployed(cloudformation, "restored", text("SUCCESS", "1"))
    cloudformation.update_stack(StackName="restored", TemplateBody=text("FAILED", "2"))
    assert status(cloudformation, "restored") == "UPDATE_ROLLBACK_COMPLETE"
    deployed(cloudformation, "restored", text("SUCCESS", "3"))


def test_an_export_in_use_cannot_go(client: Callable[[str], Any]) -> None:
    """Neither by deleting its stack nor by an update."""
    cloudformation = client("cloudformation")
    exported = {"Name": {"Value": {"Fn::GetAtt": ["Q", "QueueName"]}, "Export": {"Name": "shared"}}}
    deployed(cloudformation, "exporter", template({"Q": queue("exported")}, exported))
    outputs = {"It": {"Fn::ImportValue": "shared"}}
    assert deployed(cloudformation, "importer", template({"Q": queue("imported")}, outputs)) == {"It": "exported"}
    with pytest.raises(ClientError, match="in use by importer"):
        cloudformation.delete_stack(StackName="exporter")
    cloudformation.update_stack(StackName="exporter", TemplateBody=template({"Q": queue("exported")}))
    assert status(cloudformation, "exporter") == "UPDATE_ROLLBACK_COMPLETE"
    cloudformation.delete_stack(StackName="importer")
    cloudformation.delete_stack(StackName="exporter")


def test_termination_protection_protects(client: Callable[[str], Any]) -> None:
    """Until it is turned off."""
    cloudformation = client("cloudformation")
    text = template({"Q": queue("protected")})
    cloudformation.create_stack(StackName="protected", TemplateBody=text, EnableTerminationProtection=True)
    with pytest.raises(ClientError, match="TerminationProtection is enabled"):
        cloudformation.delete_stack(StackName="protected")
    cloudformation.update_termination_protection(StackName="protected", EnableTerminationProtection=False)
    cloudformation.delete_stack(StackName="protected")


@pytest.mark.parametrize(
    ("resources", "refusal"),
    [
        ({"V": {"Type": "AWS::EC2::VPC"}}, "the local cloud has no resource types AWS::EC2::VPC"),
        ({"Q": {"Ref": "X", "Type": "AWS::SQS::Queue"}}, "cannot do the attribute Ref"),
        ({"Q": queue("x", Missing={"Ref": "Nobody"})}, r"Unresolved resource dependencies \[Nobody\]"),
        ({"A": queue({"Ref": "B"}), "B": queue({"Ref": "A"})}, "Circular dependency"),  # type: ignore[arg-type] # an expression
    ],
)
def test_what_cannot_be_deployed_is_refused_by_name(
    client: Callable[[str], Any], resources: dict[str, Any], refusal: str
) -> None:
    """Before anything is made."""
    with pytest.raises(ClientError, match=refusal):
        client("cloudformation").create_stack(StackName="refused", TemplateBody=template(resources))


def test_an_unknown_property_fails_by_name(client: Callable[[str], Any]) -> None:
    """Nothing is left out silently."""
    cloudformation = client("cloudformation")
    text = template({"Q": queue("unknown", ContentBasedDeduplication=True)})
    cloudformation.create_stack(StackName="unknown", TemplateBody=text)
    assert any(
        "cannot do the properties ContentBasedDeduplication" in each for each in reasons(cloudformation, "unknown")
    )


def test_calls_that_do_not_exist_here_are_refused_by_name(client: Callable[[str], Any]) -> None:
    """An API the local cloud lacks says so."""
    with pytest.raises(ClientError, match="the local cloud cannot do cloudformation ListStackSets"):
        client("cloudformation").list_stack_sets()
