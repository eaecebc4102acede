"""On-demand feature views: features computed by a pure function from request data and other features."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Annotated, Any

import pydantic

from asof.definitions.arguments import Many, Name, Version, instance_of
from asof.definitions.base import Definition, Wrong
from asof.definitions.feature_view import FeatureSelection, FeatureView, Selectable
from asof.definitions.field import Field
from asof.definitions.origin import Origin, at
from asof.definitions.purity import impurities
from asof.definitions.recording import current

Function = Callable[[dict[str, Any]], dict[str, Any]]


class RequestSource(Definition):
    """Values that come with a request (or stand in the data frame of entity rows): one input per field."""

    name: Name
    schema_: Many[Annotated[Field, instance_of(Field)]] = pydantic.Field(alias="schema")


class OnDemandFeatureView(Selectable):
    """Features that a pure Python function computes, the same code in training and in serving.

    Written with the decorator :func:`on_demand_feature_view`. Inputs are named after the request's field or the
    feature. ``code`` is the function's source text.
    """

    version: Version = 1
    sources: Many[
        Annotated[
            RequestSource | FeatureView | FeatureSelection | str,
            instance_of(RequestSource, FeatureView, FeatureSelection, str),
        ]
    ]
    schema_: Many[Annotated[Field, instance_of(Field)]] = pydantic.Field(alias="schema")
    function: str
    code: str

    @classmethod
    def combinations(cls, given: Mapping[str, Any]) -> Iterator[Wrong]:
        """There are features and inputs, and the function is pure."""
        for name, what in (("schema", "features"), ("sources", "inputs")):
            if not given.get(name, True):
                yield Wrong(f"has no {what}", f"declare them with {name}=[...]")
        if isinstance(given.get("code"), str):
            yield from impurities(given["code"])

    def feature_names(self) -> tuple[str, ...]:
        """The names of the view's features, in declared order."""
        return tuple(each.name for each in self.schema_)


def on_demand_feature_view(
    *,
    sources: Sequence[RequestSource | FeatureView | FeatureSelection | str],
    schema: Sequence[Field],
    name: str | None = None,
    version: int = 1,
    description: str = "",
    owner: str = "",
    tags: Mapping[str, str] | None = None,
    deprecated: bool = False,
) -> Callable[[Function], OnDemandFeatureView]:
    """Make an on-demand feature view of a pure function ``def f(inputs: dict) -> dict``.

    ``sources`` are the inputs: request sources, views, selections of views, and references in text. ``schema`` lists
    the features, which the function returns as a dict. The view's name is the function's unless given; its description
    is the docstring's first line unless given.

    Raises DefinitionError where the function is not pure: it may use its inputs, its own names, safe builtins, and
    modules of a short list (``asof.on_demand.SAFE_MODULES``) that it imports in its body.
    """

    def decorate(function: Function) -> OnDemandFeatureView:
        code, origin = _source(function)
        called = getattr(function, "__name__", "")
        arguments: dict[str, Any] = {
            "name": called if name is None else name,
            "sources": sources,
            "schema": schema,
            "version": version,
            "description": description or (inspect.getdoc(function) or "").partition("\n")[0],
            "owner": owner,
            "tags": dict(tags or {}),
            "deprecated": deprecated,
            "function": called,
            "code": code,
            "_at": origin,
        }
        return OnDemandFeatureView(**arguments)

    return decorate


def _source(function: Function) -> tuple[str, Origin | None]:
    """A function's own text, without decorators and indentation, and where its ``def`` stands.

    Text that is not one ``def`` is given as it is: the check of purity says what is wrong with it.
    """
    if not isinstance(function, FunctionType):
        return repr(function), None
    code = function.__code__
    recorder = current()
    origin = at(code.co_filename, code.co_firstlineno, recorder.root if recorder else None)
    try:
        text = textwrap.dedent(inspect.getsource(function))
        node = ast.parse(text).body[0]
    except OSError:
        return "the text of a function that was not written in a file cannot be read", origin
    except (SyntaxError, IndexError):
        return text, origin
    if not isinstance(node, ast.FunctionDef) or len(node.decorator_list) != 1:
        return text, origin
    own = "\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno]) + "\n"
    return own, Origin(origin.file, origin.line + node.lineno - 1)
