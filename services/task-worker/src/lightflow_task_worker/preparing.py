"""Preparing an attempt: what its child needs, read and verified before user code begins."""

from dataclasses import dataclass

from lightflow.core.graph import DagSpec
from lightflow.core.inputs import contributions
from lightflow.runtime.mongo import Document
from lightflow.runtime.payloads import Payloads
from lightflow_task_worker.facts import Circumstances
from lightflow_task_worker.inputs import Inputs
from lightflow_task_worker.slot import Input, Job
from lightflow_task_worker.versions import Version


@dataclass(frozen=True, slots=True)
class Preparing:
    """Makes jobs for the children of the worker of that name."""

    inputs: Inputs
    payloads: Payloads
    worker: str

    async def job(self, task: Document, version: Version, dag: DagSpec, circumstances: Circumstances) -> Job:
        """The job of the newest attempt of a task. Raises PayloadForged, and what tells that a payload is gone."""
        index = task["index"]
        start = circumstances.start_data if not dag.predecessors[index] else None
        return Job(
            task_run=task["_id"],
            run_id=task["run"],
            workflow=circumstances.workflow,
            version=task["version"],
            dag=task["dag"],
            task=task["task"],
            index=index,
            attempt=len(task["attempts"]),
            worker=self.worker,
            timeout=dag.tasks[index].timeout,
            shard=await version.shard(dag.name, index),
            folder=version.folder,
            inputs=await self._inputs(dag, index, circumstances),
            start_data=None if start is None else await self.payloads.load(start),
        )

    async def _inputs(self, dag: DagSpec, index: int, circumstances: Circumstances) -> tuple[Input, ...]:
        given = contributions(dag, index, circumstances.states)
        loaded = await self.inputs.load([circumstances.outputs.get(each.index) for each in given])
        return tuple(
            Input(each.name, (each.alias,) if each.alias else (), payload)
            for each, payload in zip(given, loaded, strict=True)
        )
