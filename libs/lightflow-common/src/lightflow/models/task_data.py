"""The data that flows from task to task."""

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lightflow.core.errors import DataInvalidAlias, DataInvalidIndex
from lightflow.models.task_history import History, Joined, Names, Packed, copied, extended, packed


class TaskData:
    """One dataset: a dict of values, and the names of the tasks that contributed to it.

    `data[key]`, `data[key] = value`, `del data[key]`, `key in data` and iteration act on the values.
    """

    def __init__(self, data: dict[Any, Any] | None = None, *, task_history: list[str] | None = None) -> None:
        self._data = data if data is not None else {}
        self._task_history: History = task_history if task_history is not None else []

    @property
    def data(self) -> dict[Any, Any]:
        """The values."""
        return self._data

    @property
    def task_history(self) -> list[str]:
        """The names of the tasks that contributed, oldest first."""
        return self._names()

    def add_task_history(self, task_name: str) -> None:
        """Append a name to the history."""
        self._task_history = extended(self._task_history, [task_name])

    def get(self, key: Any, default: Any = None) -> Any:
        """The value under the key, `default` when there is none."""
        return self._data.get(key, default)

    def set(self, key: Any, value: Any) -> None:
        """Put the value under the key."""
        self._data[key] = value

    def merge(self, dataset: "TaskData") -> None:
        """Lay another dataset over this one: its values win, nested dicts are merged deeply."""
        names = self._names()  # the list itself is extended: who has asked for it sees that
        joined = Joined(names)
        self._merge(dataset, joined)
        history = joined.result()
        names[:] = history.names() if isinstance(history, Packed) else history

    def _merge(self, dataset: "TaskData", joined: Joined) -> None:
        """The same, but for this one's history: what comes of that is said in the end."""
        for key, value in dataset.data.items():
            self._data[key] = merged(self._data[key], value) if key in self._data else value
        joined.add(dataset._task_history)

    def _names(self) -> Names:
        if isinstance(self._task_history, Packed):
            self._task_history = self._task_history.names()
        return self._task_history

    def __getstate__(self) -> Any:
        state = super().__getstate__()
        fields, *slots = state if isinstance(state, tuple) else (state,)  # of a type that has slots
        fields = {**fields, "_task_history": packed(self._task_history)}
        return (fields, *slots) if slots else fields

    def __deepcopy__(self, memo: dict[int, Any]) -> "TaskData":
        other = TaskData(copy.deepcopy(self._data, memo))
        other._task_history = copied(self._task_history)
        return other

    def __getitem__(self, key: Any) -> Any:
        return self._data[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._data[key] = value

    def __delitem__(self, key: Any) -> None:
        del self._data[key]

    def __contains__(self, key: Any) -> bool:
        return key in self._data

    def __iter__(self) -> Iterator[Any]:
        return iter(self._data)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._data!r})"

    def __str__(self) -> str:
        return str(self._data)


class MultiTaskData:
    """What a task receives and hands on: datasets, reachable by index and by alias; tasks are given it as `data`.

    There is one dataset for each predecessor, in the order of the schema; its aliases are the predecessor's name and
    the slot of the edge. `data("alias")` is one of them, iteration gives all. `data[key]`, `data[key] = value`, `del
    data[key]` and `key in data` act on the default dataset, the first unless set otherwise.
    """

    def __init__(self, *, dataset: TaskData | None = None, aliases: Iterable[str] | None = None) -> None:
        self._datasets = [] if dataset is None else [dataset]
        self._aliases = dict.fromkeys(aliases or (), 0)
        self._default_index = 0

    @property
    def default_index(self) -> int:
        """The index of the default dataset."""
        return self._default_index

    @property
    def default_dataset(self) -> TaskData:
        """The dataset that `data['key']` speaks to; raises DataInvalidIndex when there is none."""
        return self.get_by_index(self._default_index)

    def add_dataset(
        self, task_name: str, dataset: TaskData | None = None, *, aliases: Iterable[str] | None = None
    ) -> None:
        """Append a dataset (None: an empty one), reachable by its task's name and by the aliases."""
        self._datasets.append(dataset if dataset is not None else TaskData())
        index = len(self._datasets) - 1
        self._aliases.update(dict.fromkeys((task_name, *(aliases or ())), index))

    def add_alias(self, alias: str, index: int) -> None:
        """Make the dataset at the index reachable by the alias too; raises DataInvalidIndex."""
        self._aliases[alias] = self._valid(index)

    def flatten(self, in_place: bool = True) -> "MultiTaskData | None":
        """Merge all datasets into one, the default last so that it wins; every alias leads to it.

        Returns a new object when not `in_place`.
        """
        dataset, joined = TaskData(), Joined([])
        for index, other in enumerate(self._datasets):
            if index != self._default_index:
                dataset._merge(other, joined)
        if self._datasets:
            dataset._merge(self.default_dataset, joined)
        dataset._task_history = joined.result()
        flat = MultiTaskData(dataset=dataset, aliases=self._aliases)
        if not in_place:
            return flat
        self.__dict__.update(flat.__dict__)
        return None

    def set_default_by_alias(self, alias: str) -> None:
        """Make the dataset of that alias the default; raises DataInvalidAlias."""
        self._default_index = self._index_of(alias)

    def set_default_by_index(self, index: int) -> None:
        """Make the dataset at that index the default; raises DataInvalidIndex."""
        self._default_index = self._valid(index)

    def get_by_alias(self, alias: str) -> TaskData:
        """The dataset of that alias; raises DataInvalidAlias."""
        return self.get_by_index(self._index_of(alias))

    def get_by_index(self, index: int) -> TaskData:
        """The dataset at that index, negative from the end as in a list; raises DataInvalidIndex."""
        return self._datasets[self._valid(index)]

    def add_task_history(self, task_name: str) -> None:
        """Append a name to the history of every dataset."""
        for dataset in self._datasets:
            dataset.add_task_history(task_name)

    def _valid(self, index: int) -> int:
        count = len(self._datasets)
        if not -count <= index < count:
            raise DataInvalidIndex(f"There is no dataset at index {index}; there are {count}")
        return index % count

    def _index_of(self, alias: str) -> int:
        if alias not in self._aliases:
            known = ", ".join(map(repr, self._aliases)) or "none"
            raise DataInvalidAlias(f"There is no dataset of alias {alias!r}; known: {known}")
        return self._aliases[alias]

    def __call__(self, alias: str) -> TaskData:
        return self.get_by_alias(alias)

    def __getitem__(self, key: Any) -> Any:
        return self.default_dataset[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self.default_dataset[key] = value

    def __delitem__(self, key: Any) -> None:
        del self.default_dataset[key]

    def __contains__(self, key: Any) -> bool:
        return key in self.default_dataset

    def __iter__(self) -> Iterator[TaskData]:
        return iter(self._datasets)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._datasets!r}, aliases={self._aliases!r})"


def merged(low: Any, high: Any) -> Any:
    """`high` laid over `low`: dicts are merged deeply into a new one, of anything else `high` wins."""
    if not (isinstance(low, dict) and isinstance(high, dict)):
        return high
    result = copy.copy(low)
    for key, value in high.items():
        result[key] = merged(result[key], value) if key in result else value
    return result


def compose_input(task_name: str, outputs: Iterable[tuple[str, Sequence[str], TaskData]]) -> MultiTaskData:
    """What a task receives from its predecessors' (name, aliases, output), in the order of the schema.

    The outputs must be the task's own copies. Without any there is one empty dataset under the task's own name.
    """
    data = MultiTaskData()
    for name, aliases, output in outputs:
        data.add_dataset(name, output, aliases=aliases)
    if not data._datasets:
        data.add_dataset(task_name)
    return data


def as_input(task_name: str, data: "MultiTaskData | TaskData | None") -> MultiTaskData:
    """What a start task receives when its DAG was started with `data`."""
    if isinstance(data, MultiTaskData):
        return data
    return compose_input(task_name, [] if data is None else [(task_name, (), data)])


def compose_output(task_name: str, data: MultiTaskData) -> TaskData:
    """The one dataset that a task hands on: all of them merged, the task's name appended to the history."""
    flat = data.flatten(in_place=False)
    assert flat is not None
    flat.add_task_history(task_name)
    return flat.default_dataset
