"""CloudWatch's metric math, in part: ``+ - * /``, brackets, numbers, FILL, MIN, MAX, SUM, AVG, ABS.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from asof.errors import LocalCloudError

Values = Mapping[str, float | None]
Evaluate = Callable[[Values], float | None]
"""From the values of the metrics in one period to the expression's; None is missing data."""

_TOKEN = re.compile(r"\s*(?:(\d+(?:\.\d+)?)|([A-Za-z][A-Za-z0-9_]*)|([-+*/(),\[\]]))")


class MetricMathError(LocalCloudError):
    """An expression the local cloud cannot evaluate."""


def parse(expression: str) -> Evaluate:
    """The function that evaluates an expression; raises MetricMathError for what is not supported."""
    return _Parser(expression).whole()


def _lift(operation: Callable[[float, float], float | None]) -> Callable[[Evaluate, Evaluate], Evaluate]:
    def combined(left: Evaluate, right: Evaluate) -> Evaluate:
        def evaluate(values: Values) -> float | None:
            a, b = left(values), right(values)
            return None if a is None or b is None else operation(a, b)

        return evaluate

    return combined


_OPERATORS: Final = {
    "+": _lift(lambda a, b: a + b),
    "-": _lift(lambda a, b: a - b),
    "*": _lift(lambda a, b: a * b),
    "/": _lift(lambda a, b: a / b if b else None),
}
_AGGREGATES: Final[dict[str, Callable[[list[float]], float]]] = {
    "MIN": min,
    "MAX": max,
    "SUM": sum,
    "AVG": lambda values: sum(values) / len(values),
}


class _Parser:
    def __init__(self, expression: str) -> None:
        self._expression = expression
        self._tokens: list[str] = []
        position = 0
        while position < len(expression.rstrip()):
            match = _TOKEN.match(expression, position)
            if match is None:
                raise self._refusal(expression[position:])
            self._tokens.append(match[1] or match[2] or match[3])
            position = match.end()
        self._next = 0

    def _refusal(self, where: str) -> MetricMathError:
        return MetricMathError(f"evaluate the metric expression {self._expression!r} (at {where!r})")

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ""

    def _take(self, expected: str | None = None) -> str:
        token = self._peek()
        if not token or (expected is not None and token != expected):
            raise self._refusal(token or "its end")
        self._next += 1
        return token

    def whole(self) -> Evaluate:
        """The expression, to its end."""
        found = self._sum()
        if self._peek():
            raise self._refusal(self._peek())
        return found

    def _sum(self) -> Evaluate:
        found = self._product()
        while self._peek() in ("+", "-"):
            found = _OPERATORS[self._take()](found, self._product())
        return found

    def _product(self) -> Evaluate:
        found = self._factor()
        while self._peek() in ("*", "/"):
            found = _OPERATORS[self._take()](found, self._factor())
        return found

    def _factor(self) -> Evaluate:
        word = self._take()
        if word == "-":
            negative = self._factor()
            return _OPERATORS["-"](lambda _: 0.0, negative)
        if word == "(":
            found = self._sum()
            self._take(")")
            return found
        if word[0].isdigit():
            number = float(word)
            return lambda _: number
        if self._peek() == "(":
            return self._function(word)
        if word.isidentifier() and word[0].islower():
            return lambda values: values.get(word)
        raise self._refusal(word)

    def _function(self, name: str) -> Evaluate:
        self._take("(")
        inside = self._list() if self._peek() == "[" else [self._sum()]
        if name == "FILL":
            self._take(",")
            filler = self._factor()
            self._take(")")
            return lambda values: found if (found := inside[0](values)) is not None else filler(values)
        while self._peek() == ",":
            self._take()
            inside.append(self._sum())
        self._take(")")
        if name == "ABS":
            return lambda values: None if (found := inside[0](values)) is None else abs(found)
        if name not in _AGGREGATES:
            raise self._refusal(name)
        aggregate = _AGGREGATES[name]

        def evaluate(values: Values) -> float | None:
            present = [found for each in inside if (found := each(values)) is not None]
            return aggregate(present) if present else None

        return evaluate

    def _list(self) -> list[Evaluate]:
        self._take("[")
        found = [self._sum()]
        while self._peek() == ",":
            self._take()
            found.append(self._sum())
        self._take("]")
        return found
