"""Glue's StartJobRun, refused: there is no Spark in the local cloud, and moto would report success without any work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from unittest.mock import patch

_REFUSAL: Final = (
    "the local cloud does not run Glue jobs: it has no Spark. Run the job's script where pyspark is, "
    "python -m glue_jobs.<name>, with AWS_ENDPOINT_URL and Spark's s3:// set to the local cloud"
)


def _start_job_run(response: Any) -> Any:
    response.glue_backend.get_job(json.loads(response.body)["JobName"])  # whose error comes first
    return json.dumps({"__type": "InvalidInputException", "Message": _REFUSAL}), {"status": 400}


@contextmanager
def installed() -> Iterator[None]:
    """While inside, no job run can be started."""
    from moto.glue.responses import GlueResponse

    with patch.object(GlueResponse, "start_job_run", _start_job_run):
        yield
