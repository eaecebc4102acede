"""Where features come from and where they go: source -> view -> on-demand view -> service, as a tree. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from asof.manifest import AnyView, FeatureService, FeatureView, Manifest
from asof.names import view_reference


@dataclass(frozen=True, slots=True)
class Node:
    """A definition in the tree: ``kind`` and ``name`` say which, ``reads`` the features it reads of the one above."""

    kind: str
    name: str
    reads: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class _Edge:
    above: tuple[str, str]
    below: tuple[str, str]
    reads: tuple[str, ...] = ()


def lineage(manifest: Manifest, about: AnyView | FeatureService) -> tuple[Node, ...]:
    """The trees, one per source or request, of everything that leads to a definition and everything it leads to."""
    edges = list(_edges(manifest))
    start = _node(about)
    above, below = {start} | _reached(edges, start, up=True), {start} | _reached(edges, start, up=False)
    through = [edge for edge in edges if {edge.above, edge.below} <= above or {edge.above, edge.below} <= below]
    roots = above - {edge.below for edge in through}
    return tuple(_tree(through, node, ()) for node in sorted(roots))


def draw(trees: tuple[Node, ...]) -> str:
    """The trees as text, one line per definition."""
    return "\n".join(line for tree in trees for line in _lines(tree, "", ""))


def _edges(manifest: Manifest) -> Iterator[_Edge]:
    views = {(view.name, view.version): view for view in manifest.views()}
    for computed in manifest.feature_views:
        yield _Edge(("source", computed.source), _node(computed))
    for each in manifest.on_demand_feature_views:
        asked = tuple(given.name for given in each.inputs if given.view is None)
        if asked:
            yield _Edge(("request", "data"), _node(each), asked)
        for key, view in views.items():
            read = tuple(given.feature or given.name for given in each.inputs if (given.view, given.version) == key)
            if read:
                yield _Edge(_node(view), _node(each), read)
    for service in manifest.feature_services:
        for key, view in views.items():
            pinned = tuple(pin.feature for pin in service.features if (pin.view, pin.version) == key)
            if pinned:
                yield _Edge(_node(view), _node(service), pinned)


def _node(definition: AnyView | FeatureService) -> tuple[str, str]:
    if isinstance(definition, FeatureService):
        return "service", view_reference(definition.name, definition.version)
    return "view" if isinstance(definition, FeatureView) else "on-demand view", definition.reference


def _reached(edges: list[_Edge], start: tuple[str, str], *, up: bool) -> set[tuple[str, str]]:
    """Everything above (``up``) or below a definition."""
    found: set[tuple[str, str]] = set()
    pending = [start]
    while pending:
        node = pending.pop()
        near = {edge.above if up else edge.below for edge in edges if node == (edge.below if up else edge.above)}
        pending += near - found
        found |= near
    return found


def _tree(edges: list[_Edge], node: tuple[str, str], reads: tuple[str, ...]) -> Node:
    children = tuple(_tree(edges, edge.below, edge.reads) for edge in edges if edge.above == node)
    return Node(*node, reads, children)


def _lines(node: Node, first: str, rest: str) -> Iterator[str]:
    reads = f": {', '.join(node.reads)}" if node.reads else ""
    yield f"{first}{node.kind} {node.name}{reads}"
    for i, child in enumerate(node.children):
        last = i == len(node.children) - 1
        yield from _lines(child, f"{rest}{'└── ' if last else '├── '}", f"{rest}{'    ' if last else '│   '}")
