"""Workflows, their parameters and graphs as text."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lightflow.cli.render.columns import columns
from lightflow.cli.render.documents import first_line

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.runtime.workflow_list import ListedWorkflow

_NAME_WIDTH = 16


def workflows_table(workflows: Sequence["pb.Workflow"]) -> str:
    """A line for each workflow; one that does not load says why."""
    if not workflows:
        return "No workflows. `lightflow config examples DIR` writes some into a folder."
    rows = [
        (
            workflow.name,
            "deployed" if workflow.deployed else "",
            click.style(first_line(workflow.error), fg="red") if workflow.error else first_line(workflow.docstring),
        )
        for workflow in workflows
    ]
    return columns(("WORKFLOW", "DEPLOYED", "DESCRIPTION"), rows)


def workflow_lines(workflows: "Sequence[ListedWorkflow]", folders: Sequence[str]) -> str:
    """A line for each workflow file: its name and what it says of itself, or why it does not load."""
    if not workflows:
        places = ", ".join(map(_place, folders)) or "no folders are configured"
        return (
            f"No workflows ({places}). `lightflow config examples .` writes some into ./examples; "
            "`lightflowctl list` has those of the running system."
        )
    width = max(_NAME_WIDTH, *(len(workflow.name) + 2 for workflow in workflows))
    return "\n".join(f"{workflow.name:<{width}}{_description(workflow)}".rstrip() for workflow in workflows)


def _place(folder: str) -> str:
    return folder if Path(folder).is_dir() else f"{folder}: no such folder"


def _description(workflow: "ListedWorkflow") -> str:
    return click.style(first_line(workflow.error), fg="red") if workflow.error else first_line(workflow.docstring)


def workflow_details(workflow: "pb.Workflow") -> str:
    """A workflow: what it says of itself, its parameters, and each DAG drawn as a tree."""
    parts = [_heading(workflow), _parameters(workflow.parameters), *(graph(dag) for dag in workflow.dags)]
    return "\n\n".join(part for part in parts if part)


def _heading(workflow: "pb.Workflow") -> str:
    status = "deployed" if workflow.deployed else "loaded afresh at every start"
    version = f"version {workflow.version[:12]}, " if workflow.version else ""
    head = f"{click.style(workflow.name, bold=True)}  ({version}{status})"
    lines = [head, *(f"  {line}".rstrip() for line in workflow.docstring.strip().splitlines())]
    if workflow.error:
        lines.append(click.style(workflow.error, fg="red"))
    return "\n".join(lines)


def _parameters(options: Sequence["pb.Option"]) -> str:
    rows = [
        (option.name, option.type, "(required)" if option.required else option.default_text, option.help)
        for option in options
    ]
    return columns(("PARAMETER", "TYPE", "DEFAULT", "HELP"), rows) if rows else ""


def graph(dag: "pb.Graph") -> str:
    """A DAG as a tree. A task with several predecessors is drawn in full below the first and by name below the others.

    The alias under which the output of the line above arrives stands in brackets before the task's name.
    """
    head = f"{click.style(dag.name, bold=True)}  (DAG{'' if dag.autostart else ', started by a task'})"
    children: dict[str, list[tuple[str, str]]] = {task.name: [] for task in dag.tasks}
    for edge in dag.edges:
        children.setdefault(edge.parent, []).append((edge.child, edge.alias))
    below = {edge.child for edge in dag.edges}
    notes = {task.name: _note(task) for task in dag.tasks}
    lines, drawn = [head], set[str]()
    # A stack instead of recursion: a chain may have thousands of tasks.
    waiting = [(name, "", "", "  ") for name in reversed([task.name for task in dag.tasks if task.name not in below])]
    while waiting:
        name, alias, branch, indent = waiting.pop()
        again = name in drawn and bool(children[name])
        label = f"[{alias}] {name}" if alias else name
        lines.append(f"{indent}{branch}{label}{notes[name]}{' (see above)' if again else ''}")
        if name in drawn:
            continue
        drawn.add(name)
        waiting += _branches(children[name], indent + _CONTINUED.get(branch, ""))
    return "\n".join(lines)


_CONTINUED = {"├─ ": "│  ", "└─ ": "   "}


def _branches(children: list[tuple[str, str]], indent: str) -> list[tuple[str, str, str, str]]:
    last = len(children) - 1
    found = [(name, alias, "└─ " if place == last else "├─ ", indent) for place, (name, alias) in enumerate(children)]
    return found[::-1]


def _note(task: "pb.GraphTask") -> str:
    facts = [task.type, f"queue {task.queue}" if task.queue not in ("", "task") else ""]
    said = ", ".join(fact for fact in facts if fact)
    return click.style(f"  {said}", fg="bright_black") if said else ""
