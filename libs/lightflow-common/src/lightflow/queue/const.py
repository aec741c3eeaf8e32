"""The names of queues, jobs and their events."""

__all__ = ["DefaultJobQueueName", "JobEventName", "JobStatus", "JobType"]


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
    """Which jobs to list."""

    Active = 0
    """what runs"""
    Registered = 1
    """runs that have not begun"""
    Reserved = 2
    """what is queued"""
    Scheduled = 3
    """tasks that wait for a delay or for predecessors"""


class JobEventName:
    """The types of job events."""

    Started = "task-lightflow-started"
    Succeeded = "task-lightflow-succeeded"
    Stopped = "task-lightflow-stopped"
    Aborted = "task-lightflow-aborted"
    """also what has failed"""
