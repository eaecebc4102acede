"""The engines that are asked, each started when a test first needs it. One that cannot start is a failure, no skip."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from importlib import import_module
from typing import Any

import pytest

from tests.support.asked_engines import ASKED
from tests.support.engine import Engine
from tests.support.tally import Tally

_OPEN = {
    "duckdb": "tests.support.duckdb_engine:open_duckdb",
    "spark": "tests.support.spark_engine:open_spark",
    "trino": "tests.support.trino_engine:open_trino",
    "local_athena": "tests.support.local_athena_engine:open_local_athena",
}
_OVER_A_CLOUD = ("trino", "local_athena")
"""These read tables of a local cloud, of which a process has one."""

_TALLY = pytest.StashKey[Tally]()

# Without Trino there is nothing these could ask.
_OF_TRINO = (
    "test_point_in_time_benchmark.py",
    "test_point_in_time_plan.py",
    "test_trino_reads_what_asof_wrote.py",
    "test_trino_and_local_athena.py",
)
collect_ignore = [] if "trino" in ASKED else [*_OF_TRINO]


def pytest_configure(config: pytest.Config) -> None:
    """Begin to count; let pyspark be untidy."""
    config.stash.setdefault(_TALLY, Tally())
    if "spark" in ASKED:
        # pyspark leaves sockets to the garbage collector, which finds them in whatever test comes next.
        config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say how much was compared."""
    tally = config.stash.get(_TALLY, Tally())
    if tally.datasets:
        terminalreporter.section("behaviour of engines")
        for line in tally.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    """Where comparisons are counted."""
    return request.config.stash.setdefault(_TALLY, Tally())


@pytest.fixture(scope="session")
def opened() -> Iterator[Callable[[str], Any]]:
    """Gives an engine by its name; all end with the session."""
    with ExitStack() as stack:
        there: dict[str, Any] = {}

        def cloud() -> Any:
            if "cloud" not in there:
                from asof.local.server.local_server import LocalServer

                there["cloud"] = stack.enter_context(LocalServer())
            return there["cloud"]

        def give(name: str) -> Any:
            if name not in there:
                module, _, function = _OPEN[name].partition(":")
                opener: Callable[..., AbstractContextManager[Any]] = getattr(import_module(module), function)
                arguments = [cloud()] if name in _OVER_A_CLOUD else []
                there[name] = stack.enter_context(opener(*arguments))
            return there[name]

        yield give


@pytest.fixture(params=[each for each in ASKED if each in _OPEN])
def engine(request: pytest.FixtureRequest, opened: Callable[[str], Any]) -> Engine:
    """Each engine that is asked."""
    given: Engine = opened(request.param)
    return given
