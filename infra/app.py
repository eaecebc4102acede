"""From the command line's context and the definitions to stacks. No AWS call is made."""

from __future__ import annotations

from collections.abc import Mapping

from aws_cdk import App, Aspects, Stack, Tags

from asof.errors import RequestError
from asof.manifest import Manifest
from asof.materialize.stages import MOST_SQL_BYTES
from infra.aspects import KeepState
from infra.environments import find_deployment
from infra.github_stack import GithubStack
from infra.pipeline_stack import PipelineStack
from infra.service_stack import ServiceStack
from infra.storage_stack import StorageStack


def add_environment(app: App, manifest: Manifest, variables: Mapping[str, str]) -> tuple[StorageStack, ServiceStack]:
    """Add the stacks of the environment that ``-c env=...`` names, made from a manifest.

    Raises RequestError for an unknown environment, and for a view whose SQL is too long for a state machine to carry.
    """
    _refuse_long_queries(manifest)
    context = app.node.try_get_context
    deployment = find_deployment(context("env"), variables, context("destroy"))
    storage = StorageStack(app, deployment, manifest)
    service = ServiceStack(app, deployment, manifest, storage)
    for stack in (storage, service):
        Tags.of(stack).add("asof:environment", deployment.name)
        Aspects.of(stack).add(KeepState(removable=deployment.removable))
    return storage, service


def add_delivery(app: App, manifest: Manifest) -> list[Stack]:
    """Add the stacks that deliver: the pipeline where ``-c connection`` is given, GitHub's roles for ``-c github``."""
    context = app.node.try_get_context
    stacks: list[Stack] = []
    if context("connection"):
        branch = context("branch") or "main"
        stacks.append(
            PipelineStack(
                app, manifest, connection=context("connection"), repository=context("repository"), branch=branch
            )
        )
    if context("github"):
        stacks.append(GithubStack(app, manifest, context("github")))
    return stacks


def _refuse_long_queries(manifest: Manifest) -> None:
    long = [
        f"{view.reference} ({name}: {len(sql.encode()):,} bytes)"
        for view in manifest.feature_views
        for name, sql in view.queries.items()
        if len(sql.encode()) > MOST_SQL_BYTES
    ]
    if long:
        raise RequestError(f"a state machine carries at most {MOST_SQL_BYTES:,} bytes of SQL; split {', '.join(long)}")
