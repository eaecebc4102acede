"""Faults of every service a run needs, met by what is deployed: it recovers, or fails loudly and loses nothing."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from asof.cli import main
from asof.clock import from_ms, iso, to_ms
from asof.errors import LocalCloudError
from asof.local.faults import Faults
from tests.support.deployment_world import World
from tests.support.fault_cases import (
    LOUD,
    RECOVERS,
    STATES,
    TASKS,
    TIMEOUTS,
    broken_query,
    every_read_is_throttled,
    nothing_is_read,
)
from tests.support.fault_runs import REFERENCE, VIEW, WEATHER, Runs, Weather, features
from tests.support.small_store import ORIGINS


@pytest.fixture(scope="module")
def runs(world: World) -> Runs:
    """The deployed store with its first hour published."""
    runs = Runs(world.server, world.deployment)
    runs.begin()
    return runs


@pytest.fixture(scope="module")
def weather(runs: Runs) -> Weather:
    """The other view, which a backfill and schedules work on."""
    return Weather(runs)


@pytest.fixture(autouse=True)
def no_faults(runs: Runs) -> Iterator[None]:
    """Whatever a test leaves behind does not disturb the next."""
    yield
    runs.faults.clear()


def killed_at(runs: Runs, states: Sequence[str], arn: str) -> None:
    """An execution is killed at each of the states in turn, and redriven each time."""
    for state in states:
        runs.faults.stop_execution(state)
        runs.redrive(arn)
        runs.stopped(arn)
    runs.redrive(arn)


@pytest.mark.parametrize("how", ["redriven", "started anew"])
@pytest.mark.parametrize("state", TASKS)
def test_killed_at_a_task(runs: Runs, state: str, how: str) -> None:
    """Its work goes on unseen, beside that of whoever comes next; all is as though nothing had happened."""
    request = runs.next()
    runs.faults.stop_execution(state)
    arn = runs.start(request)
    runs.stopped(arn)
    if how == "redriven":
        runs.redrive(arn)
    else:
        arn = runs.start(request)
    assert runs.ended(arn)["status"] == "SUCCEEDED"
    runs.check()


def test_a_redrive_after_another_run_has_taken_over_says_so_and_the_next_one_is_idle(runs: Runs) -> None:
    """Being stopped rings the alarm; the late one records nothing, and finds the work done."""
    request = runs.next()
    with runs.failing_loudly():
        runs.faults.stop_execution("Query")
        late = runs.start(request)
        runs.stopped(late)
    assert runs.ended(runs.start(request))["status"] == "SUCCEEDED"
    runs.redrive(late)
    found = runs.ended(late)
    assert found["status"] == "FAILED"
    assert "LeaseLostError" in found["cause"]
    assert "Another execution took it over, and it is published" in found["cause"]
    runs.check()
    runs.redrive(late)
    assert runs.ended(late)["status"] == "SUCCEEDED"
    runs.check()


def test_killed_at_every_state_and_redriven_each_time(runs: Runs) -> None:
    """One execution over two chunks, whose iterations are killed as well, and those of the distributed map."""
    request = runs.next(hours=2)
    runs.faults.stop_execution(STATES[0])
    arn = runs.start(request)
    runs.stopped(arn)
    killed_at(runs, STATES[1:], arn)
    assert runs.ended(arn)["redriveCount"] == len(STATES)
    runs.check()


def test_killed_at_every_state_of_a_failure_and_redriven_each_time(runs: Runs) -> None:
    """The failure is recorded and told; then the redriven execution begins again, and is killed with nothing to do."""
    runs.told()
    broken_query(runs.faults)
    runs.faults.stop_execution("Fail")
    arn = runs.start(runs.next())
    runs.stopped(arn)
    killed_at(runs, ("FailedAt", "Failed"), arn)
    assert runs.ended(arn)["status"] == "SUCCEEDED"
    assert any("attempt 3 of 3" in each for each in runs.told())
    runs.check()
    runs.faults.stop_execution("UpToDate")
    idle = runs.start({"view": VIEW, "kind": "incremental", "end": iso(to_ms(runs.through))})
    runs.stopped(idle)
    runs.redrive(idle)
    assert runs.ended(idle)["status"] == "SUCCEEDED"
    runs.check()


@pytest.mark.parametrize("how", ["redriven", "started anew"])
def test_a_backfill_that_is_killed_takes_its_runs_along(runs: Runs, how: str) -> None:
    """And what comes next finishes them first."""
    asked = runs.next(hours=2)
    backfill = {"views": [VIEW], "start": asked["start"], "end": asked["end"], "chunk": "1h"}
    runs.faults.stop_execution("Views")
    arn = runs.start(backfill, "backfill")
    runs.stopped(arn)
    runs.redrive(arn)
    while runs.lease() == 0:
        time.sleep(0.02)
    runs.client("stepfunctions").stop_execution(executionArn=arn)
    if how == "redriven":
        runs.redrive(arn)
    else:
        arn = runs.start(backfill, "backfill")
    assert runs.ended(arn)["status"] == "SUCCEEDED"
    assert "ABORTED" in runs.deployment.executions("materialize")
    runs.check()


@pytest.mark.parametrize("fault", RECOVERS, ids=lambda fault: fault.__name__)
def test_what_passes_is_waited_for(runs: Runs, fault: Callable[[Faults], None]) -> None:
    """The run succeeds, and everything is there once."""
    fault(runs.faults)
    found = runs.ended(runs.start(runs.next()))
    assert (found["status"], runs.faults.pending) == ("SUCCEEDED", 0), found
    runs.check()


@pytest.mark.parametrize("when", ["before", "after"])
def test_functions_that_run_out_of_time_are_called_again(runs: Runs, when: Any) -> None:
    """Killed in the midst of a call, before it took effect or after: every function in its turn, in one run."""
    for function, service, operation in TIMEOUTS:
        runs.faults.time_out(runs.deployment.environment.named(function), service, operation, when=when)
    found = runs.ended(runs.start(runs.next()))
    assert (found["status"], runs.faults.pending) == ("SUCCEEDED", 0), found
    runs.check()


@pytest.mark.parametrize(("fault", "hours", "reason"), LOUD, ids=lambda each: getattr(each, "__name__", ""))
def test_what_lasts_fails_loudly_and_a_redrive_goes_on(
    runs: Runs, fault: Callable[[Faults], None], hours: int, reason: str
) -> None:
    """The lease is given back, the ledger and the topic say why, the alarm goes off; nothing is half there."""
    before, request = runs.through, runs.next(hours)
    with runs.failing_loudly() as told:
        fault(runs.faults)
        arn = runs.start(request)
        found = runs.ended(arn)
        runs.faults.clear()
        told.extend(runs.told())
        assert (found["status"], found["error"]) == ("FAILED", "RunFailedError")
        assert reason in found["cause"]
    assert runs.lease() == 0
    record = runs.runs()[-1]
    assert record.state == "open"
    assert reason in record.error
    assert sum(reason in each and REFERENCE in each and arn in each for each in told) == 1
    assert runs.served() == {origin: features(origin, before) for origin in ORIGINS}
    runs.redrive(arn)
    assert runs.ended(arn)["status"] == "SUCCEEDED"
    runs.check()


def test_a_failure_of_which_nobody_can_be_told_still_fails(runs: Runs) -> None:
    """The topic refuses; the execution fails all the same, with its lease given back, and the alarm says so."""
    request = runs.next()
    with runs.failing_loudly():
        broken_query(runs.faults)
        runs.faults.error("sns", "Publish", "AuthorizationError", times=6)
        arn = runs.start(request)
        found = runs.ended(arn)
        assert (found["status"], runs.faults.pending) == ("FAILED", 0)
        assert "attempt 3 of 3" in found["cause"]
    assert runs.lease() == 0
    assert runs.ended(runs.start(request))["status"] == "SUCCEEDED"
    runs.check()


def test_lookups_with_partial_answers_are_whole_or_refused(runs: Runs) -> None:
    """Never NOT_FOUND for what is there: keys are asked for again, and after the deadline it is a 503."""
    mark = runs.store.watermark(VIEW)
    assert mark is not None
    expected = {origin: features(origin, from_ms(mark.through_ms)) for origin in ORIGINS}
    for keep in (0, 1, 2):
        runs.faults.unprocessed_keys(keep, times=2)
        assert runs.served() == expected
        assert runs.faults.pending == 0
    runs.faults.throttle("dynamodb", "BatchGetItem", times=2)
    assert runs.served() == expected
    lasting: list[Callable[[Faults], None]] = [nothing_is_read, every_read_is_throttled]
    for fault in lasting:
        fault(runs.faults)
        with pytest.raises(LocalCloudError, match="answered 503") as refused:
            runs.served()
        cause: Any = refused.value.__cause__
        assert int(cause.headers["retry-after"]) > 0
        runs.faults.clear()
    assert runs.served() == expected


def test_two_executions_at_once_do_the_work_once(runs: Runs) -> None:
    """The second waits for the lease of the first, and finds nothing left to do."""
    runs.next()
    request = {"view": VIEW, "kind": "incremental", "end": iso(to_ms(runs.through))}
    known = len(runs.runs())
    arns = [runs.start(request) for _ in range(2)]
    found = [runs.ended(arn) for arn in arns]
    assert [each["status"] for each in found] == ["SUCCEEDED", "SUCCEEDED"], found
    assert sorted(json.loads(each["output"]).get("idle", False) for each in found) == [False, True]
    assert len(runs.runs()) == known + 1
    runs.check()


def test_every_function_called_twice_with_one_event(runs: Runs) -> None:
    """As Lambda may: each answer is lost once, so that the state machine asks again for what was done."""
    for number in range(40):
        runs.faults.lose_answer("lambda", "Invoke", skip=number)
    known = len(runs.runs())
    found = runs.ended(runs.start(runs.next()))
    assert found["status"] == "SUCCEEDED", found
    assert runs.faults.pending <= 40 - 8
    assert len(runs.runs()) == known + 1
    runs.faults.clear()
    runs.check()


def test_a_schedule_that_fires_during_a_backfill_waits_for_it(runs: Runs, weather: Weather) -> None:
    """Both do their work, one after the other."""
    first, last = runs.hour(-30), runs.hour(-20)
    arn = runs.start({"views": [WEATHER], "start": first, "end": last, "chunk": "31d"}, "backfill")
    while not weather.lease_is_held():
        time.sleep(0.02)
    scheduled = runs.fire(WEATHER)
    assert runs.described(arn)["status"] == "RUNNING"
    assert [runs.ended(each)["status"] for each in (arn, scheduled)] == ["SUCCEEDED", "SUCCEEDED"]
    weather.check()


def test_a_start_that_fails_for_an_hour_is_a_dead_letter(runs: Runs) -> None:
    """And an alarm, until somebody takes the letter out."""
    runs.server.advance("2m")
    assert runs.deployment.alarm("dead-letters") == "OK"
    runs.faults.error("states", "StartExecution", "StateMachineDoesNotExist", times=20)
    assert runs.fire(WEATHER) == ""
    runs.server.advance("70m")
    runs.faults.clear()
    assert runs.deployment.alarm("dead-letters") == "ALARM"
    (letter,) = runs.received(runs.queue(runs.deployment.environment.named("dead-letters")))
    assert json.loads(letter["Body"]) == {"view": f"{WEATHER}@v1", "kind": "incremental"}
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "StateMachineDoesNotExist"
    runs.server.advance("2m")
    assert runs.deployment.alarm("dead-letters") == "OK"


def test_rows_with_a_null_key_are_set_aside_and_counted(runs: Runs) -> None:
    """The run succeeds; they are in the quarantine, in the ledger, and in no feature."""
    request = runs.next()
    at = runs.through.replace(tzinfo=None) - timedelta(minutes=30)
    with runs.poison({"origin": [None, None], "departed_at": [at, at], "dep_delay": [1.0, 2.0]}):
        assert runs.ended(runs.start(request))["status"] == "SUCCEEDED"
    record = runs.runs()[-1]
    assert record.quarantined == 2
    kept = runs.objects(f"quarantine/{VIEW}_v1/")
    assert any(record.run.run_id in key for key in kept), kept
    runs.check()


def test_a_file_of_another_type_fails_the_run_and_says_which_query_and_why(runs: Runs) -> None:
    """In ``asof runs``, in one line; when the file is gone a redrive goes on."""
    before, request = runs.through, runs.next()
    at = runs.through.replace(tzinfo=None) - timedelta(minutes=30)
    with runs.poison({"origin": ["JFK"], "departed_at": [at], "dep_delay": ["late"]}):
        arn = runs.start(request)
        assert runs.ended(arn)["status"] == "FAILED"
    shown = CliRunner().invoke(main, ["runs", VIEW, "--env", runs.deployment.environment.name, "--json"])
    assert shown.exit_code == 0, shown.output
    last = json.loads(shown.stdout)[-1]
    assert last["state"] == "open"
    assert re.search(r"airport_departures@v1: query [0-9a-f-]{36} failed.*dep_delay", last["error"]), last
    assert "mend" in last["error"]
    assert runs.served() == {origin: features(origin, before) for origin in ORIGINS}
    runs.redrive(arn)
    assert runs.ended(arn)["status"] == "SUCCEEDED"
    runs.check()


def test_a_source_that_is_missing_is_told_by_name_and_an_empty_one_is_no_error(runs: Runs, weather: Weather) -> None:
    """Without its table the run does not begin; without rows it publishes none; with them again a backfill repairs."""
    runs.told()
    request = {"view": WEATHER, "kind": "backfill", "start": runs.hour(-20), "end": runs.hour(-10)}
    with weather.without_rows():
        with weather.without_table():
            arn = runs.start(request)
            found = runs.ended(arn)
            assert found["status"] == "FAILED"
            assert "there is no table nyc.weather" in found["cause"]
            # The alarm of failed runs may tell the topic too, where a minute ends meanwhile.
            (told,) = (each for each in runs.told() if f"a run of {WEATHER} failed" in each)
            assert "there is no table nyc.weather in the Glue catalog" in told
            assert not weather.lease_is_held()
        runs.redrive(arn)
        assert runs.ended(arn)["status"] == "SUCCEEDED"
        assert weather.runs()[-1].rows == 0
    assert runs.ended(runs.start(request))["status"] == "SUCCEEDED"
    weather.check()
