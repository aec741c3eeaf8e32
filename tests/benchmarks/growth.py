"""Cost per task against the size of a DAG, and cost of a run against the runs on record; drawn as a picture."""

import json
import sys
import tempfile
from pathlib import Path
from statistics import median

import click
import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from tests.benchmarks.system import System, system
from tests.benchmarks.works import finished, many_runs

SIZES = (100, 1_000, 10_000)
LONG_SIZES = (*SIZES, 100_000)
ROWS = (100, 1_000, 3_000)
LONG_ROWS = (100, 1_000, 10_000)
RECORDS = (0, 500, 1_000, 2_000)
LONG_RECORDS = (0, 1_000, 3_000, 10_000)
BURSTS = 5

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


def cost_of_a_run(both: System, on_record: int) -> float:
    """Milliseconds per run of two tasks, a hundred at once, with so many runs on record; the median of several."""
    while (missing := on_record - both.db["runs"].estimated_document_count()) > 0:
        many_runs(min(missing, 500))(both)
    return median(many_runs(100)(both) * 10 for _ in range(BURSTS))


def draw(curves: dict[str, dict[int, float]], file: Path) -> None:
    """One panel for each curve."""
    figure, panels = plt.subplots(1, len(curves), figsize=(5 * len(curves), 3.2), layout="constrained")
    for panel, (title, points) in zip(panels, curves.items(), strict=True):
        panel.plot(list(points), list(points.values()), marker="o")
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
    per_task, in_a_row, per_run = dict[int, float](), dict[int, float](), dict[int, float]()
    with tempfile.TemporaryDirectory() as folder, system() as both:
        both.client._control.deploy_workflow("two")
        for size in LONG_SIZES if long else SIZES:
            per_task[size] = cost_per_task(both, size, 10, Path(folder))
            click.echo(f"  {size} tasks: {per_task[size]:.3g} ms per task", err=True)
        for size in LONG_ROWS if long else ROWS:
            in_a_row[size] = cost_per_task(both, size, size, Path(folder))
            click.echo(f"  {size} tasks in a row: {in_a_row[size]:.3g} ms per task", err=True)
        for count in LONG_RECORDS if long else RECORDS:
            per_run[count] = cost_of_a_run(both, count)
            click.echo(f"  {count} runs on record: {per_run[count]:.3g} ms per run", err=True)
    curves = {
        "cost per task, by tasks in one DAG of rows of ten": per_task,
        "cost per task, by tasks in one row": in_a_row,
        "cost per two-task run, by runs on record": per_run,
    }
    draw(curves, picture)
    json.dump(curves, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
