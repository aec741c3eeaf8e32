import asyncio
import io
import time
import zipfile

import pytest

from lightflow.core.errors import (
    InvalidRequest,
    LoadTimeout,
    NoWorkerAvailable,
    WorkflowDefinitionError,
    WorkflowImportError,
    WorkflowUnknown,
)


@pytest.fixture
async def worker(system):
    """Plays the loader of a task worker: answers every question with what `answers` has, and keeps the questions."""
    asked, answers, hold = [], {}, asyncio.Event()
    hold.set()

    async def serve():
        async with system.notifier.subscribe("load") as looks:
            while True:
                await hold.wait()
                claim = {"$set": {"state": "claimed", "holder": "w1"}}
                load = await system.db["loads"].find_one_and_update({"state": "pending"}, claim)
                if load is None:
                    await looks.wait(0.2)
                    continue
                asked.append(load["source"])
                result = answers[load["kind"]]
                await system.db["loads"].update_one({"_id": load["_id"]}, {"$set": {"state": "done", "result": result}})
                await system.notifier.publish("load", load=load["_id"])

    serving = asyncio.create_task(serve())
    yield type("Worker", (), {"asked": asked, "answers": answers, "hold": hold})
    serving.cancel()


async def undeployed(system):
    await system.deploy()
    await system.db["deployments"].delete_many({})


def archive(**files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        for name, text in files.items():
            file.writestr(f"{name}.py", text)
    return data.getvalue()


async def test_a_file_is_loaded_at_every_start(system, worker):
    await undeployed(system)
    worker.answers["load"] = {"version": "v1"}
    for _ in range(2):
        assert await system.start()
    assert worker.asked == [{"name": "simple"}] * 2


async def test_starts_that_come_while_the_file_is_loaded_share_the_load_after_it(system, worker):
    await undeployed(system)
    worker.answers["load"] = {"version": "v1"}
    worker.hold.clear()
    first = asyncio.create_task(system.start())

    async def asked():
        return await system.db["loads"].count_documents({"state": "pending"})

    await system.until(asked)
    others = [asyncio.create_task(system.start()) for _ in range(4)]
    await system.call("list_runs")  # by now most of the others have come
    worker.hold.set()
    assert len({await first, *await asyncio.gather(*others)}) == 5
    assert 2 <= len(worker.asked) < 5, "one for the first, and fewer than one for each of the others"


async def test_a_file_is_loaded_again_after_a_load_that_failed_while_others_waited(system, worker):
    await undeployed(system)
    worker.answers["load"] = {"error": {"type": "WorkflowImportError", "message": "broken"}}
    worker.hold.clear()
    starts = [asyncio.create_task(system.start()) for _ in range(5)]

    async def asked():
        return await system.db["loads"].count_documents({"state": "pending"})

    await system.until(asked)
    worker.hold.set()
    assert {type(each) for each in await asyncio.gather(*starts, return_exceptions=True)} == {WorkflowImportError}
    worker.answers["load"] = {"version": "v1"}
    assert await system.start()


async def test_without_a_worker_a_start_is_refused_within_two_seconds(system):
    begun = time.monotonic()
    with pytest.raises(NoWorkerAvailable, match="'simple'"):
        await system.start()
    assert time.monotonic() - begun < 2.5
    assert await system.db["loads"].count_documents({}) == 0


async def test_without_a_worker_those_who_wait_for_the_load_of_another_are_refused_with_it(system):
    starts = [asyncio.create_task(system.start()) for _ in range(3)]
    assert {type(each) for each in await asyncio.gather(*starts, return_exceptions=True)} == {NoWorkerAvailable}
    assert await system.db["loads"].count_documents({}) == 0


async def test_a_worker_that_is_busy_is_waited_for_until_the_deadline(system):
    start = asyncio.create_task(system.start())

    async def asked():
        return (await system.db["loads"].update_one({}, {"$set": {"seen": True}})).matched_count

    await system.until(asked)
    await asyncio.wait([start], timeout=2.2)
    assert not start.done()
    await system.db["loads"].update_one({}, {"$set": {"state": "done", "result": {"error": {"type": "LoadTimeout"}}}})
    await system.notifier.publish("load")
    with pytest.raises(LoadTimeout):
        await start


async def test_a_load_whose_worker_is_gone_is_given_to_another(system, worker):
    await undeployed(system)
    worker.answers["load"] = {"version": "v1"}
    worker.hold.clear()
    start = asyncio.create_task(system.start())

    async def claimed():
        claim = {"$set": {"state": "claimed", "holder": "gone"}}
        return (await system.db["loads"].update_one({"state": "pending"}, claim)).matched_count

    await system.until(claimed)
    worker.hold.set()
    assert await start
    assert worker.asked == [{"name": "simple"}]


async def claimed_by_one_who_hangs(system):
    """A start whose file a living worker is loading, and does not finish loading."""
    await system.add_worker("hangs")
    start = asyncio.create_task(system.start())

    async def claimed():
        claim = {"$set": {"state": "claimed", "holder": "hangs"}}
        return (await system.db["loads"].update_one({"state": "pending"}, claim)).matched_count

    await system.until(claimed)
    return start


async def test_a_start_behind_a_load_that_hangs_is_refused_in_time_too(system):
    first = await claimed_by_one_who_hangs(system)
    begun = time.monotonic()
    with pytest.raises(NoWorkerAvailable):
        await system.start()
    assert time.monotonic() - begun < 2.5
    assert not first.done()
    first.cancel()


async def test_starts_behind_a_load_that_hangs_share_one_that_nobody_has_begun(system):
    first = await claimed_by_one_who_hangs(system)
    second = asyncio.create_task(system.start())

    async def seen():
        return (await system.db["loads"].update_one({"state": "pending"}, {"$set": {"seen": True}})).matched_count

    await system.until(seen)
    third = asyncio.create_task(system.start())
    await asyncio.wait([third], timeout=1.5)
    assert await system.db["loads"].count_documents({"state": "pending"}) == 1
    result = {"state": "done", "result": {"error": {"type": "WorkflowImportError", "message": "broken"}}}
    await system.db["loads"].update_many({}, {"$set": result})
    await system.notifier.publish("load")
    errors = await asyncio.gather(first, second, third, return_exceptions=True)
    assert {type(error) for error in errors} == {WorkflowImportError}


async def test_what_is_wrong_with_a_file_reaches_the_starter(system, worker):
    error = {"type": "WorkflowImportError", "message": "simple.py, line 3: no module named x", "traceback": ""}
    worker.answers["load"] = {"error": error}
    with pytest.raises(WorkflowImportError, match="line 3"):
        await system.start()
    fields = {"workflow_name": "simple", "graph_name": "main", "message": "DAG main is wrong"}
    worker.answers["load"] = {"error": {"type": "WorkflowDefinitionError", "fields": fields}}
    with pytest.raises(WorkflowDefinitionError) as caught:
        await system.start()
    assert caught.value.graph_name == "main"
    worker.answers["load"] = {"error": {"type": "ZeroDivisionError", "message": "division by zero"}}
    with pytest.raises(WorkflowImportError, match="ZeroDivisionError: division by zero"):
        await system.start()


async def test_a_deployed_version_is_used_until_it_is_undeployed(system, worker):
    await undeployed(system)
    worker.answers["load"] = {"version": "v1"}
    deployed = await system.call("deploy_workflow", "simple")
    assert (deployed.version, deployed.deployed) == ("v1", True)
    await system.start()
    await system.start()
    assert len(worker.asked) == 1
    await system.call("undeploy_workflow", "simple")
    await system.start()
    assert len(worker.asked) == 2
    with pytest.raises(WorkflowUnknown, match="simple"):
        await system.call("undeploy_workflow", "simple")


async def test_a_workflow_is_shown_with_its_graph_and_options(system):
    await system.deploy()
    workflow = await system.call("get_workflow", "simple")
    assert [(option.name, option.required, option.default_text) for option in workflow.parameters] == [
        ("number", True, ""),
        ("word", False, "'hello'"),
    ]
    main, sub = workflow.dags
    assert [(edge.parent, edge.child, edge.alias) for edge in main.edges] == [("first", "second", "slot")]
    assert (main.autostart, sub.autostart, main.tasks[1].queue) == (True, False, "gpu")


async def test_files_and_deployed_workflows_are_listed_by_name(system, worker):
    await system.deploy()
    files = [{"name": "zebra", "docstring": "Z.", "error": None}, {"name": "simple", "docstring": "old", "error": None}]
    worker.answers["list"] = {"workflows": [*files, {"name": "broken", "docstring": "", "error": "line 1: no"}]}
    listed = await system.call("list_workflows", page_size=1)
    assert [(each.name, each.deployed, each.error) for each in listed] == [
        ("broken", False, "line 1: no"),
        ("simple", True, ""),
        ("zebra", False, ""),
    ]


async def test_an_upload_is_loaded_by_its_handle(system, worker):
    await undeployed(system)
    worker.answers["load"] = {"version": "v1"}
    data = archive(simple="x = 1")
    handle = await system.call("upload_workflow", "simple", data)
    assert await system.call("upload_workflow", "simple", data) == handle
    assert (await system.call("start_run", upload=handle, text={"number": "1"})).run.workflow == "simple"
    assert worker.asked == [{"upload": handle}]
    stored = await system.db["uploads"].find_one({"_id": handle})
    assert await system.payloads.load(stored["archive"]) == data


async def test_uploads_and_names_that_cannot_be_are_refused(system):
    with pytest.raises(InvalidRequest, match="no zip"):
        await system.call("upload_workflow", "simple", b"nonsense")
    with pytest.raises(InvalidRequest, match=r"simple\.py"):
        await system.call("upload_workflow", "simple", archive(other=""))
    with pytest.raises(InvalidRequest, match="name"):
        await system.call("upload_workflow", "../simple", archive(other=""))
    with pytest.raises(InvalidRequest, match="no such upload"):
        await system.call("start_run", upload="0" * 64)
    with pytest.raises(InvalidRequest, match="name"):
        await system.call("start_run", "")
