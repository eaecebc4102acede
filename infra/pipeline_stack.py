"""The pipeline: a commit is validated, tested, planned, deployed to dev and staging, approved, and deployed to prod."""

from __future__ import annotations

from aws_cdk import Acknowledgment, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from asof.errors import RequestError
from asof.manifest import Manifest
from infra.constructs.deploy_role import deploy_grants, plan_grants, statements
from infra.delivery import CHANGES, STEPS, Step

_NO_KEY = "Sources and build logs are encrypted with S3's and CloudWatch's own keys; a key of one's own costs a dollar"
_NO_ACCESS_LOGS = "Artifacts of builds, deleted after 30 days"


class PipelineStack(Stack):
    """``asof-pipeline``, in the toolchain account. ``connection`` is the ARN of a CodeConnections connection."""

    def __init__(
        self, scope: Construct, manifest: Manifest, *, connection: str, repository: str | None, branch: str
    ) -> None:
        super().__init__(scope, "asof-pipeline", stack_name="asof-pipeline", description="Delivers Asof")
        owner, _, name = (repository or "").partition("/")
        if not owner or not name:
            raise RequestError("the pipeline needs to know its repository; add -c repository=<owner>/<name>")
        source = codepipeline.Artifact("Source")
        commit = actions.CodeStarConnectionsSourceAction(
            action_name="commit",
            connection_arn=connection,
            owner=owner,
            repo=name,
            branch=branch,
            output=source,
            trigger_on_push=False,  # the filter below decides
        )
        pipeline = codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_name="asof",
            pipeline_type=codepipeline.PipelineType.V2,
            artifact_bucket=self._artifacts(),
            restart_execution_on_update=False,
            triggers=[
                codepipeline.TriggerProps(
                    provider_type=codepipeline.ProviderType.CODE_STAR_SOURCE_CONNECTION,
                    git_configuration=codepipeline.GitConfiguration(
                        source_action=commit,
                        push_filter=[
                            codepipeline.GitPushFilter(branches_includes=[branch], file_paths_includes=list(CHANGES))
                        ],
                    ),
                )
            ],
        )
        pipeline.add_stage(stage_name="source", actions=[commit])
        for step in STEPS:
            work = actions.CodeBuildAction(
                action_name=step.name, project=self._project(step, manifest), input=source, run_order=2
            )
            approval = actions.ManualApprovalAction(
                action_name="approve", run_order=1, additional_information="The plan is in the log of the plan stage"
            )
            asks = step.deploys is not None and step.deploys.protected
            pipeline.add_stage(stage_name=step.name, actions=[approval, work] if asks else [work])

    def _project(self, step: Step, manifest: Manifest) -> codebuild.PipelineProject:
        log_group = logs.LogGroup(
            self,
            f"{step.name}-logs",
            log_group_name=f"/aws/codebuild/asof-{step.name}",
            retention=logs.RetentionDays.THREE_MONTHS,
            removal_policy=RemovalPolicy.DESTROY,
        )
        project = codebuild.PipelineProject(
            self,
            step.name,
            project_name=f"asof-{step.name}",
            timeout=Duration.hours(1),
            grant_report_group_permissions=False,
            environment=codebuild.BuildEnvironment(
                build_image=codebuild.LinuxBuildImage.STANDARD_7_0, compute_type=codebuild.ComputeType.MEDIUM
            ),
            logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log_group)),
            build_spec=codebuild.BuildSpec.from_object(
                {
                    "version": "0.2",
                    "phases": {
                        "install": {"runtime-versions": {"python": "3.13", "nodejs": "22"}},
                        "build": {"commands": list(step.commands)},
                    },
                }
            ),
        )
        Validations.of(project).acknowledge(Acknowledgment(id="AwsSolutions-CB4", reason=_NO_KEY))
        grants = deploy_grants(step.deploys) if step.deploys else plan_grants(manifest) if step.reads else []
        for statement in statements(grants):
            project.add_to_role_policy(statement)
        return project

    def _artifacts(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "Artifacts",
            encryption=s3.BucketEncryption.S3_MANAGED,
            enforce_ssl=True,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            lifecycle_rules=[s3.LifecycleRule(id="artifacts", expiration=Duration.days(30))],
            removal_policy=RemovalPolicy.RETAIN,
        )
        Validations.of(bucket).acknowledge(Acknowledgment(id="AwsSolutions-S1", reason=_NO_ACCESS_LOGS))
        return bucket
