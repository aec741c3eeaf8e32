"""What the control service works with; the wiring of the process hands it over."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from lightflow.queue.const import DefaultJobQueueName
from lightflow.runtime.batches import Turns
from lightflow.runtime.datastore.mongo import RunStore
from lightflow.runtime.hints import Hints
from lightflow.runtime.mongo import Database, Document
from lightflow.runtime.notify import Notifier
from lightflow.runtime.payloads import Payloads


@dataclass(frozen=True, slots=True)
class Collaborators:
    """`look` makes this scheduler look at a run soon, whose `queues` are those that it serves; `know` tells it the
    document of a run that it need not read for that.

    `alive` judges a document of `workers`; times are seconds.
    """

    db: Database
    notifier: Notifier
    payloads: Payloads
    store: RunStore
    hints: Hints
    look: Callable[[str], None]
    alive: Callable[[dict[str, Any]], bool]
    turns: Turns = field(default_factory=Turns)
    know: Callable[[Document], None] = lambda _: None
    load_timeout: float = 30.0
    stop_grace: float = 10.0
    recheck: float = 15.0
    retention_days: float = 7.0
    queues: tuple[str, ...] = (DefaultJobQueueName.Workflow,)
