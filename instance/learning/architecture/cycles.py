"""Strongly connected components of a graph: the cycles in which every module depends on every other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet


def components(edges: Mapping[str, AbstractSet[str]]) -> list[list[str]]:
    """Return every strongly connected component, each sorted; what is depended on comes before what depends on it.

    Tarjan's algorithm (1972) without recursion: linear in modules and edges.
    """
    return list(_Tarjan(edges).run())


def cycles(edges: Mapping[str, AbstractSet[str]]) -> list[list[str]]:
    """Return the components of more than one module, the largest first."""
    found = [component for component in components(edges) if len(component) > 1]
    return sorted(found, key=lambda component: (-len(component), component))


class _Tarjan:
    def __init__(self, edges: Mapping[str, AbstractSet[str]]) -> None:
        self.edges = edges
        self.number: dict[str, int] = {}
        self.lowest: dict[str, int] = {}
        self.stack: list[str] = []
        self.stacked: set[str] = set()

    def run(self) -> Iterator[list[str]]:
        for node in sorted(self.edges):
            if node not in self.number:
                yield from self._search(node)

    def _search(self, root: str) -> Iterator[list[str]]:
        path = [(root, self._open(root))]
        while path:
            node, waiting = path[-1]
            following = next((other for other in waiting if self._reached(node, other)), None)
            if following is not None:
                path.append((following, self._open(following)))
                continue
            path.pop()
            if path:
                above = path[-1][0]
                self.lowest[above] = min(self.lowest[above], self.lowest[node])
            if self.lowest[node] == self.number[node]:
                yield self._close(node)

    def _open(self, node: str) -> Iterator[str]:
        self.number[node] = self.lowest[node] = len(self.number)
        self.stack.append(node)
        self.stacked.add(node)
        return iter(sorted(self.edges.get(node, ())))

    def _reached(self, node: str, other: str) -> bool:
        """Tell whether `other` is new and to be searched; one on the stack closes a cycle."""
        if other not in self.number:
            return True
        if other in self.stacked:
            self.lowest[node] = min(self.lowest[node], self.number[other])
        return False

    def _close(self, node: str) -> list[str]:
        at = self.stack.index(node) if self.stack[-1] != node else len(self.stack) - 1
        component = self.stack[at:]
        del self.stack[at:]
        self.stacked.difference_update(component)
        return sorted(component)
