"""Finding a cycle in a graph, without recursion: graphs are as deep as users make them."""

from collections.abc import Iterable


def find_cycle(count: int, edges: Iterable[tuple[int, int]]) -> list[int] | None:
    """The nodes of a cycle in the order of its edges, None when there is none; nodes are 0 .. count - 1."""
    children: list[list[int]] = [[] for _ in range(count)]
    parents: list[list[int]] = [[] for _ in range(count)]
    for parent, child in edges:
        children[parent].append(child)
        parents[child].append(parent)
    left = _never_ready(children, [len(known) for known in parents])
    if not left:
        return None
    path = [next(iter(left))]
    seen = {path[0]: 0}
    while True:  # each node that is left has a parent that is left: walking up must come round
        node = next(parent for parent in parents[path[-1]] if parent in left)
        if node in seen:
            return path[seen[node] :][::-1]
        seen[node] = len(path)
        path.append(node)


def _never_ready(children: list[list[int]], waiting_for: list[int]) -> dict[int, None]:
    """The nodes that stay when those without parents are taken away again and again."""
    ready = [node for node, parents in enumerate(waiting_for) if not parents]
    while ready:
        for child in children[ready.pop()]:
            waiting_for[child] -= 1
            if not waiting_for[child]:
                ready.append(child)
    return {node: None for node, parents in enumerate(waiting_for) if parents}
