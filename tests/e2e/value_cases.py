"""What data and store may hold, and what the log of a run says while it goes on: cases like those of `cases`."""

from tests.e2e.cases import STOPPED, Case

VALUES = [
    Case(
        "arrays_and_instances_of_the_files_own_classes_come_back_as_they_were",
        """
        import collections
        import dataclasses
        import enum

        import numpy as np

        class Colour(enum.Enum):
            RED = 1

        class Words(list):
            pass

        @dataclasses.dataclass
        class Point:
            x: int
            tags: list

        Pair = collections.namedtuple("Pair", "left right")

        def values():
            return {
                "none": None, "bytes": bytes(range(256)), "array": np.arange(12).reshape(3, 4), "scalar": np.int64(3),
                "fields": np.zeros(2, dtype=[("a", "i4")]), "objects": np.array([Point(1, []), None], dtype=object),
                "colour": Colour.RED, "point": Point(3, ["a"]), "words": Words("ab"), "pair": Pair(1, Point(2, [])),
                "class": Point, "deep": {"a": [{"b": Point(4, [])}]}, "odd": {1: None, None: 1}, "text": "a\\0b€",
            }

        def same(one, other):
            if isinstance(one, np.ndarray):
                return one.dtype == other.dtype and one.shape == other.shape and one.tolist() == other.tolist()
            return type(one) is type(other) and one == other

        def give(data, store, signal, context):
            for name, value in values().items():
                data[name] = value
                store.set(f"tree.{name}", value)
                store.push("pushed", value)
            store.extend("extended", list(values().values()))
            store.set("whole", values())

        def take(data, store, signal, context):
            ways = {
                "data": data.default_dataset.data,
                "set": {name: store.get(f"tree.{name}") for name in values()},
                "tree": store.get("tree"),
                "pushed": dict(zip(values(), store.get("pushed"), strict=True)),
                "extended": dict(zip(values(), store.get("extended"), strict=True)),
                "whole": store.get("whole"),
            }
            for way, found in ways.items():
                print(way, list(found) == list(values()), [n for n, v in values().items() if not same(v, found[n])])

        main = Dag("main", schema={PythonTask("gives", give): PythonTask("takes", take)})
        """,
        {"main:1": "gives takes"},
        {"takes": [f"{way} True []" for way in ("data", "set", "tree", "pushed", "extended", "whole")]},
    ),
    Case(
        "plain_pickle_knows_the_functions_and_classes_of_the_file",
        """
        import importlib
        import pickle

        class Point:
            def __init__(self, x):
                self.x = x

        class Unused(Point):
            pass

        def double(value):
            return 2 * value

        def give(data, store, signal, context):
            print(pickle.loads(pickle.dumps(double)) is double, type(pickle.loads(pickle.dumps(Point(1)))) is Point)
            store.set("pickle", pickle.dumps([Point(2), double]))
            data["point"] = Point(3)

        def take(data, store, signal, context):
            point, function = pickle.loads(store.get("pickle"))
            print(function(point.x), pickle.loads(pickle.dumps(data["point"])).x)
            module = importlib.import_module(__name__)
            print(module.take is take, module.Unused(4).x, hasattr(module, "nothing"))

        main = Dag("main", schema={PythonTask("gives", give): PythonTask("takes", take)})
        """,
        {"main:1": "gives takes"},
        {"gives": ["True True"], "takes": ["4 3", "True 4 False"]},
    ),
    Case(
        "a_hundred_strings_of_a_megabyte_are_stored_at_once",
        """
        def put(number):
            def put_five(data, store, signal, context):
                for n in range(number, number + 5):
                    store.push("texts", chr(97 + n % 26) * 1_000_000)
            return PythonTask(f"p{number}", put_five)

        def count(data, store, signal, context):
            texts = store.get("texts")
            print(len(texts), {len(text) for text in texts}, sorted(text[0] for text in texts)[::25])

        main = Dag("main", schema=dict.fromkeys([put(n) for n in range(0, 100, 5)], PythonTask("counts", count)))
        """,
        {"main:1": " ".join([*(f"p{n}" for n in range(0, 100, 5)), "counts"])},
        {"counts": ["100 {1000000} ['a', 'g', 'm', 's']"]},
    ),
    Case(
        "what_cannot_be_stored_is_an_error_that_the_task_may_catch",
        """
        import threading

        def try_all(data, store, signal, context):
            lock, generator = threading.Lock(), (n for n in ())
            for write in (
                lambda: store.set("bad", lock),
                lambda: store.push("bad", generator),
                lambda: store.extend("bad", [1, lock]),
                lambda: signal.start_dag("sub", data={"lock": lock}),
                lambda: store.set("bad", 1, section="elsewhere"),
                lambda: store.get(5),
            ):
                try:
                    write()
                except Exception as error:
                    print(type(error).__name__)
            print(store.get("bad"), signal.start_dag("sub"))

        main = Dag("main", schema={PythonTask("tries", try_all): None})
        sub = Dag("sub", autostart=False, schema={PythonTask("works"): None})
        """,
        {"main:1": "tries", "sub:1": "works"},
        {
            "tries": [
                "TypeError",
                "TypeError",
                "TypeError",
                "TypeError",
                "InvalidRequest",
                "DataStoreKeyInvalid",
                "None sub:1",
            ]
        },
    ),
    Case(
        "threads_of_a_task_may_use_its_store_at_once",
        """
        import threading

        def push(data, store, signal, context):
            def push_some(name):
                for n in range(10):
                    store.push("all", (name, n))

            threads = [threading.Thread(target=push_some, args=(name,)) for name in range(5)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            found = store.get("all")
            print(len(found), all([n for by, n in found if by == name] == list(range(10)) for name in range(5)))

        main = Dag("main", schema={PythonTask("pushes", push): None})
        """,
        {"main:1": "pushes"},
        {"pushes": ["50 True"]},
    ),
    Case(
        "the_log_of_a_run_can_be_read_while_it_goes_on",
        """
        from datetime import datetime

        META = DataStoreDocumentSection.Meta

        def read(data, store, signal, context):
            name = signal.start_dag("sub")
            signal.join_dags([name])
            log = store.get("log", section=META)
            first, own = log["main:1"]["tasks"].values()
            print(list(log), list(log["main:1"]["tasks"]), sorted(first), sorted(own))
            print(first["duration"] == (first["end_time"] - first["start_time"]).total_seconds() >= 0)
            print(sorted(log[name]), list(log[name]["tasks"]), "end_time" in log[context.dag_name])
            start = store.get("start_time", section=META)
            print(type(start) is datetime, start.tzinfo, start <= log["main:1"]["start_time"] <= first["start_time"])
            print(first["worker"] == context.worker_hostname, first["queue"], own["queue"])
            store.set("log.mine", 1, section=META)
            print(store.get("log.mine", section=META), len(store.get("log", section=META)))

        first, second, third = PythonTask("first"), PythonTask("reads", read), PythonTask("waits")
        main = Dag("main", schema={first: second, second: third})
        sub = Dag("sub", autostart=False, schema={PythonTask("works"): None})
        """,
        {"main:1": "first reads waits", "sub:1": "works"},
        {
            "reads": [
                "['main:1', 'sub:1'] ['first', 'reads'] ['duration', 'end_time', 'queue', 'start_time', 'worker'] "
                "['queue', 'start_time', 'worker']",
                "True",
                "['duration', 'end_time', 'start_time', 'tasks'] ['works'] False",
                "True None True",
                "True task task",
                "1 3",
            ]
        },
    ),
    Case(
        "a_dag_run_may_be_stopped_while_it_waits_in_whatever_way",
        """
        def stop_others(data, store, signal, context):
            retrying, joining = signal.start_dag("retrying"), signal.start_dag("joining")
            while store.get("failed") is None or store.get("joins") is None:
                pass
            signal.stop_dag(retrying)
            print(signal.join_dags([retrying]), store.get("failed"))
            signal.stop_dag(joining)
            signal.stop_dag("endless:1")
            print(signal.join_dags(), store.get("joined"))

        def fail(data, store, signal, context):
            store.push("failed", context.attempt)
            raise ValueError

        def join(data, store, signal, context):
            name = signal.start_dag("endless")
            store.set("joins", True)
            store.set("joined", (signal.join_dags([name]), signal.is_stopped))

        def loop(data, store, signal, context):
            while not signal.is_stopped:
                pass

        main = Dag("main", schema={PythonTask("stops", stop_others): None})
        fails = PythonTask("fails", fail, retries=3, retry_delay=1000)
        retrying = Dag("retrying", autostart=False, schema={fails: None})
        joining = Dag("joining", autostart=False, schema={PythonTask("joins", join): PythonTask("late")})
        endless = Dag("endless", autostart=False, schema={PythonTask("loops", loop): None})
        """,
        {
            "main:1": "stops",
            "retrying:1": "fails=stopped",
            "joining:1": "joins late=stopped",
            "endless:1": "loops",
        },
        {"stops": ["True [1]", "True (True, True)"]},
        dag_states={"retrying:1": STOPPED, "joining:1": STOPPED, "endless:1": STOPPED},
    ),
]
