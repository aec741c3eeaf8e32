"""The names of queues, jobs and their events."""


class DefaultJobQueueName:
    """The queue of each type of job, unless a workflow, DAG or task names its own."""

    Workflow = "workflow"
    Dag = "dag"
    Task = "task"


class JobType:
    """What a job is about."""

    Workflow = "workflow"
    Dag = "dag"
    Task = "task"


class JobStatus:
    """Which jobs to list: running; pending runs; queued; waiting for a delay or for predecessors."""

    Active = 0
    Registered = 1
    Reserved = 2
    Scheduled = 3


class JobEventName:
    """The types of job events."""

    Started = "task-lightflow-started"
    Succeeded = "task-lightflow-succeeded"
    Stopped = "task-lightflow-stopped"
    Aborted = "task-lightflow-aborted"
