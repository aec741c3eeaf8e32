"""Start, stop and list workers: functions over a configuration."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lightflow.core.errors import WorkerUnknown
from lightflow.queue.models import WorkerStats
from lightflow.runtime import records
from lightflow.runtime.rpc.connection import connected

if TYPE_CHECKING:
    from lightflow.config import Config

__all__ = ["list_workers", "start_worker", "stop_worker"]


def start_worker(
    queues: str | Sequence[str],
    config: "Config",
    *,
    name: str | None = None,
    celery_args: Sequence[str] | None = None,
    check_datastore: bool = True,
) -> None:
    """Serve these queues until SIGTERM, SIGINT or `stop_worker`, with the tasks' prints on this process's output.

    `celery_args` are those of Celery's worker command that have a meaning here; others raise WorkerArgumentInvalid.
    Raises ServiceUnavailable where redis, or with `check_datastore` MongoDB, cannot be reached.
    """
    from lightflow.runtime.worker.start import serve

    names = [queues] if isinstance(queues, str) else queues
    serve(names, config, name=name, celery_args=celery_args or (), check_datastore=check_datastore)


def stop_worker(config: "Config", *, worker_ids: str | Iterable[str] | None = None) -> list[WorkerStats]:
    """Ask workers to stop, by name or id; without ids all. Gives those that were asked; raises WorkerUnknown.

    Tasks that run have their grace, then they go back to the queue.
    """
    wanted = None if worker_ids is None else [worker_ids] if isinstance(worker_ids, str) else list(worker_ids)
    with connected(config) as client:
        living = records.workers_of(client.list_workers())
        asked = living if wanted is None else [worker for name in wanted for worker in _named(living, name)]
        if asked:
            client.stop_workers(list(dict.fromkeys(id_ for worker in asked for id_ in worker.ids)))
    return list({worker.ids: worker for worker in asked}.values())


def list_workers(config: "Config", *, filter_by_queues: str | Iterable[str] | None = None) -> list[WorkerStats]:
    """The living workers by name, only those that serve one of these queues where some are named."""
    queues = [filter_by_queues] if isinstance(filter_by_queues, str) else list(filter_by_queues or ())
    with connected(config) as client:
        workers = records.workers_of(client.list_workers())
    return [worker for worker in workers if not queues or any(queue.name in queues for queue in worker.queues)]


def _named(living: list[WorkerStats], name: str) -> list[WorkerStats]:
    """The workers of that name, with or without its host, or of that id."""
    found = [worker for worker in living if name in (worker.name, worker.name.partition("@")[0], *worker.ids)]
    if not found:
        raise WorkerUnknown(name)
    return found
