"""The local cloud in-process: moto for S3, Glue, DynamoDB, STS and Athena's API, with an Athena that executes.

Product code inside it uses boto3 and awswrangler as it would on AWS. For tests, notebooks and the demo.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar
from unittest.mock import patch

from asof.clock import Clock, SystemClock
from asof.errors import LocalCloudError, MissingExtraError
from asof.local.faults import Faults
from asof.local.provision import provision
from asof.names import Environment

if TYPE_CHECKING:
    import boto3
    from botocore.loaders import Loader

ACCOUNT = "123456789012"
REGION = "eu-central-1"


class LocalCloud:
    """AWS inside this process, from :meth:`start` (or ``with``) to :meth:`stop`; afterwards nothing of it is left.

    ``region`` and ``account`` are those of the environment it stands for. ``clock`` dates query executions.
    ``writers`` is the number of files that Athena spreads each partition it writes over, as its workers do.
    ``faults`` makes requests and queries fail on purpose. Only one can run at a time in a process: moto's state is
    the process's.
    """

    _running: ClassVar[LocalCloud | None] = None
    _models: ClassVar[Loader | None] = None

    def __init__(
        self, *, region: str = REGION, account: str = ACCOUNT, clock: Clock | None = None, writers: int = 1
    ) -> None:
        self.region = region
        self.account = account
        self._clock = clock or SystemClock()
        self._writers = writers
        self.faults = Faults()
        self._stack: ExitStack | None = None

    def start(self) -> LocalCloud:
        """Begin to answer AWS calls; raises LocalCloudError where a local cloud runs already."""
        if LocalCloud._running is not None:
            raise LocalCloudError(
                "a local cloud is running in this process already; stop it first, or use its session()"
            )
        try:
            from moto import mock_aws

            from asof.local.athena.moto_adapter import Athena, installed
        except ImportError as error:
            raise MissingExtraError(error.name or "moto", "local", "the local cloud") from error
        with ExitStack() as stack:
            cache = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="asof-local-")))
            stack.enter_context(_environment(self.region, self.account))
            stack.enter_context(mock_aws())
            athena = Athena(cache, self._clock, writers=self._writers, hook=self.faults.around_query)
            stack.callback(athena.close)
            stack.enter_context(installed(athena))
            stack.enter_context(self.faults.installed())
            stack.callback(self.faults.clear)
            self._stack = stack.pop_all()
        LocalCloud._running = self
        return self

    def stop(self) -> None:
        """Forget everything and give the process back as it was; stopping twice does nothing."""
        stack, self._stack = self._stack, None
        if stack is not None:
            LocalCloud._running = None
            stack.close()

    def __enter__(self) -> LocalCloud:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def session(self) -> boto3.Session:
        """A session of its own with made-up credentials, in the cloud's region.

        All sessions share botocore's parsed service models, which makes a client in 5 ms instead of 50.
        """
        import boto3
        import botocore.loaders
        import botocore.session

        if self._stack is None:
            raise LocalCloudError("the local cloud is not running; call start() or use it as a context manager")
        if LocalCloud._models is None:
            LocalCloud._models = botocore.loaders.create_loader()
        session = botocore.session.get_session()
        session.register_component("data_loader", LocalCloud._models)
        return boto3.Session(
            aws_access_key_id="local",
            aws_secret_access_key="local",  # noqa: S106 # not a secret: nothing checks it
            region_name=self.region,
            botocore_session=session,
        )

    def environment(self, name: str = "local") -> Environment:
        """The names of an environment in this account and region."""
        return Environment(name, self.account, self.region)

    def provision(self, environment: Environment) -> None:
        """Create what a deployment creates: buckets, Glue database, Athena workgroup, DynamoDB tables.

        What exists already stays as it is, so provisioning twice is harmless.
        """
        provision(self.session(), environment)


def _environment(region: str, account: str) -> ExitStack:
    """The process's environment for AWS: this region and account, and nothing that leads to the real one."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ours = {
        "AWS_DEFAULT_REGION": region,
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "MOTO_ACCOUNT_ID": account,
    }
    stack = ExitStack()
    stack.enter_context(patch.dict(os.environ, {**kept, **ours}, clear=True))
    return stack
