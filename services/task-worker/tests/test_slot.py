import asyncio
import os
import pickle
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightflow.core.outcomes import Ending
from lightflow.runtime.datastore.encoding import decode, encode
from lightflow_task_worker.slot import ChildSettings, Slot, Slots


def ignore(_: bytes) -> None:
    pass


async def words_until(job: Any, slot: Slot, calls: Any, count: int) -> tuple[asyncio.Task[Any], list[str]]:
    """Start an attempt; it, and the first words that it writes."""
    arrived: asyncio.Queue[str] = asyncio.Queue()
    running = asyncio.create_task(
        slot.run(job, calls, lambda data: [arrived.put_nowait(x) for x in data.decode().split()])
    )
    async with asyncio.timeout(10):
        return running, [await arrived.get() for _ in range(count)]


async def test_a_task_gets_its_inputs_and_hands_on_its_data(slot, workshop, calls, given):
    inputs = (given("one", n=1), given("two", n=2))
    job = await workshop.task("data['sum'] = data('one')['n'] + data('two')['n']", inputs=inputs)
    result = await slot.run(job, calls, ignore)
    assert result.outcome.ending is Ending.SUCCEEDED
    assert pickle.loads(result.output)["sum"] == 3
    assert pickle.loads(result.output).task_history == ["work"]


async def test_the_context_says_where_the_task_runs(slot, workshop, calls):
    result = await slot.run(await workshop.task("data['who'] = context.to_dict()", attempt=3), calls, ignore)
    who = pickle.loads(result.output)["who"]
    assert (who["task_name"], who["dag_name"], who["attempt"]) == ("work", "main:1", 3)
    assert (who["workflow_id"], who["worker_hostname"]) == ("0" * 24, "worker@host")


async def test_data_given_to_start_dag_reaches_a_start_task(slot, workshop, calls, given):
    job = await workshop.task("data['n'] += 1", start_data=given(n=41).payload)
    assert pickle.loads((await slot.run(job, calls, ignore)).output)["n"] == 42


async def test_one_child_serves_attempts_of_one_version_and_another_serves_the_next(slot, workshop, calls):
    first, second = await workshop.task("pass"), await workshop.task("data['other'] = 1")
    pids = []
    for job in (first, first, second):
        await slot.run(job, calls, ignore)
        pids.append(slot.child_pid)
    assert pids[0] == pids[1] != pids[2]
    assert slot.version == second.version


async def test_a_child_is_replaced_after_as_many_attempts_as_were_asked_for(folder, workshop, calls):
    slots = Slots(ChildSettings(f"test-{folder.name}/2", max_attempts=2))
    slot = await slots.start()
    job, pids = await workshop.task("data['pid'] = os.getpid()"), []
    try:
        for _ in range(4):
            pids.append(pickle.loads((await slot.run(job, calls, ignore)).output)["pid"])
    finally:
        await slot.close()
        await slots.close()
    assert pids[0] == pids[1] != pids[2] == pids[3]


async def test_prints_and_subprocesses_and_logging_arrive_in_their_order(slot, workshop, calls, written):
    body = """
        print("one")
        subprocess.run(["sh", "-c", "echo two >&2"])
        logging.getLogger("mine").info("three")
        sys.stderr.write("four\\n")
        print("five", end="")
    """
    await slot.run(await workshop.task(body, before="import logging"), calls, written.append)
    text = b"".join(written).decode()
    assert [text.index(word) for word in ("one", "two", "three", "four", "five")] == sorted(
        text.index(word) for word in ("one", "two", "three", "four", "five")
    )
    assert "INFO mine: three" in text


async def test_what_a_task_prints_arrives_while_it_runs(slot, workshop, calls):
    job = await workshop.task("print('ready')\nwhile not signal.is_stopped: time.sleep(0.001)")
    running, lines = await words_until(job, slot, calls, 1)
    assert lines == ["ready"]
    slot.tell_stopped()
    assert (await running).outcome.ending is Ending.SUCCEEDED


async def test_the_stop_descriptor_becomes_readable_and_is_reset_for_the_next_attempt(slot, workshop, calls):
    body = """
        import select
        print(signal.is_stopped, select.select([signal.stop_descriptor()], [], [], 0)[0] != [])
        select.select([signal.stop_descriptor()], [], [])
        data['stopped'] = signal.is_stopped
    """
    job = await workshop.task(body)
    for _ in range(2):
        running, lines = await words_until(job, slot, calls, 2)
        assert lines == ["False", "False"]
        slot.tell_stopped()
        assert pickle.loads((await running).output)["stopped"] is True


async def test_asking_whether_it_is_stopped_costs_about_a_microsecond(slot, workshop, calls):
    body = """
        import timeit
        data['seconds'] = min(timeit.repeat(lambda: signal.is_stopped, number=10_000, repeat=5)) / 10_000
    """
    assert pickle.loads((await slot.run(await workshop.task(body), calls, ignore)).output)["seconds"] < 5e-6


async def test_store_calls_travel_as_encoded_values(slot, workshop, calls):
    calls.values["known"] = encode({"a": [1, {2, 3}]})
    body = """
        store.set("k", (1, 2)); store.push("l", 1); store.extend("l", [2, 3])
        data["got"] = [store.get("known"), store.get("unknown", 5)]
    """
    result = await slot.run(await workshop.task(body), calls, ignore)
    assert pickle.loads(result.output)["got"] == [{"a": [1, {2, 3}]}, 5]
    assert decode(calls.values["k"]) == (1, 2)
    assert [(method, header["call"]) for method, header, _ in calls.made] == [
        ("set", 1),
        ("push", 2),
        ("extend", 3),
        ("get", 4),
        ("get", 5),
    ]


async def test_signal_calls_give_what_the_worker_answers(slot, workshop, calls):
    body = """
        data["name"] = signal.start_dag("sub", data={"n": 1})
        data["joined"] = signal.join_dags([data["name"], None])
        signal.stop_dag(); signal.stop_workflow()
    """
    result = await slot.run(await workshop.task(body), calls, ignore)
    output = pickle.loads(result.output)
    assert (output["name"], output["joined"]) == ("sub:1", True)
    assert pickle.loads(calls.made[0][2]).default_dataset["n"] == 1
    assert [header.get("names", header.get("name")) for _, header, _ in calls.made] == ["sub", ["sub:1"], None, None]


async def test_an_error_of_a_call_is_raised_in_the_task_as_its_own_class(slot, workshop, calls):
    body = """
        from lightflow.core.errors import DagNameUnknown
        try:
            signal.start_dag("sup")
        except DagNameUnknown as error:
            data["known"] = error.known
    """
    assert pickle.loads((await slot.run(await workshop.task(body), calls, ignore)).output)["known"] == ("sub",)


async def test_threads_of_a_task_may_use_the_store_at_once(slot, workshop, calls):
    body = """
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n: store.set(f"k{n}", n), range(50)))
    """
    result = await slot.run(await workshop.task(body), calls, ignore)
    assert result.outcome.ending is Ending.SUCCEEDED
    assert {key: decode(value) for key, value in calls.values.items()} == {f"k{n}": n for n in range(50)}


async def test_a_process_that_the_task_forked_is_told_that_the_store_is_not_for_it(slot, workshop, calls, written):
    body = """
        pid = os.fork()
        if not pid:
            try:
                store.set("k", 1)
            except RuntimeError as error:
                print(error, flush=True)
            os._exit(0)
        os.waitpid(pid, 0)
        store.set("k", 2)
    """
    await slot.run(await workshop.task(body), calls, written.append)
    assert b"not in one that it forked" in b"".join(written)
    assert decode(calls.values["k"]) == 2


async def test_large_values_pass_without_holding_up_the_loop(slot, workshop, calls, given):
    inputs = (given(big=bytes(50_000_000)),)
    job = await workshop.task("data['big'] = data['big'][::-1]; store.set('big', data['big'])", inputs=inputs)
    loop, gaps, done = asyncio.get_running_loop(), [0.0], asyncio.Event()

    async def watch() -> None:
        last = loop.time()
        while not done.is_set():
            await asyncio.sleep(0)
            gaps.append(loop.time() - last)
            last = loop.time()

    watching = asyncio.create_task(watch())
    result = await slot.run(job, calls, ignore)
    done.set()
    await watching
    assert len(pickle.loads(result.output)["big"]) == len(decode(calls.values["big"])) == 50_000_000
    assert max(gaps) < 0.5


async def test_output_that_cannot_be_pickled_fails_the_task_and_names_the_key(slot, workshop, calls):
    result = await slot.run(await workshop.task("data['fine'] = 1; data['lock'] = threading.Lock()"), calls, ignore)
    assert result.outcome.ending is Ending.ERROR
    assert result.output is None
    assert "'work'" in result.outcome.error.message
    assert "key 'lock'" in result.outcome.error.message


async def test_a_task_whose_code_cannot_be_unpickled_here_is_an_error_that_says_why(slot, workshop, calls, folder):
    (folder / "helper.py").write_text("def value(): return 1\n")
    result = await slot.run(await workshop.task("helper.value()", before="import helper"), calls, ignore)
    assert (result.outcome.ending, result.outcome.error.type) == (Ending.ERROR, "ModuleNotFoundError")
    assert "helper" in result.outcome.error.message


async def test_helpers_come_from_the_folder_of_the_version(slot, workshop, calls, folder):
    (folder / "helper.py").write_text("def value(): return 7\n")
    job = await workshop.task("data['n'] = helper.value()", before="import helper", folder=str(folder))
    assert pickle.loads((await slot.run(job, calls, ignore)).output)["n"] == 7


async def test_an_error_keeps_the_line_of_the_users_code_though_the_file_is_gone(slot, workshop, calls, folder):
    job = await workshop.task("raise ValueError('broken')")
    kept = folder / "kept"
    kept.mkdir()
    file = folder / f"{job.workflow}.py"
    file.rename(kept / file.name)
    result = await slot.run(_with(job, folder=str(kept)), calls, ignore)
    assert result.outcome.error.message == "broken"
    assert "raise ValueError('broken')" in result.outcome.error.traceback


def _with(job: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(job, **changes)


@pytest.mark.parametrize(
    ("body", "how"),
    [
        ("os._exit(3)", "exit code 3"),
        ("os.kill(os.getpid(), signals.SIGKILL)", "SIGKILL"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("os.closerange(3, 100); time.sleep(1000)", "SIGKILL"),
    ],
)
async def test_the_death_of_a_process_is_an_outcome_that_says_how(slot, workshop, calls, body, how):
    result = await slot.run(await workshop.task(body), calls, ignore)
    assert result.outcome.ending is Ending.DIED
    assert how in result.outcome.error.message
    assert (await slot.run(await workshop.task("pass"), calls, ignore)).outcome.ending is Ending.SUCCEEDED


async def test_a_child_that_died_between_attempts_costs_the_next_one_nothing(slot, workshop, calls):
    job = await workshop.task("pass")
    await slot.run(job, calls, ignore)
    child = slot._child
    os.kill(child.pid, signal.SIGKILL)
    await slot._guard.ended(child.pid)
    assert (await slot.run(job, calls, ignore)).outcome.ending is Ending.SUCCEEDED


async def test_a_killed_attempt_is_told_as_killed_with_all_that_it_started(slot, workshop, calls, is_alive):
    body = """
        one = subprocess.Popen("sleep 1000 & setsid sleep 1000 & echo $!; wait", shell=True, start_new_session=True)
        print(one.pid, flush=True)
        time.sleep(1000)
    """
    running, lines = await words_until(await workshop.task(body), slot, calls, 2)
    child = slot.child_pid
    await slot.kill()
    assert (await running).outcome.ending is Ending.KILLED
    assert not any(is_alive(pid) for pid in (child, *map(int, lines)))


async def test_a_kill_that_comes_as_its_attempt_ends_leaves_the_next_one_alone(slot, workshop, calls):
    class Killing(type(calls)):
        async def call(self, *call):
            """Kill the attempt by a guardian that takes its time, and let it end meanwhile."""
            os.kill(slot.pid, signal.SIGSTOP)
            asyncio.get_running_loop().call_later(0.3, os.kill, slot.pid, signal.SIGCONT)
            self.killing = asyncio.create_task(slot.kill())
            await asyncio.sleep(0)
            return await super().call(*call)

    job = await workshop.task("store.set('ends', True) if context.attempt == 1 else time.sleep(0.6)")
    killing = Killing()
    await slot.run(job, killing, ignore)
    result = await slot.run(replace(job, attempt=2), calls, ignore)
    await killing.killing
    assert result.outcome.ending is Ending.SUCCEEDED


async def test_a_cancelled_run_kills_its_attempt(slot, workshop, calls, is_alive):
    running, lines = await words_until(await workshop.task("print(os.getpid())\ntime.sleep(1000)"), slot, calls, 1)
    running.cancel()
    await asyncio.wait({running})
    assert running.cancelled()
    assert not is_alive(int(lines[0]))


async def test_a_slot_whose_guardian_was_killed_ends_what_is_left_and_goes_on(slot, workshop, calls, is_alive):
    body = "print(subprocess.Popen(['setsid', 'sleep', '1000']).pid)\ntime.sleep(1000)"
    running, lines = await words_until(await workshop.task(body), slot, calls, 1)
    child = slot.child_pid
    os.kill(slot.pid, signal.SIGKILL)
    result = await running
    assert result.outcome.ending is Ending.DIED
    assert "guardian" in result.outcome.error.message
    assert not is_alive(child)
    assert not is_alive(int(lines[0]))
    assert (await slot.run(await workshop.task("pass"), calls, ignore)).outcome.ending is Ending.SUCCEEDED


async def test_the_orphans_of_a_guardian_end_though_the_process_it_came_from_is_gone_too(
    slots, slot, workshop, calls, is_alive
):
    another = await slots.start()
    spared, _ = await words_until(await workshop.task("print(1)\nstore.get('x')\ntime.sleep(1000)"), another, calls, 1)
    body = "print(subprocess.Popen(['setsid', 'sleep', '1000']).pid)\ntime.sleep(1000)"
    running, words = await words_until(await workshop.task(body), slot, calls, 1)
    os.kill(slots._root.pid, signal.SIGKILL)
    await slots._root.gone
    replaced = await slots.start()
    os.kill(slot.pid, signal.SIGKILL)
    assert (await running).outcome.ending is Ending.DIED
    assert not is_alive(int(words[0]))
    assert is_alive(another.child_pid)
    assert not spared.done()
    await another.kill()
    await spared
    for each in (another, replaced):
        await each.close()


async def test_new_slots_can_be_had_after_the_process_they_come_from_was_killed(slots, slot, workshop, calls):
    await slot.run(await workshop.task("pass"), calls, ignore)
    os.kill(slots._root.pid, signal.SIGKILL)
    await slots._root.gone
    another = await slots.start()
    assert (await another.run(await workshop.task("pass"), calls, ignore)).outcome.ending is Ending.SUCCEEDED
    assert (await slot.run(await workshop.task("pass"), calls, ignore)).outcome.ending is Ending.SUCCEEDED
    await another.close()


async def test_a_child_has_the_marker_and_none_of_the_workers_secrets(monkeypatch, marker, workshop, calls):
    from lightflow_task_worker.slot import ChildSettings, Slots

    monkeypatch.setenv("LIGHTFLOW_STORE_URI", "mongodb://user:secret@host")
    monkeypatch.setenv("LIGHTFLOW_CONFIG", "/etc/lightflow.cfg")
    slots = Slots(ChildSettings(marker))
    slot = await slots.start()
    job = await workshop.task(
        "data['names'] = {k: v for k, v in os.environ.items() if k.startswith(('LIGHT', 'PYTHONHASH'))}"
    )
    names = pickle.loads((await slot.run(job, calls, ignore)).output)["names"]
    assert names == {"LIGHTFLOW_WORKER_MARKER": marker}
    await slots.close()


async def test_modules_of_the_workers_current_folder_are_not_on_the_path(slot, workshop, calls):
    result = await slot.run(await workshop.task("data['path'] = list(sys.path)"), calls, ignore)
    assert str(Path.cwd()) not in pickle.loads(result.output)["path"]


async def test_two_children_draw_different_random_numbers(slots, workshop, calls):
    job = await workshop.task("import random; data['n'] = random.random()")
    drawn = set()
    for _ in range(2):
        slot = await slots.start()
        drawn.add(pickle.loads((await slot.run(job, calls, ignore)).output)["n"])
        await slot.close()
    assert len(drawn) == 2


async def test_a_shell_task_leaves_its_child_reusable_and_ends_with_the_stop_signal(slot, workshop, calls):
    text = (
        "from lightflow.models import Dag\nfrom lightflow.tasks import BashTask\n"
        "quick, long = BashTask('quick', 'echo hello'), BashTask('long', 'echo begun; sleep 1000')\n"
        "d = Dag('d', schema={quick: None, long: None})\n"
    )
    made = await workshop.make(text)
    children = set()
    for _ in range(2):
        running, words = await words_until(workshop.job(made, 0), slot, calls, 1)
        assert words == ["hello"]
        assert (await running).outcome.ending is Ending.SUCCEEDED
        children.add(slot.child_pid)
    assert len(children) == 1
    assert None not in children
    running, _ = await words_until(workshop.job(made, 1), slot, calls, 1)
    slot.tell_stopped()
    assert (await running).outcome.ending is Ending.SUCCEEDED
