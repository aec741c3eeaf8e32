"""What a workflow means, as data: small workflow files, and how a run of each must end.

Whatever runs workflows is held to these cases. A file may hold many DAGs, so that few runs say much; the names of its
tasks are then unique in the file. Every body follows `support.HEADER`, which imports the public API.
"""

from dataclasses import dataclass, field
from typing import Any

SUCCEEDED, SKIPPED, STOPPED, ABORTED, FAILED = "succeeded", "skipped", "stopped", "aborted", "failed"


@dataclass(frozen=True)
class Case:
    """`dags` lists the tasks of each DAG run with `task=state` where it does not succeed, `dag_states` those that do
    not end as the run does, `attempts` the tasks that had more than one, `printed` what tasks must print.

    `error` is the type of the run's error and a part of its message. `processes` says that tasks die of signals, which
    only a runner with processes survives.
    """

    name: str
    body: str
    dags: dict[str, str]
    printed: dict[str, list[str]] = field(default_factory=dict)
    state: str = SUCCEEDED
    dag_states: dict[str, str] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    error: tuple[str, str] | None = None
    arguments: dict[str, Any] = field(default_factory=dict)
    processes: bool = False

    @property
    def tasks(self) -> dict[str, dict[str, str]]:
        """The state that each task must end in, by DAG run and task."""
        return {dag: dict(_expected(entry) for entry in entries.split()) for dag, entries in self.dags.items()}

    @property
    def states_of_dags(self) -> dict[str, str]:
        """The state that each DAG run must end in."""
        return {dag: self.dag_states.get(dag, self.state) for dag in self.dags}


def _expected(entry: str) -> tuple[str, str]:
    name, _, state = entry.partition("=")
    return name, state or SUCCEEDED


ENDINGS = [
    Case(
        "tasks_that_end_so_that_the_run_goes_on",
        """
        def say(data, store, signal, context):
            print(f"{context.task_name} attempt {context.attempt} of {context.dag_name}")

        def dag(name, first, *successors):
            globals()[name] = Dag(name, schema={first: list(successors)})

        def after(*names):
            return [PythonTask(name, say) for name in names]

        dag("nothing", PythonTask("returns_none", lambda *_: None), *after("after_none"))
        dag("action", PythonTask("returns_action", lambda data, *_: Action(data)), *after("after_action"))

        def limited(data, store, signal, context):
            return Action(data, limit=[chosen])

        chosen, unchosen = after("chosen_object", "unchosen_object")
        dag("by_object", PythonTask("limits_by_object", limited), chosen, unchosen)
        dag(
            "by_name",
            PythonTask("limits_by_name", lambda data, *_: Action(data, limit=["chosen_name", "nobody"])),
            *after("chosen_name", "unchosen_name"),
        )
        dag("to_none", PythonTask("limits_to_none", lambda data, *_: Action(data, limit=[])), *after("after_limit"))

        def stop(data, store, signal, context):
            raise StopTask("enough")

        def stop_alone(data, store, signal, context):
            raise StopTask("enough", skip_successors=False)

        dag("stopping", PythonTask("stops", stop), *after("after_stop"))
        dag("stopping_alone", PythonTask("stops_alone", stop_alone), *after("after_stop_alone"))
        dag("early", PythonTask("stops_in_init", say, callback_init=stop), *after("after_init"))

        def fail_first(data, store, signal, context):
            if context.attempt == 1:
                raise ValueError("not yet")
            say(data, store, signal, context)

        def fail_twice(data, store, signal, context):
            if context.attempt < 3:
                raise KeyError("not yet")

        dag("again", PythonTask("fails_first", fail_first, retries=1, retry_delay=0.01), *after("after_retry"))
        dag("with_options", PythonTask("fails_twice", fail_twice).with_options(retries=5, retry_on=(KeyError,)))

        def status(word, *_):
            print(word.name)

        async def status_later(word, *_):
            print(word.name, "later")

        dag("statuses", PythonTask("tells_success", callback_finally=status))
        dag("statuses_stopped", PythonTask("tells_stop", stop, callback_finally=status_later))
        dag("statuses_error", PythonTask("tells_error", fail_first, callback_finally=status, retries=1))
        """,
        {
            "nothing:1": "returns_none after_none",
            "action:1": "returns_action after_action",
            "by_object:1": "limits_by_object chosen_object unchosen_object=skipped",
            "by_name:1": "limits_by_name chosen_name unchosen_name=skipped",
            "to_none:1": "limits_to_none after_limit=skipped",
            "stopping:1": "stops=stopped after_stop=skipped",
            "stopping_alone:1": "stops_alone=stopped after_stop_alone",
            "early:1": "stops_in_init=stopped after_init=skipped",
            "again:1": "fails_first after_retry",
            "with_options:1": "fails_twice",
            "statuses:1": "tells_success",
            "statuses_stopped:1": "tells_stop=stopped",
            "statuses_error:1": "tells_error",
        },
        {
            "after_none": ["after_none attempt 1 of nothing:1"],
            "after_action": ["after_action attempt 1 of action:1"],
            "chosen_object": ["chosen_object attempt 1 of by_object:1"],
            "chosen_name": ["chosen_name attempt 1 of by_name:1"],
            "after_stop_alone": ["after_stop_alone attempt 1 of stopping_alone:1"],
            "fails_first": ["fails_first attempt 2 of again:1"],
            "after_retry": ["after_retry attempt 1 of again:1"],
            "tells_success": ["Success"],
            "tells_stop": ["Stopped later"],
            "tells_error": ["Error", "tells_error attempt 2 of statuses_error:1", "Success"],
        },
        attempts={"fails_first": 2, "fails_twice": 3, "tells_error": 2},
    ),
    Case(
        "a_task_that_aborts_ends_the_run_aborted_and_running_tasks_see_the_stop_signal",
        """
        def watch(data, store, signal, context):
            store.set("watching", True)
            while not signal.is_stopped:
                pass
            print("told to stop")

        def abort(data, store, signal, context):
            while not store.get("watching"):
                pass
            raise AbortWorkflow("no way")

        watcher, after_watcher = PythonTask("watcher", watch), PythonTask("after_watcher")
        aborts = PythonTask("aborts", abort, callback_finally=lambda status, *_: print(status.name))
        main = Dag("main", schema={watcher: after_watcher, aborts: PythonTask("after_abort")})
        """,
        {"main:1": "watcher after_watcher=stopped aborts=aborted after_abort=stopped"},
        {"watcher": ["told to stop"], "aborts": ["Aborted"]},
        state=ABORTED,
        error=("AbortWorkflow", "no way"),
    ),
    Case(
        "an_error_without_attempts_left_ends_the_run_failed_and_running_tasks_see_the_stop_signal",
        """
        def watch(data, store, signal, context):
            store.set("watching", True)
            while not signal.is_stopped:
                pass
            print("told to stop")

        def fail(data, store, signal, context):
            while not store.get("watching"):
                pass
            raise ValueError(f"attempt {context.attempt} went wrong")

        main = Dag("main", schema={PythonTask("watcher", watch): PythonTask("after_watcher")})
        other = Dag("other", schema={PythonTask("fails", fail, retries=2): PythonTask("after_failure")})
        """,
        {"main:1": "watcher after_watcher=stopped", "other:1": "fails=failed after_failure=stopped"},
        {"watcher": ["told to stop"]},
        state=FAILED,
        error=("ValueError", "attempt 3 went wrong"),
        attempts={"fails": 3},
    ),
    Case(
        "no_retry_fails_at_once",
        """
        def refuse(data, store, signal, context):
            raise NoRetry("never again")

        task = PythonTask("refuses", refuse, retries=5, callback_finally=lambda status, *_: print(status.name))
        main = Dag("main", schema={task: None})
        """,
        {"main:1": "refuses=failed"},
        {"refuses": ["Error"]},
        state=FAILED,
        error=("NoRetry", "never again"),
    ),
    Case(
        "an_error_that_retry_on_does_not_name_fails_at_once",
        """
        def fail(data, store, signal, context):
            raise ValueError("another kind")

        main = Dag("main", schema={PythonTask("fails", fail, retries=5, retry_on=(KeyError, OSError)): None})
        """,
        {"main:1": "fails=failed"},
        state=FAILED,
        error=("ValueError", "another kind"),
    ),
    Case(
        "returning_something_else_than_an_action_fails_without_another_attempt",
        """
        task = PythonTask("returns", lambda *_: 42, retries=5, callback_finally=lambda status, *_: print(status.name))
        main = Dag("main", schema={task: None})
        """,
        {"main:1": "returns=failed"},
        {"returns": ["Error"]},
        state=FAILED,
        error=("TaskReturnActionInvalid", "int"),
    ),
    Case(
        "a_timeout_lets_finally_run_and_counts_as_an_error",
        """
        import time

        def slow(data, store, signal, context):
            try:
                if context.attempt == 1:
                    time.sleep(60)
            finally:
                print("finally")

        task = PythonTask("slow", slow, timeout=0.2, retries=1, callback_finally=lambda status, *_: print(status.name))
        main = Dag("main", schema={task: None})
        """,
        {"main:1": "slow"},
        {"slow": ["finally", "Error", "finally", "Success"]},
        attempts={"slow": 2},
    ),
    Case(
        "waiting_in_join_dags_counts_as_time",
        """
        def join(data, store, signal, context):
            name = signal.start_dag("endless")
            try:
                signal.join_dags([name])
            except TaskTimeout as error:
                print(error.task, error.seconds)
                signal.stop_dag(name)

        def loop(data, store, signal, context):
            while not signal.is_stopped:
                pass

        main = Dag("main", schema={PythonTask("joins", join, timeout=0.5): PythonTask("after")})
        endless = Dag("endless", autostart=False, schema={PythonTask("loops", loop): None})
        """,
        {"main:1": "joins after", "endless:1": "loops"},
        {"joins": ["joins 0.5"]},
        dag_states={"endless:1": STOPPED},
    ),
    Case(
        "what_callback_init_raises_acts_as_if_raised_in_run",
        """
        def abort(data, store, signal, context):
            raise AbortWorkflow("not even begun")

        def tell(status, *_):
            print(status.name)

        task = PythonTask("aborts", lambda *_: print("ran"), callback_init=abort, callback_finally=tell)
        main = Dag("main", schema={task: PythonTask("after")})
        """,
        {"main:1": "aborts=aborted after=stopped"},
        {"aborts": ["Aborted"]},
        state=ABORTED,
        error=("AbortWorkflow", "not even begun"),
    ),
    Case(
        "callbacks_may_be_async_and_run_once_per_attempt",
        """
        import asyncio

        async def begin(data, store, signal, context):
            await asyncio.sleep(0)
            print("init", context.attempt)

        async def work(data, store, signal, context):
            await asyncio.sleep(0)
            if context.attempt == 1:
                raise ValueError("not yet")
            data["worked"] = True

        async def end(status, data, store, signal, context):
            await asyncio.sleep(0)
            print(status.name, "worked" in data)

        task = PythonTask("works", work, retries=1, callback_init=begin, callback_finally=end)
        main = Dag("main", schema={task: None})
        """,
        {"main:1": "works"},
        {"works": ["init 1", "Error False", "init 2", "Success True"]},
        attempts={"works": 2},
    ),
    Case(
        "a_timeout_without_attempts_left_fails_the_run",
        """
        import time
        main = Dag("main", schema={PythonTask("slow", lambda *_: time.sleep(60), timeout=0.2): None})
        """,
        {"main:1": "slow=failed"},
        state=FAILED,
        error=("TaskTimeout", "0.2"),
    ),
    Case(
        "a_task_that_does_not_heed_its_timeout_is_killed_and_has_not_died",
        """
        import time

        def stubborn(data, store, signal, context):
            while True:
                try:
                    time.sleep(60)
                except TaskTimeout:
                    print("so what")

        main = Dag("main", schema={PythonTask("stubborn", stubborn, timeout=0.2): None})
        """,
        {"main:1": "stubborn=failed"},
        {"stubborn": ["so what"]},
        state=FAILED,
        error=("TaskTimeout", "0.2"),
        processes=True,
    ),
    Case(
        "a_task_whose_process_dies_is_tried_again",
        """
        import os, signal as signals

        def die_first(data, store, signal, context):
            if context.attempt < 3:
                os.kill(os.getpid(), signals.SIGKILL)
            print(f"attempt {context.attempt} lives")

        main = Dag("main", schema={PythonTask("dies", die_first): PythonTask("after")})
        """,
        {"main:1": "dies after"},
        {"dies": ["attempt 3 lives"]},
        attempts={"dies": 3},
        processes=True,
    ),
    Case(
        "a_task_whose_process_dies_three_times_fails_and_says_so",
        """
        import os
        main = Dag("main", schema={PythonTask("dies", lambda *_: os._exit(7)): PythonTask("after")})
        """,
        {"main:1": "dies=failed after=stopped"},
        state=FAILED,
        attempts={"dies": 3},
        error=("TaskDied", "died 3 times"),
        processes=True,
    ),
    Case(
        "a_run_stopped_by_a_task_ends_stopped",
        """
        def stop(data, store, signal, context):
            signal.stop_workflow()
            while not signal.is_stopped:
                pass
            print("stopped as asked, and starts", signal.start_dag("sub"))

        main = Dag("main", schema={PythonTask("stops", stop): PythonTask("after")})
        sub = Dag("sub", autostart=False, schema={PythonTask("never"): None})
        """,
        {"main:1": "stops after=stopped"},
        {"stops": ["stopped as asked, and starts None"]},
        state=STOPPED,
    ),
    Case(
        "a_dag_run_stopped_by_a_task_ends_stopped_and_the_run_succeeds",
        """
        def stop(data, store, signal, context):
            signal.stop_dag()
            while not signal.is_stopped:
                pass
            print("own DAG stopped")

        def stop_other(data, store, signal, context):
            name = signal.start_dag("sub")
            while not store.get("watching"):
                pass
            signal.stop_dag(name)
            print("joined", signal.join_dags([name]), "stopped", signal.is_stopped)

        def watch(data, store, signal, context):
            store.set("watching", True)
            while not signal.is_stopped:
                pass

        main = Dag("main", schema={PythonTask("stops", stop): PythonTask("after")})
        other = Dag("other", schema={PythonTask("stops_other", stop_other): PythonTask("after_other")})
        sub = Dag("sub", autostart=False, schema={PythonTask("watches", watch): PythonTask("after_watch")})
        """,
        {
            "main:1": "stops after=stopped",
            "other:1": "stops_other after_other",
            "sub:1": "watches after_watch=stopped",
        },
        {"stops": ["own DAG stopped"], "stops_other": ["joined True stopped False"]},
        dag_states={"main:1": STOPPED, "sub:1": STOPPED},
    ),
    Case(
        "of_two_reasons_to_end_the_stronger_wins",
        """
        def fail(data, store, signal, context):
            signal.stop_workflow()
            while not signal.is_stopped:
                pass
            raise ValueError("on top of it")

        main = Dag("main", schema={PythonTask("fails", fail, retries=3): None})
        """,
        {"main:1": "fails=failed"},
        state=FAILED,
        error=("ValueError", "on top of it"),
    ),
]

SKIPPING = [
    Case(
        "skipping",
        """
        def task(name, limit=None, **options):
            return PythonTask(name, lambda data, *_: Action(data, limit=limit), **options)

        def stop(data, store, signal, context):
            raise StopTask

        a = task("spreads", limit=[])
        b, c = task("spread_to"), task("spread_further")
        spreading = Dag("spreading", schema={a: b, b: c})

        a, b, c = task("before_forced", limit=[]), task("forced", force_run=True), task("after_forced")
        forcing = Dag("forcing", schema={a: b, b: c})

        a, b, c = task("before_held", limit=[]), task("held", propagate_skip=False), task("after_held")
        holding = Dag("holding", schema={a: b, b: c})

        a, b, c, d = task("decides", limit=["one"]), task("one"), task("two"), task("meets")
        meeting = Dag("meeting", schema={a: [b, c], b: d, c: d})

        a, b, c = PythonTask("stops", stop), task("selects"), task("selected_by_one")
        selecting = Dag("selecting", schema={a: c, b: c})

        a, b, c = task("leaves_out_a", limit=[]), task("leaves_out_b", limit=["other"]), task("left_out")
        leaving_out = Dag("leaving_out", schema={a: c, b: [c, task("other")]})

        a, b, c, d, e = task("long", limit=[]), task("long_a"), task("long_b"), task("alive"), task("long_end")
        long = Dag("long", schema={a: b, b: c, c: e, d: e})

        a, b, c, d = task("parts", limit=[]), task("part_a"), task("part_b", propagate_skip=False), task("joins")
        parting = Dag("parting", schema={a: [b, c], b: d, c: d})

        a, b, c = PythonTask("halts", stop), task("forced_on", force_run=True, propagate_skip=False), task("after_halt")
        halting = Dag("halting", schema={a: [b, c], b: c})

        a, b = task("ignores", limit=["known", "unknown"]), task("known")
        ignoring = Dag("ignoring", schema={a: b})
        """,
        {
            "spreading:1": "spreads spread_to=skipped spread_further=skipped",
            "forcing:1": "before_forced forced after_forced",
            "holding:1": "before_held held=skipped after_held",
            "meeting:1": "decides one two=skipped meets",
            "selecting:1": "stops=stopped selected_by_one selects",
            "leaving_out:1": "leaves_out_a left_out=skipped leaves_out_b other",
            "long:1": "long long_a=skipped long_b=skipped long_end alive",
            "parting:1": "parts part_a=skipped part_b=skipped joins",
            "halting:1": "halts=stopped forced_on after_halt",
            "ignoring:1": "ignores known",
        },
    ),
]

DATA = [
    Case(
        "data_between_tasks",
        """
        def show(data, store, signal, context):
            print([dict(dataset.data) for dataset in data], [list(dataset.task_history) for dataset in data])

        def gives(name, **values):
            def give(data, store, signal, context):
                for key, value in values.items():
                    data[key] = value
            return PythonTask(name, give)

        alone = Dag("alone", schema={PythonTask("starts", show): None})

        a, b, c = gives("h1", x=1), gives("h2", y=2), PythonTask("history", show)
        chain = Dag("chain", schema={a: b, b: c})

        def reach(data, store, signal, context):
            print(data["who"], data("second")["who"], data("r1")["who"], data.get_by_index(2)["who"])
            print(data.default_index)
            data.set_default_by_alias("second")
            print(data["who"], "who" in data, "what" in data)
            for wrong, key in ((data, "nobody"), (data.get_by_index, 3), (data.set_default_by_alias, "nobody")):
                try:
                    wrong(key)
                except (DataInvalidAlias, DataInvalidIndex) as error:
                    print(type(error).__name__)

        a, b, c, d = gives("r1", who="a"), gives("r2", who="b"), gives("r3", who="c"), PythonTask("reaches", reach)
        reaching = Dag("reaching", schema={a: d, b: {d: "second"}, c: {d: None}, d: PythonTask("merged", show)})

        a = gives("m1", deep={"a": {"x": 1, "y": 1}}, flat=1, first=1)
        b = gives("m2", deep={"a": {"y": 2}, "b": 2}, flat=2, second=2)
        c = PythonTask("merges", lambda *_: None)
        merging = Dag("merging", schema={a: c, b: c, c: PythonTask("merged_deeply", show)})

        a = PythonTask("skips", lambda data, *_: Action(data, limit=["contributes_nothing_to"]))
        b, c = gives("skipped", s=1), gives("lives", l=1)
        d = PythonTask("contributes_nothing_to", show)
        skipping = Dag("skipping", schema={a: [b, d], b: d, c: d})

        a, b, c = PythonTask("skips_all", lambda data, *_: Action(data, limit=[])), gives("skipped_too"), None
        c = PythonTask("empty_handed", show, force_run=True)
        emptying = Dag("emptying", schema={a: b, b: c})

        def stop_with(data, store, signal, context):
            data["stopped"] = True
            raise StopTask

        def leave_out(data, store, signal, context):
            data["left_out"] = True
            return Action(data, limit=[])

        a, b, c = PythonTask("stops", stop_with), PythonTask("leaves_out", leave_out), gives("selects", ok=True)
        d = PythonTask("takes_from_all", show)
        contributing = Dag("contributing", schema={a: d, b: d, c: d})

        def grow(data, store, signal, context):
            data["list"].append(context.task_name)
            print(data["list"])

        a, b, c = gives("copies", list=[0]), PythonTask("left", grow), PythonTask("right", grow)
        d = PythonTask("both", show)
        copying = Dag("copying", schema={a: [b, c], b: d, c: d})

        def replace(data, store, signal, context):
            data["old"] = 1
            return Action(MultiTaskData(dataset=TaskData({"new": 2}, task_history=["elsewhere"])))

        replacing = Dag("replacing", schema={PythonTask("replaces", replace): PythonTask("after_replace", show)})

        def remove(data, store, signal, context):
            del data["gone"]

        a, b = gives("g1", gone=1, kept=2), PythonTask("removes", remove)
        removing = Dag("removing", schema={a: b, b: PythonTask("after_removal", show)})
        """,
        {
            "alone:1": "starts",
            "chain:1": "h1 h2 history",
            "reaching:1": "r1 r2 r3 reaches merged",
            "merging:1": "m1 m2 merges merged_deeply",
            "skipping:1": "skips skipped=skipped contributes_nothing_to lives",
            "emptying:1": "skips_all skipped_too=skipped empty_handed",
            "contributing:1": "stops=stopped leaves_out selects takes_from_all",
            "copying:1": "copies left right both",
            "replacing:1": "replaces after_replace",
            "removing:1": "g1 removes after_removal",
        },
        {
            "starts": ["[{}] [[]]"],
            "history": ["[{'x': 1, 'y': 2}] [['h1', 'h2']]"],
            "reaches": [
                "a b a c",
                "0",
                "b True False",
                "DataInvalidAlias",
                "DataInvalidIndex",
                "DataInvalidAlias",
            ],
            "merged": ["[{'who': 'b'}] [['r1', 'r3', 'r2', 'reaches']]"],
            "merged_deeply": [
                "[{'deep': {'a': {'y': 1, 'x': 1}, 'b': 2}, 'flat': 1, 'second': 2, 'first': 1}]"
                " [['m2', 'm1', 'merges']]"
            ],
            "contributes_nothing_to": ["[{}, {'l': 1}] [['skips'], ['lives']]"],
            "empty_handed": ["[{}] [[]]"],
            "takes_from_all": [
                "[{'stopped': True}, {'left_out': True}, {'ok': True}] [['stops'], ['leaves_out'], ['selects']]"
            ],
            "left": ["[0, 'left']"],
            "right": ["[0, 'right']"],
            "both": ["[{'list': [0, 'left']}, {'list': [0, 'right']}] [['copies', 'left'], ['copies', 'right']]"],
            "after_replace": ["[{'new': 2}] [['elsewhere', 'replaces']]"],
            "after_removal": ["[{'kept': 2}] [['g1', 'removes']]"],
        },
    ),
    Case(
        "any_object_of_any_size_passes_from_task_to_task",
        """
        class Point:
            def __init__(self, x):
                self.x = x

        def give(data, store, signal, context):
            offset = 5
            data["point"] = Point(3)
            data["function"] = lambda value: value + offset
            data["large"] = b"x" * 20_000_000
            data[("a", 1)] = {1, 2}

        def take(data, store, signal, context):
            print(type(data["point"]) is Point, data["point"].x, data["function"](1))
            print(len(data["large"]), data[("a", 1)])

        main = Dag("main", schema={PythonTask("gives", give): PythonTask("takes", take)})
        """,
        {"main:1": "gives takes"},
        {"takes": ["True 3 6", "20000000 {1, 2}"]},
    ),
    Case(
        "an_output_that_cannot_be_pickled_fails_its_task",
        """
        import threading

        def give(data, store, signal, context):
            data["lock"] = threading.Lock()

        main = Dag("main", schema={PythonTask("gives", give): PythonTask("takes")})
        """,
        {"main:1": "gives=failed takes=stopped"},
        state=FAILED,
        error=("", "lock"),
    ),
    Case(
        "data_given_to_start_dag_reaches_the_start_tasks_of_the_dag",
        """
        def start(data, store, signal, context):
            given = MultiTaskData()
            given.add_dataset("one", TaskData({"n": 1}), aliases=["slot"])
            given.add_dataset("two", TaskData({"n": 2}))
            given.set_default_by_index(1)
            names = [signal.start_dag(sub, data=given), signal.start_dag("sub", data=TaskData({"n": 3}))]
            names.append(signal.start_dag("sub"))
            print(names, signal.join_dags([*names, None, "unknown:7"]))
            try:
                signal.start_dag("nosuch")
            except DagNameUnknown as error:
                print("refused", "nosuch" in str(error))

        def show(data, store, signal, context):
            store.push("seen", [context.dag_name, [dict(d.data) for d in data], data.default_index])
            if context.dag_name == "sub:1":
                store.set("by_alias", [data("slot")["n"], data("two")["n"], data["n"]])

        def tell(data, store, signal, context):
            for entry in sorted(store.get("seen")):
                print(entry)
            print(store.get("by_alias"))

        main = Dag("main", schema={PythonTask("starts", start): PythonTask("tells", tell)})
        sub = Dag("sub", autostart=False, schema={PythonTask("shows", show): None})
        """,
        {"main:1": "starts tells", "sub:1": "shows", "sub:2": "shows", "sub:3": "shows"},
        {
            "starts": ["['sub:1', 'sub:2', 'sub:3'] True", "refused True"],
            "tells": [
                "['sub:1', [{'n': 1}, {'n': 2}], 1]",
                "['sub:2', [{'n': 3}], 0]",
                "['sub:3', [{}], 0]",
                "[1, 2, 2]",
            ],
        },
    ),
    Case(
        "start_arguments_lie_in_the_store_before_the_first_task_runs",
        """
        parameters = Parameters([
            Option("count", type=int, help="how many"),
            Option("ratio", default="0.5", type=float),
            Option("flag", type=bool),
            Option("word", "hello"),
        ])

        def show(data, store, signal, context):
            print([store.get(name) for name in ("count", "ratio", "flag", "word", "more", "other", "more.nested")])
            print(list(context.to_dict()), context.dag_name, context.attempt, len(context.workflow_id))

        main = Dag("main", schema={PythonTask("shows", show): None})
        """,
        {"main:1": "shows"},
        {
            "shows": [
                "[3, 0.5, True, 'hello', {'nested': [1]}, '4', [1]]",
                "['task_name', 'dag_name', 'workflow_name', 'workflow_id', 'worker_hostname', 'attempt'] main:1 1 24",
            ]
        },
        arguments={"count": "3", "flag": "YES", "more.nested": [1], "other": "4"},
    ),
    Case(
        "task_types_of_others_take_options_that_they_do_not_know",
        """
        class Power(BaseTask):
            def __init__(self, name, base, exponent=2, *, queue="task", callback_init=None, callback_finally=None,
                         force_run=False, propagate_skip=True):
                super().__init__(name, queue=queue, callback_init=callback_init, callback_finally=callback_finally,
                                 force_run=force_run, propagate_skip=propagate_skip)
                self.params = TaskParameters(base=base, exponent=exponent)

            def run(self, data, store, signal, context):
                if context.attempt == 1:
                    raise ValueError("not yet")
                params = self.params.eval(data, store, exclude=["exponent"])
                data["power"] = params.base ** self.params.eval_single("exponent", data, store)
                print(list(params), data["power"])
                return Action(data, limit=["chosen"])

        power = Power("power", lambda data, store: data.get_by_index(0).get("base", 5), exponent=lambda *_: 3)
        power = power.with_options(retries=1, retry_on=ValueError)
        main = Dag("main", schema={power: [PythonTask("chosen"), PythonTask("left_out")]})
        """,
        {"main:1": "power chosen left_out=skipped"},
        {"power": ["['base'] 125"]},
        attempts={"power": 2},
    ),
    Case(
        "the_store_keeps_values_as_they_are",
        """
        from datetime import datetime, timedelta, timezone

        class Thing:
            def __eq__(self, other):
                return type(self) is type(other)

        VALUES = {
            "int": 1, "float": 1.5, "text": "hello", "bool": True, "none": None, "bytes": b"raw", "list": [1, [2]],
            "dict": {"a": {"b": 1}}, "huge": 2**80, "thing": Thing(), "odd_keys": {1: "one", "a.b": 2, "$c": 3},
            "tuple": (1, 2), "zoned": datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=2))),
            "time": datetime(2020, 1, 1, 12, 30), "mixed": [1, Thing(), {"t": Thing()}],
        }

        def put(data, store, signal, context):
            for name, value in VALUES.items():
                store.set(f"values.{name}", value)
            store.set("deep.er.still", 1)
            print(store.extend("list", "abc"), store.extend("list", [1, 2]) is not False)
            store.push("list", [3])

        def get(data, store, signal, context):
            print([name for name, value in VALUES.items() if store.get(f"values.{name}") != value])
            print(store.get("deep"), store.get("absent"), store.get("deep.er.absent", 7), store.get("list"))
            store.set("deep.er", 2)
            print(store.get("deep"))

        def tell(data, store, signal, context):
            meta = DataStoreDocumentSection.Meta
            store.set("mine", 1, section=meta)
            log = store.get("log.main:1.tasks", section=meta)
            print(store.get("name", section=meta) == context.workflow_name, list(log), log["puts"]["queue"])
            print(store.get("mine", section=meta), store.get("mine"))

        a, b, c = PythonTask("puts", put), PythonTask("gets", get), PythonTask("tells", tell)
        main = Dag("main", schema={a: b, b: c})
        """,
        {"main:1": "puts gets tells"},
        {
            "puts": ["False True"],
            "gets": ["[]", "{'er': {'still': 1}} None 7 [1, 2, [3]]", "{'er': 2}"],
            "tells": ["True ['puts', 'gets', 'tells'] task", "1 None"],
        },
    ),
    Case(
        "joins_that_can_never_end_are_errors_at_once",
        """
        def join_own(data, store, signal, context):
            try:
                signal.join_dags([context.dag_name])
            except LightflowException as error:
                print(type(error).__name__)
            print(signal.join_dags([None, "nobody:1"]), signal.join_dags([]))

        main = Dag("main", schema={PythonTask("joins_own", join_own): None})
        """,
        {"main:1": "joins_own"},
        {"joins_own": ["JoinImpossible", "True True"]},
    ),
]

CASES = ENDINGS + SKIPPING + DATA
