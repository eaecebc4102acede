"""Puts the parts together and takes them apart again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from asof.clock import SystemClock
from asof.local.athena import moto_adapter as athena_adapter
from asof.local.athena.moto_adapter import Athena
from asof.local.cloudformation.callbacks import Callbacks
from asof.local.cloudformation.errors import ValidationError
from asof.local.cloudformation.model import Stack
from asof.local.cloudformation.moto_adapter import CloudFormation
from asof.local.cloudformation.provider import Context
from asof.local.cloudformation.resources import resource_types
from asof.local.cloudformation.service import CloudFormationService
from asof.local.cloudformation.template import split_template_url
from asof.local.faults import Faults
from asof.local.server.backend_apps import BackendApps
from asof.local.server.kept import Keeper
from asof.local.services import access_log, alarms, athena_workgroups, bucket_policies, glue_jobs, metrics, moto_time
from asof.local.services.access_log import AccessLog
from asof.local.services.activity import Activity
from asof.local.services.alarms import Alarms
from asof.local.services.clients import Clients, role_credentials
from asof.local.services.functions import moto_adapter as functions_adapter
from asof.local.services.functions.moto_adapter import Functions
from asof.local.services.functions.runner import Runner
from asof.local.services.http_api.gateway import Gateway
from asof.local.services.metrics import Metrics
from asof.local.services.scheduler import Scheduler
from asof.local.services.state_machines import moto_adapter as state_machines_adapter
from asof.local.services.state_machines.executions import Executions
from asof.local.services.timeline import Timeline
from asof.local.services.virtual_clock import VirtualClock

_LOOK_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True)
class Assembly:
    """The parts of a local cloud that is running."""

    moto: Callable[..., Any]
    clock: VirtualClock
    timeline: Timeline
    gateway: Gateway
    callbacks: Callbacks
    access: AccessLog
    athena: Athena
    cloudformation: CloudFormation
    activity: Activity
    executions: Executions
    keepers: Mapping[str, Keeper]
    named: Mapping[str, object]

    def rest(self, patience_seconds: float) -> bool:
        """Let what is at work come to its end, and end what only waits; False where that takes too long.

        Nothing may begin any more.
        """
        deadline = time.monotonic() + patience_seconds
        settled = self.activity.settle(patience_seconds)
        while settled and any(stack.busy for stack in self.stacks()):
            settled = time.monotonic() < deadline
            time.sleep(_LOOK_SECONDS)
        self.executions.stop_all("the local cloud ended")
        return settled

    def stacks(self) -> list[Stack]:
        """Every stack that exists."""
        return [stack for stack in self.cloudformation.stacks() if stack.status != "DELETE_COMPLETE"]


def assemble(
    stack: ExitStack, folder: Path, endpoint: str, account: str, *, now_ms: int | None, faults: Faults
) -> Assembly:
    """The parts, taken apart again when ``stack`` is closed. ``folder`` is theirs alone, and ``faults`` meet them."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    clock = VirtualClock()
    if now_ms is not None:
        clock.start_at(now_ms)
    clients = Clients(endpoint, account)
    store = Metrics(clock)
    activity = Activity(clock)
    timeline = Timeline(clock, activity.settle)

    runner = _runner(stack, folder / "functions", endpoint, account, clock)
    faults.expire, faults.function_of = runner.expire, runner.function_of
    functions = Functions(runner, store, timeline, activity)
    executions = Executions(clock, store, activity, stops_at=faults.stops_at)
    callbacks = Callbacks()
    access = AccessLog()
    athena = Athena(folder / "athena", clock, hook=faults.around_query)
    stack.callback(athena.close)
    activity.watch(athena.resting)
    cloudformation = CloudFormation(_cloudformation(clients, callbacks, endpoint))
    for installed in (
        *_amendments(),
        moto_time.installed(clock),
        access_log.installed(access),
        metrics.installed(store),
        athena_adapter.installed(athena),
        functions_adapter.installed(functions),
        state_machines_adapter.installed(executions, activity, clients),
    ):
        stack.enter_context(installed)
    scheduler = Scheduler(timeline, clients, store)
    for source in (scheduler, Alarms(store, clients), activity):
        timeline.add(source)
    keepers: dict[str, Keeper] = {
        "metrics": store,
        "scheduler": scheduler,
        "timeline": timeline,
        "executions": executions,
        "athena": athena,
        "cloudformation": cloudformation,
    }
    return Assembly(
        moto=DomainDispatcherApplication(BackendApps(cloudformation)),
        clock=clock,
        timeline=timeline,
        gateway=Gateway(functions, store, clock),
        callbacks=callbacks,
        access=access,
        athena=athena,
        cloudformation=cloudformation,
        activity=activity,
        executions=executions,
        keepers=keepers,
        named={**keepers, "functions": functions},
    )


def _amendments() -> tuple[AbstractContextManager[None], ...]:
    """What moto lacks, or would only pretend, and needs nothing of the other parts."""
    return alarms.installed(), athena_workgroups.installed(), bucket_policies.installed(), glue_jobs.installed()


def _runner(stack: ExitStack, folder: Path, endpoint: str, account: str, clock: VirtualClock) -> Runner:
    def credentials(role_arn: str, region: str) -> dict[str, str]:
        given = role_credentials(role_arn, region, account, "lambda")
        return {name.upper(): value for name, value in given.items()}

    runner = Runner(folder, endpoint, clock, credentials)
    stack.callback(runner.close)
    return runner


def _cloudformation(
    clients: Clients, callbacks: Callbacks, endpoint: str
) -> Callable[[str, str], CloudFormationService]:
    def make(account: str, region: str) -> CloudFormationService:
        def context(stack: Stack, logical_id: str, kind: str, generation: int) -> Context:
            return Context(
                account=account,
                region=region,
                stack_id=stack.id,
                stack_name=stack.name,
                logical_id=logical_id,
                type=kind,
                generation=generation,
                endpoint=endpoint,
                client=lambda service: clients.client(service, region),
            )

        def parameter(name: str) -> str:
            from moto.ssm.models import ssm_backends

            found = ssm_backends[account][region].get_parameter(name)
            if found is None or found.value is None:
                raise ValidationError(f"Unable to fetch parameters [{name}] from parameter store for this account.")
            return str(found.value)

        def template_text(url: str) -> str:
            bucket, key = split_template_url(url)
            content: bytes = clients.client("s3", region).get_object(Bucket=bucket, Key=key)["Body"].read()
            return content.decode()

        # The machine's clock: the CDK looks for events by its own.
        clock = SystemClock()
        types = resource_types(callbacks)
        return CloudFormationService(
            account, region, types=types, context=context, ssm=parameter, template_text=template_text, clock=clock
        )

    return make


def forget() -> None:
    """Reset everything moto knows in this process."""
    from moto.core.base_backend import BackendDict
    from moto.core.model_instances import reset_model_data

    BackendDict.reset()
    reset_model_data()
