"""A small interpreter of the Amazon States Language, as far as the deployed state machines use it.

It knows no time: retries happen at once, and one that waits for a lease is an error. Functions are given as Python.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

State = dict[str, Any]
Task = Callable[[Any], Any]


class TaskError(Exception):
    """A task failed with an error's name and cause, as a state machine sees it."""

    def __init__(self, error: str, cause: str) -> None:
        self.error = error
        self.cause = cause
        super().__init__(f"{error}: {cause}")


class Stopped(BaseException):
    """Somebody stopped the execution; nothing of it runs any more."""


@dataclass
class Machine:
    """A definition and what its tasks do: by resource suffix (``lambda:invoke``), given the parameters."""

    definition: State
    tasks: Mapping[str, Task]
    execution: str = "arn:aws:states:eu-central-1:123456789012:execution:asof-test-materialize:one"
    list_objects: Callable[[str, str], list[str]] = field(default=lambda _bucket, _prefix: [])
    stop_before: int | None = None
    visited: list[str] = field(default_factory=list)

    def run(self, given: Any) -> Any:
        """The output of an execution; raises TaskError where it ends in Fail."""
        return self._states(self.definition, given, {"Execution": {"Id": self.execution}})

    def _states(self, definition: State, given: Any, context: State) -> Any:
        name = definition["StartAt"]
        while True:
            state = definition["States"][name]
            if self.stop_before is not None and len(self.visited) == self.stop_before:
                raise Stopped(name)
            self.visited.append(name)
            given, following = self._state(state, given, context)
            if following is None:
                return given
            name = following

    def _state(self, state: State, given: Any, context: State) -> tuple[Any, str | None]:
        kind = state["Type"]
        if kind == "Choice":
            (choice,) = state["Choices"]
            yes = _look(given, choice["Variable"]) is choice["BooleanEquals"]
            return given, choice["Next"] if yes else state["Default"]
        if kind == "Succeed":
            return given, None
        if kind == "Fail":
            raise TaskError(_look(given, state["ErrorPath"]), _look(given, state["CausePath"]))
        if kind == "Pass":
            filled = _fill(state["Parameters"], given, context)
            return _put(given, state.get("ResultPath", "$"), filled), None if state.get("End") else state["Next"]
        work = {"Task": self._task, "Map": self._map}[kind]
        try:
            result = self._with_retries(state, lambda: work(state, given, context))
        except TaskError as error:
            for catcher in state.get("Catch", ()):
                assert catcher["ErrorEquals"] == ["States.ALL"]
                caught = {"Error": error.error, "Cause": error.cause}
                return _put(given, catcher["ResultPath"], caught), catcher["Next"]
            raise
        if "ResultSelector" in state:
            result = _fill(state["ResultSelector"], result, context)
        output = _put(given, state.get("ResultPath", "$"), result)
        output = _look(output, state.get("OutputPath", "$"))
        return output, None if state.get("End") else state["Next"]

    def _with_retries(self, state: State, work: Callable[[], Any]) -> Any:
        tried: dict[int, int] = {}
        while True:
            try:
                return work()
            except TaskError as error:
                for i, retrier in enumerate(state.get("Retry", ())):
                    if error.error in retrier["ErrorEquals"] or retrier["ErrorEquals"] == ["States.ALL"]:
                        tried[i] = tried.get(i, 0) + 1
                        if tried[i] > retrier["MaxAttempts"] or error.error == "LeaseHeldError":
                            raise
                        break
                else:
                    raise

    def _task(self, state: State, given: Any, context: State) -> Any:
        name = state["Resource"].split(":states:::")[1]
        return json.loads(json.dumps(self.tasks[name](_fill(state["Parameters"], given, context))))

    def _map(self, state: State, given: Any, context: State) -> list[Any]:
        if "ItemReader" in state:
            place = _fill(state["ItemReader"]["Parameters"], given, context)
            items: list[Any] = [{"Key": key} for key in self.list_objects(place["Bucket"], place["Prefix"])]
        else:
            items = _look(given, state["ItemsPath"])
        results = []
        for item in items:
            inner = {**context, "Map": {"Item": {"Value": item}}}
            results.append(self._states(state["ItemProcessor"], _fill(state["ItemSelector"], given, inner), inner))
        return results


def _look(data: Any, path: str) -> Any:
    if path == "$":
        return data
    if path.startswith("$[*]."):
        return [_look(each, "$." + path.removeprefix("$[*].")) for each in data]
    for part in path.removeprefix("$.").split("."):
        if part not in data:
            raise TaskError("States.ParameterPathFailure", f"{path} is not in {sorted(data)}")
        data = data[part]
    return data


def _fill(template: Any, data: Any, context: State) -> Any:
    if not isinstance(template, dict):
        return template
    filled = {}
    for name, value in template.items():
        if name.endswith(".$"):
            in_context = value.startswith("$$")
            filled[name.removesuffix(".$")] = _look(context if in_context else data, value[1:] if in_context else value)
        else:
            filled[name] = _fill(value, data, context)
    return filled


def _put(data: Any, path: str | None, value: Any) -> Any:
    if path is None:
        return data
    return value if path == "$" else {**data, path.removeprefix("$."): value}
