"""The base of everything a user writes: frozen, strict, aware of its place, and complete in its complaints."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError
from pydantic_core import ErrorDetails

from asof.definitions.origin import Origin, caller
from asof.definitions.recording import Unknown, current, holds_unknown
from asof.errors import DefinitionError, Problem
from asof.value_types import ValueType

_SHOWN: Final = 60
"""Characters of a value that a message shows."""


class Wrong(ValueError):  # noqa: N818 - not raised to a caller: pydantic carries it to the list of problems
    """What is wrong, what to do about it, and, within an argument of several lines, in which line (from 0)."""

    def __init__(self, what: str, fix: str = "", line: int = 0) -> None:
        self.what = what
        self.fix = fix
        self.line = line
        super().__init__(what)


class Definition(BaseModel):
    """A frozen object of the user's definitions; unknown arguments are refused.

    A mistaken construction raises DefinitionError with all its problems. While a folder is being discovered the
    problems are written down instead and the object becomes a placeholder, so that all files are read to their end.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    _positional: ClassVar[tuple[str, ...]] = ()
    """Arguments that may be given by position."""
    _collected: ClassVar[bool] = False
    """Whether discovery gathers objects of this class."""

    _origin: Origin = PrivateAttr(default_factory=Origin)
    _valid: bool = PrivateAttr(default=True)

    def __init__(self, /, *args: object, **arguments: Any) -> None:
        recorder = current()
        given_origin: Origin | None = arguments.pop("_at", None)
        origin = given_origin or caller(recorder.root if recorder else None)
        problems = [
            # Lines within an argument are lines of the file only where that argument's own place was given.
            Problem(origin.file, origin.line + (wrong.line if given_origin else 0), what, wrong.fix)
            for what, wrong in self._construct(args, arguments)
        ]
        self._origin = origin
        if recorder is None:
            if problems:
                raise DefinitionError(problems)
            return
        recorder.problems += problems
        if self._collected:
            recorder.objects.append(self)

    def __eq__(self, other: object) -> bool:
        """Definitions are equal where they say the same, wherever they stand."""
        return type(other) is type(self) and other.__dict__ == self.__dict__

    __hash__ = None  # type: ignore[assignment]  # compared by content, some of which (dicts) has no hash

    def __repr__(self) -> str:
        return shown(self)

    @property
    def origin(self) -> Origin:
        """The file and line that constructed this object."""
        return self._origin

    @property
    def valid(self) -> bool:
        """Whether this object itself is valid, whatever it is made of."""
        return self._valid

    @property
    def complete(self) -> bool:
        """Whether this object and all it is made of are valid; what is not has been reported already."""
        return self._valid and all(map(_is_complete, self.__dict__.values()))

    def problem(self, what: str, fix: str = "") -> Problem:
        """A problem at the place of this object."""
        return Problem(self._origin.file, self._origin.line, what, fix)

    @classmethod
    def combinations(cls, given: Mapping[str, Any]) -> Iterator[Wrong]:
        """What is wrong with the arguments together, judged before each is validated, so that all is told at once."""
        del given
        return iter(())

    def _construct(self, args: tuple[object, ...], arguments: dict[str, Any]) -> Iterator[tuple[str, Wrong]]:
        kind = type(self).__name__
        arguments |= dict(zip(self._positional, args, strict=False))
        label = f"{kind} {arguments['name']!r}" if isinstance(arguments.get("name"), str) else kind
        if holds_unknown(list(arguments.values())) or holds_unknown(args):
            self._become_placeholder({})
            return
        wrongs = list(self.combinations(arguments))
        if len(args) > len(self._positional):
            wrongs.append(Wrong("takes its arguments by name", f"write for example {kind}({_example(type(self))}=...)"))
        bad = set()
        try:
            super().__init__(**arguments)
        except ValidationError as error:
            details = error.errors(include_url=False)
            bad = {str(each["loc"][0]) for each in details if each["loc"]}
            wrongs += [_wrong(type(self), each) for each in details]
        if wrongs:
            self._become_placeholder({name: value for name, value in arguments.items() if name not in bad})
        for wrong in wrongs:
            yield f"{label}: {wrong.what}", wrong

    def _become_placeholder(self, known: dict[str, Any]) -> None:
        """Take the state of an unvalidated object: what pydantic would leave unset after a failed validation."""
        fields = type(self).model_fields.items()
        required = {field.alias or name: Unknown() for name, field in fields if field.is_required()}
        placeholder = type(self).model_construct(**required | known)
        for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__"):
            object.__setattr__(self, name, getattr(placeholder, name))
        self._valid = False


def shown(value: object) -> str:
    """A value as messages show it: short, whatever it is."""
    if isinstance(value, Definition):
        return f"{type(value).__name__}({getattr(value, 'name', '...')!r})"
    if isinstance(value, ValueType):
        return str(value)
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _is_complete(value: object) -> bool:
    if isinstance(value, list | tuple):
        return all(map(_is_complete, value))
    return not isinstance(value, Definition) or value.complete


def _arguments(kind: type[Definition]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def _example(kind: type[Definition]) -> str:
    return _arguments(kind)[0]


def _wrong(kind: type[Definition], detail: ErrorDetails) -> Wrong:
    """The problem that one of pydantic's error details describes, in the words of this library."""
    name = str(detail["loc"][0]) if detail["loc"] else ""
    place = name + "".join(f"[{part!r}]" for part in detail["loc"][1:] if str(part).isalnum())
    match detail["type"]:
        case "missing":
            return Wrong(f"{name} is missing", f"give {name}=...")
        case "extra_forbidden":
            nearest = difflib.get_close_matches(name, _arguments(kind), n=1)
            known = f"did you mean {nearest[0]!r}?" if nearest else f"it takes {', '.join(_arguments(kind))}"
            return Wrong(f"there is no argument {name!r}", known)
        case "value_error":
            error = detail.get("ctx", {}).get("error")
            if isinstance(error, Wrong):
                return Wrong(f"{place}{error.what}" if error.what.startswith(("=", "[")) else error.what, error.fix)
    return Wrong(f"{place}={shown(detail['input'])}: {detail['msg'][:1].lower()}{detail['msg'][1:]}")
