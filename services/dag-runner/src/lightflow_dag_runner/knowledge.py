"""What a dag-runner remembers of DAG runs: facts that never change, so that it need not read them twice."""

from collections import OrderedDict

from lightflow.core.readiness import Final

KEPT = 1_000_000
"""Facts kept in all, so that memory stays bounded whatever is in flight."""


class Knowledge:
    """The ended tasks of DAG runs, those looked at last. What was forgotten is read again."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._size = 0
        self._facts: OrderedDict[str, dict[int, Final]] = OrderedDict()

    def of(self, dag_run: str) -> dict[int, Final]:
        """A copy of what is known of a DAG run."""
        return dict(self._facts.get(dag_run, {}))

    def learn(self, dag_run: str, facts: dict[int, Final]) -> None:
        """Remember what is known of a DAG run now; others are forgotten where there is no room."""
        self.forget(dag_run)
        self._facts[dag_run] = facts
        self._size += len(facts)
        while self._size > self._kept:
            _, forgotten = self._facts.popitem(last=False)
            self._size -= len(forgotten)

    def forget(self, dag_run: str) -> None:
        """Forget a DAG run, because it is final."""
        self._size -= len(self._facts.pop(dag_run, {}))
