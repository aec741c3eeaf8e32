"""The names of queues, jobs and their events."""

from lightflow.queue.const import DefaultJobQueueName, JobEventName, JobStatus, JobType

__all__ = ["DefaultJobQueueName", "JobEventName", "JobStatus", "JobType"]
