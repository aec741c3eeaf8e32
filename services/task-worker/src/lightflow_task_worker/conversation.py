"""One attempt's frames: the job, calls and their answers, the result."""

import asyncio
import logging

from lightflow.core.errors import LightflowException
from lightflow_task_worker.frames import Buffer, Frame, Header
from lightflow_task_worker.job import Calls
from lightflow_task_worker.process import ChildProcess

logger = logging.getLogger(__name__)


class Conversation:
    """Speaks with a child until it has a result."""

    def __init__(self, child: ChildProcess, calls: Calls) -> None:
        self._child = child
        self._calls = calls
        self._answering: asyncio.Task[None] | None = None
        self._calling = False

    async def run(self, job: Header, parts: list[Buffer]) -> Frame:
        """The frame with the result. Raises PipeClosedError or ConnectionError when the child is gone."""
        try:
            await self._child.pipe.send(job, parts)
            while True:
                header, received = await self._child.pipe.receive()
                # A new frame means that the child waits for no earlier answer: a timeout took it out of the call.
                await self._give_up()
                if "result" in header:
                    return header, received
                self._calling = True
                # Popped, so that a large value is not kept twice.
                self._answering = asyncio.create_task(self._answer(header, bytes(received.pop())))
        finally:
            await self._give_up()

    async def _give_up(self) -> None:
        if self._answering is None:
            return
        if self._calling:
            self._answering.cancel()
        # An answer that is on its way is finished: the child's end reads it and drops it.
        await asyncio.wait({self._answering})
        if not self._answering.cancelled():
            self._answering.exception()  # the child is gone, which the next frame tells
        self._answering = None

    async def _answer(self, header: Header, payload: bytes) -> None:
        number, method = header["call"], header.pop("method")
        try:
            answer, data = await self._calls.call(method, header, payload)
        except LightflowException as error:
            answer, data = {"error": error.to_json()}, b""
        except Exception as error:
            logger.exception("the call %s of a task failed", method)
            failure = LightflowException(f"{method} failed in the worker: {type(error).__name__}: {error}")
            answer, data = {"error": failure.to_json()}, b""
        self._calling = False
        await self._child.pipe.send({**answer, "call": number}, [data])
