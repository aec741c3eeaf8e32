"""A task type as people wrote them for Lightflow 1."""

from pathlib import Path

from lightflow.logger import get_logger
from lightflow.models import Action, BaseTask, TaskParameters
from lightflow.queue import JobType

from .exceptions import TextPathError

logger = get_logger(__name__)


class ReplaceTask(BaseTask):
    """Replace one text by another in a file, and tell a callback how often. The parameters may be callables."""

    def __init__(
        self,
        name,
        path,
        old,
        new="",
        callback=None,
        *,
        queue=JobType.Task,
        callback_init=None,
        callback_finally=None,
        force_run=False,
        propagate_skip=True,
    ):
        super().__init__(
            name,
            queue=queue,
            callback_init=callback_init,
            callback_finally=callback_finally,
            force_run=force_run,
            propagate_skip=propagate_skip,
        )
        self.params = TaskParameters(path=path, old=old, new=new)
        self._callback = callback

    def run(self, data, store, signal, context, **kwargs):
        params = self.params.eval(data, store)
        file = Path(params.path)
        if not file.is_absolute():
            raise TextPathError("The path is not absolute")
        text = file.read_text()
        file.write_text(text.replace(params.old, params.new))
        logger.info("Replaced in %s by %s of %s", file.name, context.task_name, self.dag_name)
        if self._callback is not None:
            self._callback(text.count(params.old), data, store, signal, context)
        return Action(data)
