"""The Glue jobs: Spark for what is too big for one Athena query, with one role and one library for all of them."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_glue as glue
from aws_cdk import aws_s3_assets as assets
from constructs import Construct

from infra.bundling import JOBS, stage_job_library
from infra.constructs.function import make_role
from infra.permissions import Grant, glue_jobs
from infra.places import Places

_WORKERS: Final = 10
_MINUTES: Final = 24 * 60
_AT_ONCE: Final = 10
_JOBS: Final = {
    "backfill": "Computes a view over a long range; started again, it goes on",
    "compact": "Rewrites a view's history into one partition per event date",
    "export": "Writes a training set too large for one Athena query",
}
_UNENCRYPTED: Final = (
    "Logs hold names and counts, no data, and CloudWatch encrypts them with its own key; the jobs keep no bookmarks"
)


class GlueJobs(Construct):
    """``asof-<env>-backfill``, ``-compact`` and ``-export``. Nothing runs, or costs, until somebody starts one.

    Which view, range or training set is an argument of the run: ``aws glue start-job-run --arguments``.
    """

    def __init__(self, scope: Construct, construct_id: str, places: Places) -> None:
        super().__init__(scope, construct_id)
        with tempfile.TemporaryDirectory(prefix="asof-jobs-") as folder:
            stage_job_library(Path(folder))
            library = assets.Asset(self, "Library", path=folder)
        scripts = {name: assets.Asset(self, f"{name.title()}Script", path=str(JOBS / f"{name}.py")) for name in _JOBS}
        code = tuple(each.bucket.arn_for_objects(each.s3_object_key) for each in (library, *scripts.values()))
        grants = [*glue_jobs(places), Grant(("s3:GetObject",), code, "glue")]
        role = make_role(self, "Role", "glue.amazonaws.com", grants)
        environment = places.environment
        for name, description in _JOBS.items():
            job = glue.CfnJob(
                self,
                name.title(),
                name=environment.named(name),
                description=description,
                role=role.role_arn,
                command=glue.CfnJob.JobCommandProperty(
                    name="glueetl", python_version="3", script_location=scripts[name].s3_object_url
                ),
                default_arguments={
                    "--environment": environment.name,
                    "--account": environment.account,
                    "--region": environment.region,
                    "--extra-py-files": library.s3_object_url,
                    "--enable-auto-scaling": "true",
                    "--enable-continuous-cloudwatch-log": "true",
                    "--job-bookmark-option": "job-bookmark-disable",
                },
                glue_version="5.0",
                worker_type="G.1X",
                number_of_workers=_WORKERS,
                timeout=_MINUTES,
                max_retries=0,
                execution_property=glue.CfnJob.ExecutionPropertyProperty(max_concurrent_runs=_AT_ONCE),
            )
            for rule in ("GL1", "GL3"):
                Validations.of(job).acknowledge(Acknowledgment(id=f"AwsSolutions-{rule}", reason=_UNENCRYPTED))
