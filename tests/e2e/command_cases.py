"""Bash tasks and callbacks as the contract has them: cases like those of `cases`."""

from tests.e2e.cases import ABORTED, FAILED, Case

COMMANDS = [
    Case(
        "commands_end_as_their_callbacks_say",
        """
        def stop(*_):
            raise StopTask("seen enough", skip_successors=False)

        def stop_all(*_):
            raise StopTask

        def tell(line, data, store, signal, context):
            print(repr(line))

        async def tell_later(line, data, store, signal, context):
            print(line.strip(), "later")

        async def end_later(returncode, stdout, stderr, data, store, signal, context):
            data["code"], data["text"] = returncode, stdout.read()

        def show(data, store, signal, context):
            print(data["code"], data["text"])

        forever = "echo line; echo line >&2; sleep 1000"
        on_process = BashTask("on_process", forever, callback_process=stop)
        on_stdout = BashTask("on_stdout", forever, callback_stdout=stop)
        on_stderr = BashTask("on_stderr", forever, callback_stderr=stop_all)
        on_end = BashTask("on_end", "exit 0", callback_end=stop_all)
        quiet = BashTask("quiet", "exit 3")
        bytes = BashTask("bytes", "printf 'a\\\\377b\\\\nlast'", callback_stdout=tell)
        later = BashTask("later", "echo one; exit 5", capture_stdout=True, callback_stdout=tell_later,
                         callback_end=end_later)
        main = Dag("main", schema={
            on_process: PythonTask("after_process"),
            on_stdout: PythonTask("after_stdout"),
            on_stderr: PythonTask("after_stderr"),
            on_end: PythonTask("after_end"),
            quiet: PythonTask("after_quiet"),
            bytes: None,
            later: PythonTask("after_later", show),
        })
        """,
        {
            "main:1": "on_process=stopped after_process on_stdout=stopped after_stdout on_stderr=stopped "
            "after_stderr=skipped on_end=stopped after_end=skipped quiet after_quiet bytes later after_later"
        },
        {"bytes": [repr("a\ufffdb\n"), repr("last")], "later": ["one later"], "after_later": ["5 b'one\\n'"]},
    ),
    Case(
        "a_command_whose_callback_aborts_ends_the_run_aborted",
        """
        def abort(line, data, store, signal, context):
            raise AbortWorkflow(line.strip())

        def tell(status, *_):
            print(status.name)

        task = BashTask("aborts", "echo no use; sleep 1000", callback_stdout=abort, callback_finally=tell)
        main = Dag("main", schema={task: PythonTask("after")})
        """,
        {"main:1": "aborts=aborted after=stopped"},
        {"aborts": ["Aborted"]},
        state=ABORTED,
        error=("AbortWorkflow", "no use"),
    ),
    Case(
        "a_parameter_of_a_command_that_cannot_be_computed_fails_its_task",
        """
        main = Dag("main", schema={BashTask("fails", lambda data, store: store.get("absent").strip()): None})
        """,
        {"main:1": "fails=failed"},
        state=FAILED,
        error=("AttributeError", "strip"),
    ),
]

SHAPES = [
    Case(
        "all_forms_of_a_schema_and_of_true_and_false",
        """
        words = {"true": True, "1": True, "Yes": True, "Y": True, "FALSE": False, "0": False, "no": False, "n": False}
        parameters = Parameters([Option(f"w{n}", word, type=bool) for n, word in enumerate(words)])

        def tell(data, store, signal, context):
            print([store.get(f"w{n}") for n in range(len(words))] == list(words.values()))

        def meet(data, store, signal, context):
            store.set(context.task_name, True)
            while not (store.get("here") and store.get("there")):
                pass

        def reach(data, store, signal, context):
            print(data("slot").task_history, data.get_by_index(-1).task_history, len(list(data)))
            data.add_dataset("own", TaskData({"own": {"deep": 1}}), aliases=["mine"])
            data.add_alias("again", 0)
            data.flatten()
            print(len(list(data)), data("mine")["own"], data("again")["x"], data.default_index)

        def give(data, store, signal, context):
            data["x"] = context.task_name

        alone, empty, parent, named, unnamed = (PythonTask(n) for n in ("alone", "empty", "parent", "named", "unnamed"))
        forms = Dag("forms", schema={alone: None, empty: [], parent: {named: "slot", unnamed: ""}})
        left, right, reaches = PythonTask("left", give), PythonTask("right", give), PythonTask("reaches", reach)
        slots = Dag("slots", schema={left: {reaches: "slot"}, right: {reaches: None}})
        one = Dag("one", schema={PythonTask("here", meet): None})
        two = Dag("two", schema={PythonTask("there", meet): None})
        options = Dag("options", schema={PythonTask("tells", tell): None})

        class Later(BaseTask):
            async def run(self, data, store, signal, context):
                return Action(data, limit=["chosen"])

        later = Dag("later", schema={Later("runs_later"): [PythonTask("chosen"), PythonTask("left_out")]})
        """,
        {
            "forms:1": "alone empty parent named unnamed",
            "slots:1": "left right reaches",
            "one:1": "here",
            "two:1": "there",
            "options:1": "tells",
            "later:1": "runs_later chosen left_out=skipped",
        },
        {"tells": ["True"], "reaches": ["['left'] ['right'] 2", "1 {'deep': 1} left 0"]},
    ),
]
