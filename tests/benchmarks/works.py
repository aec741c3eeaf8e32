"""What is timed, and what it is to be compared with: the targets are those of the design."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

from celery import chain, chord, group
from tests.benchmarks import celery_app as bare
from tests.benchmarks.system import System

from lightflow.client import Run
from lightflow.core.states import State

PATIENCE = 600.0
IN_A_ROW = 9

Measure = Callable[[System], float]


@dataclass(frozen=True, slots=True)
class Work:
    """Something to do on both sides. Targets with `of_celery` are ratios to its figure, others are in `unit`."""

    name: str
    unit: str
    ours: Measure
    celery: Measure | None = None
    first: float | None = None
    goal: float | None = None
    more_is_better: bool = False
    of_celery: bool = True
    rounds: int | None = None


def finished(run: Run) -> Run:
    """The run, once it has succeeded."""
    state = run.wait(PATIENCE)
    assert state is State.SUCCEEDED, f"{run} is {state}: {run.error}"
    return run


def took(action: Callable[[], object]) -> float:
    """How many seconds an action takes."""
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def seconds_of(name: str) -> Measure:
    """From the start of a run to its end, as its client sees it."""
    return lambda system: took(lambda: finished(system.client.start(name)))


def per(count: int, measure: Measure, factor: float = 1000.0) -> Measure:
    """The same divided among so many, in milliseconds."""
    return lambda system: measure(system) / count * factor


def rate(count: int, measure: Measure) -> Measure:
    """How many a second."""
    return lambda system: count / measure(system)


def many_runs(count: int) -> Measure:
    """So many runs of two tasks started at once, by eight callers; until the last has ended."""

    def measure(system: System) -> float:
        def start_and_wait() -> None:
            with ThreadPoolExecutor(8) as callers:
                runs = list(callers.map(lambda _: system.client.start("two"), range(count)))
            for run in runs:
                finished(run)

        return took(start_and_wait)

    return measure


def celery_chain(system: System) -> float:
    return took(lambda: chain(bare.nothing.si() for _ in range(100)).apply_async().get(timeout=PATIENCE))


def celery_fan(system: System) -> float:
    middle = group(bare.nothing.si() for _ in range(1000))
    return took(lambda: chain(bare.nothing.si(), chord(middle, bare.nothing.si())).apply_async().get(timeout=PATIENCE))


def celery_runs(count: int) -> Measure:
    def measure(system: System) -> float:
        def start_and_wait() -> None:
            for result in [chain(bare.nothing.si(), bare.nothing.si()).apply_async() for _ in range(count)]:
                result.get(timeout=PATIENCE)

        return took(start_and_wait)

    return measure


def celery_message(system: System) -> float:
    began = time.perf_counter()
    return float(bare.clock.apply_async().get(timeout=PATIENCE) - began)


def celery_array(megabytes: int) -> Measure:
    def measure(system: System) -> float:
        return float(chain(bare.array.si(megabytes), bare.since.s()).apply_async().get(timeout=PATIENCE))

    return measure


def to_first_task(system: System) -> float:
    began = time.perf_counter()
    return float(finished(system.client.start("clock")).result("task")["began"] - began)


def warm(measure: Measure) -> Measure:
    """The median of several in a row, the first of which does not count: the other works have just been measured."""

    def measured(system: System) -> float:
        return median([measure(system) for _ in range(IN_A_ROW + 1)][1:])

    return measured


def hand_over(megabytes: int) -> Measure:
    return lambda system: float(
        finished(system.client.start("hand_over", megabytes=megabytes)).result("take")["seconds"]
    )


def hand_over_fan(system: System) -> float:
    run = finished(system.client.start("hand_over_fan"))
    return max(float(run.result(f"take{number}")["seconds"]) for number in range(100))


def is_stopped(system: System) -> float:
    return float(finished(system.client.start("signals")).result("ask")["is_stopped"])


def join_wakes(system: System) -> float:
    run = finished(system.client.start("signals"))
    ended = system.db["dag_runs"].find_one({"run": run.id, "dag": "sub"})["finished_at"]
    return float(run.result("join")["woke"] - ended.timestamp())


def stop_noticed(system: System) -> float:
    run = system.client.start("stopping")
    while "began" not in [line.text for line in run.logs()]:
        time.sleep(0.01)
    asked = time.time()
    run.stop()
    run.wait(PATIENCE)
    return float(run.result("wait")["noticed"] - asked)


def in_ms(measure: Measure) -> Measure:
    return per(1, measure)


def in_us(measure: Measure) -> Measure:
    return per(1, measure, 1e6)


WORKS = (
    Work("chain of 100, per task", "ms", per(100, seconds_of("chain_100")), per(100, celery_chain), 2.0, 0.8),
    Work("1 -> 1000 -> 1", "tasks/s", rate(1002, seconds_of("fan_1000")), rate(1002, celery_fan), 1.5, 5.0, True),
    Work("20 layers of 50, dense", "tasks/s", rate(1000, seconds_of("layers_20x50")), more_is_better=True),
    Work("100 two-task runs", "runs/s", rate(100, many_runs(100)), rate(100, celery_runs(100)), 0.5, 2.0, True),
    Work(
        "start to first task",
        "ms",
        in_ms(warm(to_first_task)),
        in_ms(warm(celery_message)),
        20.0,
        5.0,
        of_celery=False,
    ),
    Work("10 MB to the next task", "ms", in_ms(hand_over(10)), in_ms(celery_array(10)), 1.0, None),
    Work("100 MB to the next task", "ms", in_ms(hand_over(100)), in_ms(celery_array(100)), rounds=1),
    Work("10 MB to 100 tasks, the last", "ms", in_ms(hand_over_fan), rounds=1),
    Work("is_stopped", "us", in_us(is_stopped), None, 20.0, 1.0, of_celery=False),
    Work("join_dags wakes", "ms", in_ms(join_wakes), None, 50.0, 10.0, of_celery=False),
    Work("stop to task", "ms", in_ms(stop_noticed)),
)
