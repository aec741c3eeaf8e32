"""Cost per task against the size of a DAG, and cost of a run against the runs on record; drawn as a picture.

A machine's mood changes in minutes: beside each point stands what something small cost at the same time.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

import click
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from tests.benchmarks.system import FLOWS, SLOTS, System, system
from tests.benchmarks.works import finished, many_runs

from lightflow.client import Client
from lightflow.local.stack import Stack

Point = tuple[float, float]
"""What something costs, and what something small costs at the same time; milliseconds."""

Curve = dict[int, Point]

SIZES = (100, 1_000, 10_000)
LONG_SIZES = (*SIZES, 100_000)
ROWS = (100, 1_000, 3_000)
LONG_ROWS = (100, 1_000, 10_000)
RECORDS = (0, 500, 1_000, 2_000)
LONG_RECORDS = (0, 1_000, 3_000, 10_000)
BURSTS = 5
SMALL = 1_000

GRAPH = """
from itertools import pairwise

from lightflow.models import Dag
from lightflow.tasks import PythonTask


def nothing(data, store, signal, context):
    pass


chains = [
    [PythonTask(f"task{{place}}in{{chain}}", nothing) for place in range({length})]
    for chain in range({size} // {length})
]
main = Dag("main", schema={{one: two for chain in chains for one, two in pairwise(chain)}})
"""


def cost_per_task(both: System, size: int, length: int, folder: Path) -> float:
    """Milliseconds per task of a DAG of chains so long, from the recorded beginning of its run to its recorded end."""
    file = folder / f"chains_{size}_{length}.py"
    file.write_text(GRAPH.format(size=size, length=length))
    run = finished(both.client.start(file))
    record = both.db["runs"].find_one({"_id": run.id})
    return float((record["finished_at"] - record["started_at"]).total_seconds() / size * 1000)


def beside_a_small_one(both: System, size: int, length: int, folder: Path) -> Point:
    """Cost per task of a DAG, and of one of a thousand tasks right after it: rows as long, or one row, too."""
    as_long = SMALL if length == size else length
    return cost_per_task(both, size, length, folder), cost_per_task(both, SMALL, as_long, folder)


def beside_a_new_one(both: System, on_record: int) -> Point:
    """Milliseconds per run of two tasks, a hundred at once, with so many on record and, by turns, in a new system."""
    while (missing := on_record - both.db["runs"].estimated_document_count()) > 0:
        many_runs(min(missing, 500))(both)
    with Stack.temporary(task_slots=SLOTS, workflows=(str(FLOWS),)) as stack, Client(stack.target) as client:
        client._control.deploy_workflow("two")
        new = replace(both, stack=stack, client=client)
        for each in (both, new):
            many_runs(100)(each)
        turns = [(many_runs(100)(both) * 10, many_runs(100)(new) * 10) for _ in range(BURSTS)]
    grown, fresh = zip(*turns, strict=True)
    return median(grown), median(fresh)


def draw(curves: dict[str, Curve], file: Path) -> None:
    """One panel for each curve."""
    figure, panels = plt.subplots(1, len(curves), figsize=(5 * len(curves), 3.2), layout="constrained")
    for panel, (title, points) in zip(panels, curves.items(), strict=True):
        cost, small = zip(*points.values(), strict=True)
        panel.plot(list(points), cost, marker="o")
        panel.plot(list(points), small, marker=".", linestyle=":", color="gray")
        panel.set_xscale("symlog", linthresh=100)
        panel.set_ylim(bottom=0)
        panel.set_title(title, fontsize=9)
        panel.set_ylabel("ms")
        panel.grid(alpha=0.3)
    figure.savefig(file)


@click.command()
@click.option("--long", is_flag=True, help="Go on to 100,000 tasks and 10,000 runs.")
@click.option("--picture", default="growth.svg", type=click.Path(path_type=Path), help="File of the picture.")
def main(long: bool, picture: Path) -> None:
    """Measure the growth curves, print them as JSON and draw them."""
    curves: dict[str, Curve] = {}
    with tempfile.TemporaryDirectory() as folder, system() as both:
        both.client._control.deploy_workflow("two")

        def measure(title: str, sizes: Sequence[int], point: Callable[[int], Point]) -> None:
            curve = curves.setdefault(title, {})
            for size in sizes:
                curve[size] = cost, small = point(size)
                click.echo(f"  {title}: {size}: {cost:.3g} ms, beside {small:.3g} ms", err=True)

        measure(
            "cost per two-task run, by runs on record; dotted: with none",
            LONG_RECORDS if long else RECORDS,
            lambda count: beside_a_new_one(both, count),
        )
        measure(
            "cost per task, by tasks in a DAG of rows of ten; dotted: in 1,000",
            LONG_SIZES if long else SIZES,
            lambda size: beside_a_small_one(both, size, 10, Path(folder)),
        )
        measure(
            "cost per task, by tasks in one row; dotted: in 1,000",
            LONG_ROWS if long else ROWS,
            lambda size: beside_a_small_one(both, size, size, Path(folder)),
        )
    draw(curves, picture)
    json.dump(curves, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
