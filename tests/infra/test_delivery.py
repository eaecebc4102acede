"""Delivery: the pipeline and GitHub's workflow run the same stages and commands, and nobody skips the approval."""

from __future__ import annotations

import json
from typing import Any

import yaml

from infra.delivery import CHANGES, STEPS
from infra.environments import ENVIRONMENTS
from tests.support.synth import ROOT, Template, many_views, resources, templates

CONNECTION = "arn:aws:codeconnections:eu-central-1:123456789012:connection/x"


def pipeline() -> Template:
    """The template of the pipeline."""
    return templates(many_views(1), {"connection": CONNECTION, "repository": "me/store"})["asof-pipeline"]


def workflow() -> dict[Any, Any]:
    """GitHub's workflow. YAML reads the key ``on`` as true."""
    text = (ROOT / ".github" / "workflows" / "deploy.yml").read_text()
    loaded: dict[Any, Any] = yaml.safe_load(text)
    return loaded


def test_the_pipeline_runs_every_step_in_order_and_asks_before_production() -> None:
    """A commit is validated, tested, planned, and deployed environment by environment."""
    template = pipeline()
    (found,) = resources(template, "AWS::CodePipeline::Pipeline").values()
    stages = {stage["Name"]: stage["Actions"] for stage in found["Properties"]["Stages"]}
    assert list(stages) == ["source", *(step.name for step in STEPS)]
    asked = {name for name, actions in stages.items() if actions[0]["ActionTypeId"]["Provider"] == "Manual"}
    assert asked == {f"deploy-{each.name}" for each in ENVIRONMENTS if each.protected} == {"deploy-prod"}
    (approval, deploy) = stages["deploy-prod"]
    assert approval["RunOrder"] < deploy["RunOrder"]
    projects = {
        each["Properties"]["Name"]: json.loads(each["Properties"]["Source"]["BuildSpec"])
        for each in resources(template, "AWS::CodeBuild::Project").values()
    }
    assert {
        name.removeprefix("asof-"): tuple(each["phases"]["build"]["commands"]) for name, each in projects.items()
    } == {step.name: step.commands for step in STEPS}


def test_a_commit_to_the_definitions_starts_the_pipeline() -> None:
    """And one to anything else that is deployed; not one to the documentation."""
    (found,) = resources(pipeline(), "AWS::CodePipeline::Pipeline").values()
    (trigger,) = found["Properties"]["Triggers"]
    (push,) = trigger["GitConfiguration"]["Push"]
    assert push == {"Branches": {"Includes": ["main"]}, "FilePaths": {"Includes": list(CHANGES)}}
    assert "feature_defs/**" in CHANGES
    assert len(CHANGES) <= 8  # what CodePipeline takes


def test_each_project_may_deploy_its_own_environment_only() -> None:
    """By the bootstrap's roles; the plan only reads."""
    template = pipeline()
    policies = {name: json.dumps(each) for name, each in resources(template, "AWS::IAM::Policy").items()}
    assuming = {name for name, text in policies.items() if "sts:AssumeRole" in text and "cdk-hnb659fds" in text}
    assert {name.split("Role")[0] for name in assuming} == {f"deploy{each.name}" for each in ENVIRONMENTS}
    (plan,) = [text for name, text in policies.items() if name.startswith("planRole")]
    assert "sts:AssumeRole" not in plan
    assert "PutObject" not in plan


def test_the_workflow_does_the_same() -> None:
    """Same paths, stages, order and commands; production is an environment that GitHub asks approval for."""
    found = workflow()
    assert found[True]["push"]["paths"] == list(CHANGES)
    jobs = found["jobs"]
    commands = {name: tuple(step["run"] for step in job["steps"] if "run" in step) for name, job in jobs.items()}
    assert commands == {step.name: step.commands for step in STEPS}
    names = list(jobs)
    assert [job.get("needs") for job in jobs.values()] == [None, *names[:-1]]
    assert {name: job.get("environment") for name, job in jobs.items()} == {
        step.name: step.deploys.name if step.deploys else None for step in STEPS
    }


def test_github_holds_no_keys_and_its_roles_trust_one_repository() -> None:
    """Deploying is for jobs in GitHub's environment of the same name."""
    template = templates(many_views(1), {"github": "me/store"})["asof-github"]
    subjects = {
        role["Properties"]["RoleName"]: role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
        for role in resources(template, "AWS::IAM::Role").values()
    }
    issuer = "token.actions.githubusercontent.com"
    assert {name: each["StringLike"][f"{issuer}:sub"] for name, each in subjects.items()} == {
        "asof-github-plan": "repo:me/store:*",
        **{f"asof-github-{each.name}": f"repo:me/store:environment:{each.name}" for each in ENVIRONMENTS},
    }
    assert all(each["StringEquals"] == {f"{issuer}:aud": "sts.amazonaws.com"} for each in subjects.values())
