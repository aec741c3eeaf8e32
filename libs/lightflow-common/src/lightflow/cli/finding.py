"""Runs as people name them: by their id, the beginning of it, and the nearest when it is misspelt."""

import difflib
from itertools import islice
from typing import TYPE_CHECKING

from lightflow.cli.errors import WrongInput

if TYPE_CHECKING:
    from lightflow.control.v1 import control_pb2 as pb
    from lightflow.runtime.rpc.client import ControlClient

_LISTED = "; `lightflowctl status` lists the runs"

_LOOKED_AT = 500


def find_run(client: "ControlClient", text: str) -> "pb.Run":
    """The run of that id or beginning of an id, with its tasks; refuses an unknown one with what was probably meant."""
    from lightflow.core.errors import InvalidRequest, RunUnknown

    try:
        return client.get_run(text)
    except (RunUnknown, InvalidRequest) as error:
        runs = [(run.run_id, run.workflow) for run in islice(client.list_runs(), _LOOKED_AT)]
        said = f"{error.reason}{_LISTED}" if isinstance(error, InvalidRequest) else str(error)
        raise WrongInput(f"{said}{meant(text, runs)}") from None


def meant(text: str, runs: list[tuple[str, str]]) -> str:
    """The end of the message: runs of the workflow of that name, or the nearest ids, or nothing."""
    of_workflow = [run_id for run_id, workflow in runs if workflow == text]
    if of_workflow:
        return f".\nRuns of workflow {text}: {', '.join(of_workflow[:3])}{', ...' if len(of_workflow) > 3 else ''}"
    near = difflib.get_close_matches(text, [run_id for run_id, _ in runs], n=1, cutoff=0.5)
    return f".\nDid you mean {near[0]}?" if near else ""
