"""What a local cloud knows, as bytes, and back: moto's backends and the services beside them, in one piece.

In one piece, because they refer to each other. It is Python's pickle with a few exceptions: what only lives in a
process (locks, the inside of executions) is made anew, and the parts of the assembly are referred to by name.
"""

from __future__ import annotations

import datetime
import importlib
import io
import pickle
import threading
import types
import weakref
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from asof.errors import LocalCloudError

Backends = dict[tuple[str, str], dict[str, dict[str, Any]]]
"""Module and name of a backend's class -> account -> region -> backend."""


class Keeper(Protocol):
    """A part of the assembly that has something to keep."""

    def kept(self) -> Any:
        """What is to be kept, as data."""
        ...

    def restore(self, kept: Any) -> None:
        """Take what another process kept; only before anything happened."""
        ...


def dumped(keepers: Mapping[str, Keeper], named: Mapping[str, object]) -> bytes:
    """Everything that moto and the keepers know; ``named`` are the parts that what is kept may refer to.

    Raises LocalCloudError where something cannot be kept.
    """
    state = _backends(), {name: keeper.kept() for name, keeper in keepers.items()}
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, named).dump(state)
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise LocalCloudError(f"the local cloud cannot keep its state: {error}") from error
    return buffer.getvalue()


def restored(data: bytes, keepers: Mapping[str, Keeper], named: Mapping[str, object]) -> None:
    """Put everything back; moto and the keepers know nothing yet."""
    backends, kept = _Unpickler(io.BytesIO(data), named).load()
    for (module, name), accounts in backends.items():
        found = _backend_dict(module, name)
        for account, regions in accounts.items():
            for region, backend in regions.items():
                found[account][region] = backend
    for name, value in kept.items():
        keepers[name].restore(value)


def _backends() -> Backends:
    from moto.core.base_backend import BackendDict

    used: Any = BackendDict
    return {
        (found.backend.__module__, found.backend.__qualname__): {
            account: dict(regions.items()) for account, regions in found.items()
        }
        for found in used._instances  # noqa: SLF001 # moto's own list of those in use
    }


def _backend_dict(module: str, name: str) -> Any:
    from moto.core.base_backend import BackendDict

    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, BackendDict) and value.backend.__qualname__ == name:
            return value
    raise LocalCloudError(f"moto has no place for what {module}.{name} kept")


class _Pickler(pickle.Pickler):
    """Pickles what moto's objects hold."""

    def __init__(self, buffer: io.BytesIO, named: Mapping[str, object]) -> None:
        super().__init__(buffer, protocol=5)
        self._named = {id(part): name for name, part in named.items()}
        self._special = _special()

    def persistent_id(self, obj: Any) -> str | None:
        """The name of a part of the assembly."""
        return self._named.get(id(obj))

    def reducer_override(self, obj: Any) -> Any:
        """How a few kinds are kept; NotImplemented for all others."""
        if isinstance(obj, datetime.datetime) and type(obj) is not datetime.datetime:
            # The virtual clock's own kind of instants, which ends with the process.
            fields = (obj.year, obj.month, obj.day, obj.hour, obj.minute, obj.second, obj.microsecond, obj.tzinfo)
            return datetime.datetime, fields
        if isinstance(obj, types.FunctionType) and obj.__qualname__ in _DEFAULTS:
            return getattr, (_Defaults, _DEFAULTS[obj.__qualname__])
        if isinstance(obj, defaultdict) and type(obj) is not defaultdict:
            # Not by its constructor, which takes what only moto knows.
            return _defaultdict, (type(obj), obj.default_factory), vars(obj), None, iter(obj.items())
        make = self._special.get(type(obj))
        return NotImplemented if make is None else make(obj)


class _Unpickler(pickle.Unpickler):
    """Reads what the pickler wrote."""

    def __init__(self, buffer: io.BytesIO, named: Mapping[str, object]) -> None:
        super().__init__(buffer)
        self._parts = named

    def persistent_load(self, pid: Any) -> Any:
        """The part of that name."""
        return self._parts[pid]


class _Defaults:
    """Functions that stand for those moto writes in place, which cannot be pickled."""

    @staticmethod
    def nested() -> defaultdict[Any, dict[Any, Any]]:
        """Dictionaries by key."""
        return defaultdict(dict)

    @staticmethod
    def plain() -> dict[Any, Any]:
        """An empty dictionary."""
        return {}


_DEFAULTS: Final = {
    "SimpleSystemManagerBackend.__init__.<locals>.<lambda>": "nested",
    "LambdaStorage.__init__.<locals>.<lambda>": "plain",
}


def _special() -> dict[type, Callable[[Any], Any]]:
    from moto.stepfunctions.parser.asl.eval.environment import Environment

    return {
        type(threading.Lock()): lambda _: (threading.Lock, ()),
        type(threading.RLock()): lambda _: (threading.RLock, ()),
        types.MappingProxyType: lambda proxy: (types.MappingProxyType, (dict(proxy),)),
        weakref.WeakValueDictionary: lambda weak: (weakref.WeakValueDictionary, (), None, None, iter(weak.items())),
        Environment: lambda environment: (_ended, (environment.event_manager.get_event_history(),)),
    }


def _defaultdict(kind: type[defaultdict[Any, Any]], factory: Any) -> Any:
    made = kind.__new__(kind)
    defaultdict.__init__(made, factory)
    return made


def _ended(events: list[Any]) -> Any:
    """The environment of an execution that has ended: of it only the history is ever asked for."""
    from moto.stepfunctions.parser.asl.eval.event.event_manager import EventManager

    manager: Any = EventManager()
    manager._history_event_list.extend(events)  # noqa: SLF001 # moto has no way to begin elsewhere
    return types.SimpleNamespace(event_manager=manager)
