import pytest

from lightflow.core.errors import DataStoreKeyInvalid, DataStoreNotAList, InvalidRequest, RunFinished
from lightflow.runtime.datastore.encoding import decode, encode


async def test_values_of_every_kind_travel_both_ways(system):
    await system.deploy()
    run_id = await system.began()
    for value in (None, 1, "text", b"bytes", [1, {"a": {2}}], bytes(3_000_000)):
        await system.call("set_data", run_id, "some.key", encode(value))
        assert decode(await system.call("get_data", run_id, "some.key")) == value
    assert await system.call("get_data", run_id, "absent") is None


async def test_values_may_be_given_as_json(system):
    await system.deploy()
    run_id = await system.began()
    await system.call("set_data", run_id, "key", b'{"a": [1, 2.5, null]}', json=True)
    assert decode(await system.call("get_data", run_id, "key")) == {"a": [1, 2.5, None]}
    with pytest.raises(InvalidRequest, match="not JSON"):
        await system.call("set_data", run_id, "key", b"{", json=True)
    with pytest.raises(InvalidRequest, match="cannot hold"):
        await system.call("set_data", run_id, "key", b"99999999999999999999999", json=True)


async def test_push_and_extend_append_and_a_repeated_operation_has_no_effect(system):
    await system.deploy()
    run_id = await system.began()
    for _ in range(2):
        await system.call("push_data", run_id, "list", encode(1), operation_id="one")
        await system.call("extend_data", run_id, "list", encode([2, 3]), operation_id="two")
    assert decode(await system.call("get_data", run_id, "list")) == [1, 2, 3]
    await system.call("set_data", run_id, "text", encode("t"))
    with pytest.raises(DataStoreNotAList, match="text"):
        await system.call("push_data", run_id, "text", encode(1))
    with pytest.raises(InvalidRequest):
        await system.call("extend_data", run_id, "list", encode(4))


async def test_what_cannot_be_written_says_why(system):
    await system.deploy()
    run_id = await system.began()
    with pytest.raises(InvalidRequest, match="section"):
        await system.call("set_data", run_id, "key", encode(1), section="other")
    with pytest.raises(InvalidRequest, match="key"):
        await system.call("set_data", run_id, "", encode(1))
    with pytest.raises(DataStoreKeyInvalid):
        await system.call("set_data", run_id, "a..b", encode(1))
    with pytest.raises(InvalidRequest, match="BSON"):
        await system.call("set_data", run_id, "key", b"nonsense")
    await system.set_run(run_id, state="succeeded")
    with pytest.raises(RunFinished, match="succeeded"):
        await system.call("set_data", run_id, "key", encode(1))
