"""The CDK app: compiles the definitions and builds the stacks of one environment. It makes no AWS call.

``npx cdk deploy --all -c env=dev``; further context: ``definitions=<folder>``, ``destroy=<env>`` (the second of two
keys, see infra/environments.py), ``connection=<arn>`` and ``repository=<owner/name>`` for the pipeline,
``github=<owner/name>`` for the roles of GitHub's workflow.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from aws_cdk import App

from asof.definitions import compile_path
from asof.errors import AsofError
from infra.app import add_delivery, add_environment


def main() -> None:
    """Build and write the cloud assembly; a mistake in the definitions is told as such, without a traceback."""
    app = App()
    try:
        manifest = compile_path(Path(app.node.try_get_context("definitions") or "feature_defs"))
        add_environment(app, manifest, os.environ)
        add_delivery(app, manifest)
    except AsofError as error:
        sys.exit(f"asof: {error}")
    app.synth()


if __name__ == "__main__":
    main()
