"""For those who deliver from GitHub: a role that its workflow assumes through OIDC, so that no key is stored there."""

from __future__ import annotations

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from asof.manifest import Manifest
from infra.constructs.deploy_role import deploy_grants, plan_grants, statements
from infra.environments import ENVIRONMENTS

_ISSUER = "token.actions.githubusercontent.com"


class GithubStack(Stack):
    """``asof-github``: GitHub's identity provider, and one role per job kind.

    ``asof-github-plan`` only reads and can be assumed from any ref of the repository; ``asof-github-<env>`` deploys and
    can be assumed only by a job in GitHub's environment of that name, where GitHub asks for approvals.
    """

    def __init__(self, scope: Construct, manifest: Manifest, repository: str) -> None:
        super().__init__(scope, "asof-github", stack_name="asof-github", description="Lets GitHub deliver Asof")
        self._provider = iam.OidcProviderNative(
            self, "Provider", url=f"https://{_ISSUER}", client_ids=["sts.amazonaws.com"]
        )
        self._role("plan", f"repo:{repository}:*", statements(plan_grants(manifest)))
        for deployment in ENVIRONMENTS:
            subject = f"repo:{repository}:environment:{deployment.name}"
            self._role(deployment.name, subject, statements(deploy_grants(deployment)))

    def _role(self, name: str, subject: str, allowed: list[iam.PolicyStatement]) -> None:
        principal = iam.OpenIdConnectPrincipal(
            self._provider,
            conditions={
                "StringEquals": {f"{_ISSUER}:aud": "sts.amazonaws.com"},
                "StringLike": {f"{_ISSUER}:sub": subject},
            },
        )
        role = iam.Role(
            self,
            name,
            role_name=f"asof-github-{name}",
            assumed_by=principal,
            max_session_duration=Duration.hours(1),
            inline_policies={"Deliver": iam.PolicyDocument(statements=allowed)},
        )
        CfnOutput(self, f"{name}-role", value=role.role_arn)
