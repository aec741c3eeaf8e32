"""A graph of tasks."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lightflow.core.cycles import find_cycle
from lightflow.core.errors import DirectedAcyclicGraphInvalid, DirectedAcyclicGraphUndefined, TaskNameTaken
from lightflow.core.graph import Edge
from lightflow.models.base_task import BaseTask

if TYPE_CHECKING:
    from networkx import DiGraph

Schema = Mapping[BaseTask, Any]


class Dag:
    """A graph of tasks, directed and without cycles.

    An `autostart` DAG starts with its run, the others when a task asks (`TaskSignal.start_dag`). `queue` is the queue
    from which dag-runners take it; `schema` is what `define` takes.
    """

    def __init__(self, name: str, *, autostart: bool = True, queue: str = "dag", schema: Schema | None = None) -> None:
        self._name = name
        self._autostart = autostart
        self._queue = queue
        self._schema: Schema | None = None
        if schema is not None:
            self.define(schema)

    @property
    def name(self) -> str:
        """The name of the blueprint; each start of it gets its own, with :n."""
        return self._name

    @property
    def autostart(self) -> bool:
        """Whether it starts with the run."""
        return self._autostart

    @property
    def queue(self) -> str:
        """The queue from which dag-runners take it."""
        return self._queue

    def define(self, schema: Schema | None, *, validate: bool = True) -> None:
        """Set the graph, parent to children: `{a: b}`, `{a: [b, c]}`, `{a: None}`, `{a: {b: 'slot', c: None}}`.

        A task that is named in several places is one task; `'slot'` is an alias under which the child finds the
        parent's data. Raises DirectedAcyclicGraphUndefined for what is no schema; unless `validate` is False,
        DirectedAcyclicGraphInvalid for a cycle and TaskNameTaken for a doubled name.
        """
        self._schema = schema
        tasks, edges = self.parts()
        if validate:
            check(self._name, tasks, edges)

    def parts(self) -> tuple[list[BaseTask], list[Edge]]:
        """The tasks, and the edges by their indexes, both in the order of the schema."""
        return _parts(self._name, self._schema)

    def validate(self, graph: "DiGraph[BaseTask]") -> None:
        """Raise DirectedAcyclicGraphInvalid when the graph has a cycle."""
        indexes = {task: index for index, task in enumerate(graph)}
        check(self._name, list(indexes), [(indexes[parent], indexes[child], None) for parent, child in graph.edges])

    @staticmethod
    def make_graph(schema: Schema | None) -> "DiGraph[BaseTask]":
        """The schema as a networkx graph; an edge has its alias, or None, as `slot`."""
        from networkx import DiGraph  # slow to import, and only wanted by those who look at graphs

        tasks, edges = _parts("", schema)
        graph: DiGraph[BaseTask] = DiGraph()
        graph.add_nodes_from(tasks)
        graph.add_edges_from((tasks[parent], tasks[child], {"slot": slot}) for parent, child, slot in edges)
        return graph

    def __repr__(self) -> str:
        return f"<Dag {self._name!r}>"


def check(dag: str, tasks: list[BaseTask], edges: list[Edge]) -> None:
    """Raise DirectedAcyclicGraphInvalid when two tasks have one name or the edges form a cycle.

    A task without a name is a DirectedAcyclicGraphUndefined.
    """
    names: set[str] = set()
    for task in tasks:
        if not isinstance(task.name, str) or not task.name:
            raise DirectedAcyclicGraphUndefined(dag, f"has a task whose name is {task.name!r}; a name is a text")
        if task.name in names:
            raise TaskNameTaken(dag, task_name=task.name)
        names.add(task.name)
    cycle = find_cycle(len(tasks), ((parent, child) for parent, child, _ in edges))
    if cycle is not None:
        raise DirectedAcyclicGraphInvalid(dag, tuple(tasks[index].name for index in cycle))


def _parts(dag: str, schema: Schema | None) -> tuple[list[BaseTask], list[Edge]]:
    if schema is None:
        raise DirectedAcyclicGraphUndefined(dag)
    if not isinstance(schema, Mapping):
        raise DirectedAcyclicGraphUndefined(dag, f"needs a dict of tasks as schema, not a {type(schema).__name__}")
    indexes: dict[BaseTask, int] = {}
    edges: list[Edge] = []
    for parent, children in schema.items():
        source = indexes.setdefault(_task(dag, parent), len(indexes))
        for child, slot in _slots(children).items():
            edges.append((source, indexes.setdefault(_task(dag, child), len(indexes)), slot or None))
    return list(indexes), edges


def _task(dag: str, entry: Any) -> BaseTask:
    if isinstance(entry, BaseTask):
        return entry
    raise DirectedAcyclicGraphUndefined(dag, f"has {entry!r} in its schema, which is no task")


def _slots(children: Any) -> Mapping[Any, str | None]:
    """The children with their aliases, whichever way they were written."""
    if children is None:
        return {}
    if isinstance(children, Mapping):
        return children
    several = isinstance(children, Iterable) and not isinstance(children, str | BaseTask)
    return dict.fromkeys(children if several else [children])
