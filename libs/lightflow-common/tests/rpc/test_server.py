import asyncio
import shutil
import socket
import stat
import tempfile
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from lightflow.control.v1 import control_pb2 as pb
from lightflow.control.v1 import control_pb2_grpc
from lightflow.core.errors import NoControlService, RequestFailed, RunUnknown, ServiceUnavailable
from lightflow.runtime.rpc.async_client import AsyncControlClient
from lightflow.runtime.rpc.client import ControlClient
from lightflow.runtime.rpc.server import SERVICE, start_server


class Servicer(control_pb2_grpc.ControlServiceServicer):
    """Knows no run, stumbles over workers, and is down for DAGs as often as it is told."""

    def __init__(self, outages=0):
        self.outages = outages
        self.joining = asyncio.Event()
        self.joined = asyncio.Event()

    async def GetRun(self, request, _):  # noqa: N802
        raise RunUnknown(request.run_id)

    async def ListWorkers(self, request, _):  # noqa: N802
        raise KeyError("a mistake")

    async def WatchRun(self, request, _):  # noqa: N802
        yield pb.WatchRunResponse(run=pb.Run(run_id=request.run_id))
        raise RunUnknown(request.run_id)

    async def StartDag(self, request, _):  # noqa: N802
        if self.outages:
            self.outages -= 1
            raise ServiceUnavailable("MongoDB")
        return pb.StartDagResponse(name=f"{request.dag}:1")

    async def JoinDags(self, request, _):  # noqa: N802
        self.joining.set()
        await self.joined.wait()
        return pb.JoinDagsResponse()


@pytest.fixture
def folder():
    path = Path(tempfile.mkdtemp(prefix="lf-", dir="/tmp"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def server(folder):
    server = await start_server(Servicer(), [f"unix:{folder}/s", "127.0.0.1:0"])
    yield server
    await server.stop(0)


async def test_it_answers_at_every_address_it_says_it_has(server):
    unix, tcp = server.addresses
    assert unix.startswith("unix:")
    assert int(tcp.removeprefix("127.0.0.1:")) > 0
    for address in server.addresses:
        with ControlClient(address) as client, pytest.raises(RunUnknown, match="abcd"):
            await asyncio.to_thread(client.get_run, "abcd")


async def test_a_taken_port_is_replaced_by_a_free_one():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        server = await start_server(Servicer(), [address])
        assert server.addresses[0] != address
        await server.stop(0)


async def test_the_socket_of_a_living_server_is_not_taken_and_that_of_a_dead_one_is(server, folder):
    with pytest.raises(ServiceUnavailable, match="another server"):
        await start_server(Servicer(), [server.addresses[0]])
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(folder / "dead"))
    second = await start_server(Servicer(), [f"unix:{folder}/dead"])
    assert stat.S_ISSOCK((folder / "dead").stat().st_mode)
    await second.stop(0)
    assert not (folder / "dead").exists()


async def test_a_mistake_of_the_service_is_told_and_the_service_goes_on(server):
    with ControlClient(server.addresses[0]) as client:
        with pytest.raises(RequestFailed, match="KeyError"):
            await asyncio.to_thread(lambda: list(client.list_workers()))
        with pytest.raises(RunUnknown):
            await asyncio.to_thread(client.get_run, "abcd")


async def test_a_stream_hands_over_what_came_before_its_error(server):
    def watch():
        stream = client.watch_run("abcd")
        yield next(stream).run.run_id
        with pytest.raises(RunUnknown):
            next(stream)

    with ControlClient(server.addresses[0]) as client:
        assert await asyncio.to_thread(list, watch()) == ["abcd"]


async def test_health_and_reflection_answer_as_grpc_defines_them(server):
    async with grpc.aio.insecure_channel(server.addresses[0]) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
        question = reflection_pb2.ServerReflectionRequest(list_services="")
        answers = [each async for each in reflection.ServerReflectionInfo(iter([question]))]
        assert SERVICE in {each.name for each in answers[0].list_services_response.service}


async def test_a_client_without_a_server_says_what_it_tried(folder):
    target = f"unix:{folder}/nothing"
    with ControlClient(target) as client, pytest.raises(NoControlService, match="nothing"):
        await asyncio.to_thread(client.get_run, "abcd")


async def test_the_client_of_a_service_repeats_until_something_is_back(folder):
    servicer = Servicer(outages=2)
    old, new = f"unix:{folder}/old", f"unix:{folder}/new"
    asked = asyncio.Event()

    async def targets():
        asked.set()
        return [old, new]

    async with AsyncControlClient(targets) as client:
        start = asyncio.create_task(client.start_dag("run", "sub", request_id="r"))
        await asked.wait()
        server = await start_server(servicer, [new])
        assert await asyncio.wait_for(start, 10) == "sub:1"
        assert servicer.outages == 0
        await server.stop(0)


async def test_the_client_of_a_service_gives_up_when_its_patience_is_over(folder):
    async def targets():
        return [f"unix:{folder}/nothing"]

    async with AsyncControlClient(targets, patience=0.3) as client:
        with pytest.raises(NoControlService, match="nothing"):
            await client.start_dag("run", "sub", request_id="r")


@pytest.mark.parametrize("grace", [0, 0.1])
async def test_a_call_that_waits_goes_on_at_the_next_server(folder, grace):
    address = f"unix:{folder}/s"

    async def targets():
        return [address]

    first, second = Servicer(), Servicer()
    server = await start_server(first, [address])
    async with AsyncControlClient(targets) as client:
        join = asyncio.create_task(client.join_dags("run", ["sub:1"], caller="main:1", request_id="r"))
        await first.joining.wait()
        await server.stop(grace)
        server = await start_server(second, [address])
        second.joined.set()
        await asyncio.wait_for(join, 10)
        await server.stop(0)


async def test_a_call_that_waits_goes_on_when_another_one_lets_go_of_the_channel(folder):
    class Leaving(Servicer):
        async def StartDag(self, request, context):  # noqa: N802
            await context.abort(grpc.StatusCode.UNAVAILABLE, "as gRPC says of a server that is gone")

    async def targets():
        return [f"unix:{folder}/{name}" for name in ("leaving", "staying")]

    leaving, staying = Leaving(), Servicer()
    servers = [await start_server(each, [at]) for each, at in zip((leaving, staying), await targets(), strict=True)]
    async with AsyncControlClient(targets) as client:
        join = asyncio.create_task(client.join_dags("run", ["sub:1"], caller="main:1", request_id="r"))
        await leaving.joining.wait()
        assert await client.start_dag("run", "sub", request_id="s") == "sub:1"
        staying.joined.set()
        await asyncio.wait_for(join, 10)
    for server in servers:
        await server.stop(0)


async def test_a_call_that_is_cancelled_is_not_repeated(folder):
    async def targets():
        return [f"unix:{folder}/s"]

    servicer = Servicer()
    server = await start_server(servicer, await targets())
    async with AsyncControlClient(targets) as client:
        join = asyncio.create_task(client.join_dags("run", ["sub:1"], caller="main:1", request_id="r"))
        await servicer.joining.wait()
        join.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(join, 10)
    await server.stop(0)


async def test_a_stream_that_is_cut_by_a_stopping_server_says_that_none_is_there(folder):
    class Endless(Servicer):
        async def WatchRun(self, request, _):  # noqa: N802
            yield pb.WatchRunResponse()
            await self.joined.wait()

    server = await start_server(Endless(), [f"unix:{folder}/s"])

    def watch():
        stream = client.watch_run("abcd")
        next(stream)
        return stream

    with ControlClient(f"unix:{folder}/s") as client:
        stream = await asyncio.to_thread(watch)
        await server.stop(0)
        with pytest.raises(NoControlService):
            await asyncio.to_thread(next, stream, None)
