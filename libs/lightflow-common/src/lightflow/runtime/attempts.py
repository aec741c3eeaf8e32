"""Attempts in MongoDB: what a worker commits, and what is taken back in a dead worker's name, by the same rules."""

from typing import Any

from lightflow.core.graph import DagSpec, TaskSpec
from lightflow.core.outcomes import Bounds, Counts, ErrorInfo, Outcome, Rules, Settlement, settle
from lightflow.core.states import FINAL, Reason, State
from lightflow.runtime.mongo import NOW, Document

MESSAGE, TRACEBACK = 8_000, 16_000
"""Characters of an error that are kept; a task document keeps one for each of its attempts."""


def counts_of(task: Document) -> Counts:
    """How often the task's attempts ended otherwise than by their own will."""
    return Counts(task["errors"], task["deaths"], task["losses"])


def settlement_of(task: Document, spec: TaskSpec, outcome: Outcome, bounds: Bounds, stopping: bool) -> Settlement:
    """What becomes of a task document after this outcome of its newest attempt."""
    return settle(outcome, counts_of(task), Rules(spec.retry_policy, bounds, stopping))


def settle_without_spec(task: Document, outcome: Outcome, bounds: Bounds, stopping: bool = False) -> Settlement:
    """The same for a task whose version cannot be had, so that nothing is known of its retries."""
    return settle(outcome, counts_of(task), Rules(bounds=bounds, stopping=stopping))


def fence(task: Document) -> Document:
    """The filter that only the attempt holding the task passes."""
    return {"_id": task["_id"], "state": State.RUNNING.value, "holder": task["holder"], "claim": task["claim"]}


def commit(task: Document, dag: DagSpec, outcome: Outcome, settlement: Settlement, output: Any) -> list[Document]:
    """The update that ends the newest attempt of a task; times are the server's."""
    error = _recorded(settlement.error) if settlement.error else None
    attempt: Document = {"outcome": outcome.ending.value, "finished_at": NOW, "error": {"$literal": error}}
    change: Document = {
        "state": settlement.state.value,
        "changed_at": NOW,
        "holder": None,
        "errors": settlement.counts.errors,
        "deaths": settlement.counts.deaths,
        "losses": settlement.counts.losses,
        "attempts": _with_last(attempt),
    }
    if settlement.state in FINAL:
        selected = dag.select(task["index"], outcome.limit) if outcome.limit is not None else None
        change |= {
            "marked": True,
            "finished_at": NOW,
            "error": {"$literal": error},
            "output": {"$literal": output},
            "selected": None if selected is None else list(selected),
        }
    else:
        change["ready_at"] = _after(settlement.delay)
    return [{"$set": change}]


def hand_back(stopping: Reason | None) -> list[Document]:
    """The update that gives back an attempt before user code began, as if it had not been claimed."""
    state = State.STOPPED if stopping else State.QUEUED
    count = {"$subtract": [{"$size": "$attempts"}, 1]}
    earlier = {"$cond": [{"$gt": [count, 0]}, {"$slice": ["$attempts", {"$max": [count, 1]}]}, []]}
    change: Document = {"state": state.value, "changed_at": NOW, "holder": None, "attempts": earlier}
    change["started_at"] = {"$cond": [{"$gt": [count, 0]}, "$started_at", None]}
    return [{"$set": {**change, **({"finished_at": NOW, "marked": True} if stopping else {"ready_at": NOW})}}]


def _recorded(error: ErrorInfo) -> Document:
    """An error as the document keeps it: a message may be as long as memory, a document may not."""
    told = error.to_json()
    return {**told, "message": _clipped(told["message"], MESSAGE), "traceback": _clipped(told["traceback"], TRACEBACK)}


def _clipped(text: str, length: int) -> str:
    """The text without its middle, where it is longer than that."""
    if len(text) <= length:
        return text
    half = length // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half:,} characters left out ...]\n{text[-half:]}"


def _with_last(attempt: Document) -> Document:
    last = {"$mergeObjects": [{"$last": "$attempts"}, attempt]}
    count = {"$subtract": [{"$size": "$attempts"}, 1]}
    earlier = {"$cond": [{"$gt": [count, 0]}, {"$slice": ["$attempts", {"$max": [count, 1]}]}, []]}
    return {"$concatArrays": [earlier, [last]]}


def _after(seconds: float) -> Any:
    milliseconds = round(seconds * 1000)
    return {"$add": [NOW, milliseconds]} if milliseconds else NOW
