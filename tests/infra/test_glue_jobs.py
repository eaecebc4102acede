"""The Glue jobs as they are deployed: a library that runs on its own, what Glue is told, and a role for that alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from asof.names import Environment
from infra.bundling import JOBS, NEVER, modules, stage_job_library
from infra.permissions import glue_jobs
from infra.places import Places
from tests.support.synth import ACCOUNT, REGION, definitions, dev_templates, resources

NAMES = ("backfill", "compact", "export")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that becomes --extra-py-files."""
    folder = tmp_path_factory.mktemp("library")
    stage_job_library(folder)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_a_script_runs_with_the_library_alone(name: str, library: Path) -> None:
    """Beside it, only what Glue has: boto3 and pyspark. It loads sqlglot from the library."""
    program = f"""
import sys, runpy
site = [path for path in sys.path if "site-packages" in path]
sys.path[:] = [{str(library)!r}, *(path for path in sys.path if "site-packages" not in path)]
import sqlglot, asof, glue_jobs
assert all(module.__file__.startswith({str(library)!r}) for module in (sqlglot, asof, glue_jobs)), sqlglot.__file__
sys.path += site
runpy.run_path({str(JOBS / f"{name}.py")!r}, run_name="loaded")
print([name for name in ("pydantic", "duckdb", "moto", "pandas") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-B", "-c", program], capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_the_library_holds_what_is_imported(library: Path, tmp_path: Path) -> None:
    """Python's source and nothing else, the same bytes each time, without what only authors need."""
    files = {str(path.relative_to(library)): path.read_bytes() for path in library.rglob("*") if path.is_file()}
    assert all(file.endswith(".py") for file in files)
    assert {file.partition("/")[0] for file in files} == {"asof", "glue_jobs", "sqlglot"}
    found = [module for name in NAMES for module in modules(JOBS / f"{name}.py")]
    assert not [module for module in found if module.startswith(NEVER)]
    stage_job_library(tmp_path)
    assert files == {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*.py")}


def test_what_glue_is_told() -> None:
    """One role, one library; the environment is in the job, what to do in each run's arguments."""
    service = dev_templates()["asof-dev-service"]
    jobs = {each["Properties"]["Name"]: each["Properties"] for each in resources(service, "AWS::Glue::Job").values()}
    assert set(jobs) == {f"asof-dev-{name}" for name in NAMES}
    assert len({json.dumps(each["Role"]) for each in jobs.values()}) == 1
    for each in jobs.values():
        given = each["DefaultArguments"]
        assert (each["GlueVersion"], each["MaxRetries"]) == ("5.0", 0)
        assert (given["--environment"], given["--account"], given["--region"]) == ("dev", ACCOUNT, REGION)
        assert given["--extra-py-files"] == jobs["asof-dev-backfill"]["DefaultArguments"]["--extra-py-files"]


def test_the_jobs_may_touch_the_environment_s_own_and_read_its_sources() -> None:
    """No action on everything, nothing of other environments; what is deleted lies under prefixes that jobs write."""
    service = dev_templates()["asof-dev-service"]
    (role,) = [
        each["Properties"]
        for each in resources(service, "AWS::IAM::Role").values()
        if "glue.amazonaws.com" in json.dumps(each)
    ]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    text = json.dumps(statements)
    assert '"*"' not in text
    assert "asof-prod" not in text
    places = Places(Environment("dev", ACCOUNT, REGION), "aws", definitions())
    deleted = [each for grant in glue_jobs(places) if "s3:DeleteObject" in grant.actions for each in grant.resources]
    assert {each.partition("/")[2].partition("/")[0] for each in deleted} == {
        "history",
        "quarantine",
        "scratch",
        "exports",
    }
    assert all("registry" not in each for each in deleted)
