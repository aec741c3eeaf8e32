"""What tasks may do to their run, and many of them to its store at once: cases like those of `cases`."""

from tests.e2e.cases import FAILED, STOPPED, Case

SIGNALS = [
    Case(
        "a_dag_is_started_a_hundred_times_with_data_of_its_own",
        """
        def start(data, store, signal, context):
            started = [signal.start_dag(square if n % 2 else "square", data={"n": n}) for n in range(100)]
            print(started == [f"square:{n + 1}" for n in range(100)])
            print(signal.join_dags(started), sorted(store.get("squares")) == [n * n for n in range(100)])
            try:
                signal.start_dag("sqare")
            except DagNameUnknown as error:
                print(error.name, "square" in str(error))

        def multiply(data, store, signal, context):
            store.push("squares", data["n"] ** 2)

        square = Dag("square", autostart=False, schema={PythonTask("multiply", multiply): None})
        main = Dag("main", schema={PythonTask("starts", start): None})
        """,
        {"main:1": "starts", **{f"square:{n}": "multiply" for n in range(1, 101)}},
        {"starts": ["True", "True True", "sqare True"]},
    ),
    Case(
        "many_tasks_wait_at_once_without_starving_what_they_wait_for",
        """
        def wait(data, store, signal, context):
            signal.join_dags([signal.start_dag("sub")])
            store.push("through", context.task_name)

        def last(data, store, signal, context):
            print(len(store.get("through")), store.get("count"))

        def sub_task(data, store, signal, context):
            store.push("count", 1)

        waiting = [PythonTask(f"w{n}", wait) for n in range(12)]
        main = Dag("main", schema=dict.fromkeys(waiting, PythonTask("last", last)))
        sub = Dag("sub", autostart=False, schema={PythonTask("runs", sub_task): None})
        """,
        {"main:1": " ".join([*(f"w{n}" for n in range(12)), "last"]), **{f"sub:{n}": "runs" for n in range(1, 13)}},
        {"last": [f"12 {[1] * 12}"]},
    ),
    Case(
        "a_circle_of_joins_is_an_error_that_shows_the_circle",
        """
        CIRCLES = ("back:1 -> main:1 -> back:1", "main:1 -> back:1 -> main:1")

        def join(name, store, signal):
            try:
                signal.join_dags([name])
            except LightflowException as error:
                store.push("refused", [type(error).__name__, any(circle in str(error) for circle in CIRCLES)])

        def ahead(data, store, signal, context):
            join(signal.start_dag("back"), store, signal)

        def behind(data, store, signal, context):
            join("main:1", store, signal)

        # Whichever of them joins last closes the circle.
        tells = PythonTask("tells", lambda data, store, *_: print(store.get("refused")))
        main = Dag("main", schema={PythonTask("ahead", ahead): tells})
        back = Dag("back", autostart=False, schema={PythonTask("behind", behind): None})
        """,
        {"main:1": "ahead tells", "back:1": "behind"},
        {"tells": ["[['JoinImpossible', True]]"]},
    ),
    Case(
        "a_join_without_names_waits_for_all_others",
        """
        def start(data, store, signal, context):
            print([signal.start_dag(name) for name in ("sub", "other", "sub")])
            print(signal.join_dags(), store.get("done"))

        def do(data, store, signal, context):
            store.push("done", 1)

        main = Dag("main", schema={PythonTask("starts", start): None})
        sub = Dag("sub", autostart=False, schema={PythonTask("does", do): None})
        other = Dag("other", autostart=False, schema={PythonTask("does", do): None})
        """,
        {"main:1": "starts", "sub:1": "does", "other:1": "does", "sub:2": "does"},
        {"starts": ["['sub:1', 'other:1', 'sub:2']", "True [1, 1, 1]"]},
    ),
    Case(
        "a_stopping_run_starts_no_dag_and_retries_nothing",
        """
        def stop(data, store, signal, context):
            print(signal.stop_workflow(), signal.start_dag("sub"))
            while not signal.is_stopped:
                pass
            print(signal.is_stopped)
            raise ValueError("no other attempt")

        main = Dag("main", schema={PythonTask("stops", stop, retries=3): PythonTask("after")})
        sub = Dag("sub", autostart=False, schema={PythonTask("never"): None})
        """,
        {"main:1": "stops=failed after=stopped"},
        {"stops": ["True None", "True"]},
        state=FAILED,
        error=("ValueError", "no other attempt"),
    ),
    Case(
        "a_dag_run_that_another_stops_ends_stopped_and_what_waits_for_it_goes_on",
        """
        def stop_other(data, store, signal, context):
            name = signal.start_dag("endless")
            while store.get("begun") is None:
                pass
            print(signal.stop_dag(name), signal.join_dags([name]))
            try:
                signal.stop_dag("nobody:1")
            except LightflowException as error:
                print("nobody:1" in str(error))

        def loop(data, store, signal, context):
            store.set("begun", True)
            while not signal.is_stopped:
                pass

        main = Dag("main", schema={PythonTask("stops", stop_other): PythonTask("after")})
        endless = Dag("endless", autostart=False, schema={PythonTask("loops", loop): PythonTask("late")})
        """,
        {"main:1": "stops after", "endless:1": "loops late=stopped"},
        {"stops": ["True True", "True"]},
        dag_states={"endless:1": STOPPED},
    ),
    Case(
        "pushes_of_many_tasks_at_once_lose_nothing",
        """
        def push(data, store, signal, context):
            for n in range(5):
                store.push("all.items", (context.task_name, n))
            store.extend("all.more", [context.task_name] * 2)

        def count(data, store, signal, context):
            print(len(set(store.get("all.items"))), len(store.get("all.more")), sorted(store.get("all")))
            for key, write in (("all", store.push), ("all.items.deeper", store.set), ("", store.set)):
                try:
                    write(key, 1)
                except LightflowException as error:
                    print(type(error).__name__)

        tasks = [PythonTask(f"p{n}", push) for n in range(50)]
        main = Dag("main", schema=dict.fromkeys(tasks, PythonTask("counts", count)))
        """,
        {"main:1": " ".join([*(f"p{n}" for n in range(50)), "counts"])},
        {
            "counts": [
                "250 100 ['items', 'more']",
                "DataStoreNotAList",
                "DataStoreKeyInvalid",
                "DataStoreKeyInvalid",
            ]
        },
    ),
]
