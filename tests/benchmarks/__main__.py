"""`python -m tests.benchmarks`: measure, print, and keep the figures."""

import json
import os
import platform
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from tests.benchmarks import rest
from tests.benchmarks.results import Result, spread
from tests.benchmarks.system import System, system
from tests.benchmarks.works import WORKS, Work


@click.command()
@click.option("--rounds", default=5, help="How often each is measured.")
@click.option("--only", default="", help="Measure what has this in its name.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write all figures to this file.")
def main(rounds: int, only: str, file: Path | None) -> None:
    """Time this system and a bare Celery worker by turns, on the same servers."""
    works = [work for work in WORKS if only in work.name]
    with system() as both:
        both.client._control.deploy_workflow("two")
        both.client._control.deploy_workflow("clock")
        once = {} if only else {"at_rest": rest.at_rest(both), "command_line_ms": rest.command_line()}
        results = measured(both, works, rounds)
        once |= {} if only else {"asked": rest.counted(both)}
    Console(width=150).print(table(results))
    click.echo(json.dumps(once, indent=1))
    if file is not None:
        told = {"machine": machine(), **once, "results": [each.to_json() for each in results]}
        file.write_text(json.dumps(told, indent=1))


def measured(both: System, works: list[Work], rounds: int) -> list[Result]:
    """By turns, so that what disturbs one side disturbs the other; the first round warms up and does not count."""
    results = [Result(work) for work in works]
    for number in range(rounds + 1):
        for result in results:
            if number > (result.work.rounds or rounds):
                continue
            ours = result.work.ours(both)
            celery = [result.work.celery(both)] if result.work.celery else []
            if number:
                result.ours.append(ours)
                result.celery += celery
            click.echo(f"  round {number}: {result.work.name}: {ours:.4g} {celery}", err=True)
    return results


def table(results: list[Result]) -> Table:
    """The figures as a person reads them."""
    shown = Table("work", "unit", "Lightflow", "bare Celery", "ratio", "first target", "goal", box=None)
    for each in results:
        of = "x" if each.work.of_celery else ""
        ratio = "" if each.ratio is None else f"{each.ratio:.2f}"
        targets = [f"{t:g}{of} {each.verdict(t)}" if t else "" for t in (each.work.first, each.work.goal)]
        shown.add_row(each.work.name, each.work.unit, spread(each.ours), spread(each.celery), ratio, *targets)
    return shown


def machine() -> dict[str, Any]:
    """Where it was measured."""
    return {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()}


if __name__ == "__main__":
    main()
