import asyncio
import pickle

from lightflow.core.outcomes import Ending
from lightflow.runtime.datastore.encoding import decode


def ignore(_: bytes) -> None:
    pass


async def test_a_timeout_is_raised_in_the_task_so_that_finally_runs(slot, workshop, calls):
    body = "try:\n    time.sleep(1000)\nfinally:\n    store.set('cleaned', True)"
    result = await slot.run(await workshop.task(body, timeout=0.1), calls, ignore)
    assert (result.outcome.ending, result.outcome.error.type) == (Ending.ERROR, "TaskTimeout")
    assert "'work'" in result.outcome.error.message
    assert "0.1 s" in result.outcome.error.message
    assert "time.sleep(1000)" in result.outcome.error.traceback
    assert decode(calls.values["cleaned"]) is True
    assert slot.child_pid is not None


async def test_a_timeout_strikes_in_a_call_and_later_calls_get_their_own_answers(slot, workshop, calls):
    waiting = asyncio.Event()
    answer = calls.call

    async def call(method, header, payload):
        if method == "join_dags":
            waiting.set()
            await asyncio.Event().wait()
        return await answer(method, header, payload)

    calls.call = call
    body = """
        from lightflow.core.errors import TaskTimeout
        try:
            signal.join_dags()
        except TaskTimeout:
            store.set('k', 5)
            data['got'] = store.get('k')
    """
    result = await slot.run(await workshop.task(body, timeout=0.2), calls, ignore)
    assert waiting.is_set()
    assert pickle.loads(result.output)["got"] == 5
    assert (await slot.run(await workshop.task("pass"), calls, ignore)).outcome.ending is Ending.SUCCEEDED


async def test_a_task_that_goes_on_after_its_timeout_is_killed_and_that_is_no_death(slot, workshop, calls):
    body = "while True:\n    try:\n        time.sleep(1000)\n    except BaseException:\n        pass"
    result = await slot.run(await workshop.task(body, timeout=0.1), calls, ignore)
    assert (result.outcome.ending, result.outcome.error.type) == (Ending.ERROR, "TaskTimeout")
    assert "killed" in result.outcome.error.message


async def test_a_task_that_holds_the_interpreter_is_killed_after_its_timeout(slot, workshop, calls):
    # PyDLL calls into C without letting go of the interpreter.
    body = "import ctypes\nctypes.PyDLL(None).sleep(1000)"
    result = await slot.run(await workshop.task(body, timeout=0.1), calls, ignore)
    assert (result.outcome.ending, result.outcome.error.type) == (Ending.ERROR, "TaskTimeout")


async def test_a_timeout_that_was_not_needed_disturbs_no_later_attempt(slot, workshop, calls):
    await slot.run(await workshop.task("pass", timeout=0.2), calls, ignore)
    result = await slot.run(await workshop.task("time.sleep(0.3)"), calls, ignore)
    assert result.outcome.ending is Ending.SUCCEEDED
