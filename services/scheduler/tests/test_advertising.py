from types import SimpleNamespace

import pytest

from lightflow_scheduler.advertising import LOCAL, advertised, named


def database(address):
    async def known():
        return address

    class Client:
        @property
        def address(self):
            return known()

    return SimpleNamespace(client=Client())


@pytest.mark.parametrize(
    ("advertise", "registered"),
    [
        ("flows.example.org", "flows.example.org:50051"),
        ("flows.example.org:6000", "flows.example.org:6000"),
        ("$POD", "10.1.2.3:50051"),
        ("[fd00::1]", "[fd00::1]:50051"),
        ("[fd00::1]:6000", "[fd00::1]:6000"),
    ],
)
def test_the_configuration_may_name_a_host_or_a_host_and_port(advertise, registered, monkeypatch):
    monkeypatch.setenv("POD", "10.1.2.3")
    assert named("0.0.0.0:50051", advertise) == registered


@pytest.mark.parametrize("bound", ["127.0.0.1:50051", "unix:/run/control.sock", "node7:50051"])
async def test_an_address_that_says_where_it_is_stays_what_it_is(bound):
    assert await advertised([bound], None, database(("127.0.0.1", 27017))) == (bound,)


@pytest.mark.parametrize("everywhere", ["0.0.0.0:50051", "[::]:50051"])
@pytest.mark.parametrize("mongodb", [("127.0.0.1", 27017), ("/run/mongod.sock", None)])
async def test_who_listens_everywhere_registers_the_address_that_it_reaches_mongodb_from(everywhere, mongodb):
    assert await advertised([everywhere], None, database(mongodb)) == (f"{LOCAL}:50051",)


async def test_a_socket_is_advertised_as_it_is():
    assert await advertised(["unix:/c.sock"], "flows", database(None)) == ("unix:/c.sock",)
