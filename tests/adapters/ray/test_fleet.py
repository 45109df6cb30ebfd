"""Which servers a machine asks."""

from __future__ import annotations

import pickle

import attrs
import pytest

from triollama import Bearer, EndpointConfig
from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.ray.fleet import RayFleet, machine_of, parse_pin, with_key

NODE = {
    "NodeID": "81009db1",
    "NodeName": "gpu-1",
    "NodeManagerHostname": "gpu-1.example",
    "NodeManagerAddress": "10.0.0.1",
}
URL = "http://10.0.0.9:11434"


@pytest.mark.parametrize("name", NODE.values())
def test_pinned_by_any_name(name: str) -> None:
    """Its name, host name, address or id."""
    fleet = RayFleet(address="auto", endpoints=["http://all:11434"], pins={name: [URL]})
    assert fleet.endpoints_of(machine_of(NODE)) == (URL,)


def test_others_ask_what_all_ask() -> None:
    """Without pins that is all; a machine without any server is refused."""
    machine = machine_of(NODE)
    assert machine.name == "gpu-1"
    assert RayFleet(address="auto", endpoints=[URL]).endpoints_of(machine) == (URL,)
    assert RayFleet(address="auto").endpoints_of(machine) == ()
    shared = RayFleet(address="auto", endpoints=[URL], pins={"gpu-2": ["http://x"]})
    assert shared.endpoints_of(machine) == (URL,)
    with pytest.raises(ChoiceError, match=r"machine gpu-1.*--pin gpu-1=URL"):
        RayFleet(address="auto", pins={"gpu-2": ["http://x"]}).endpoints_of(machine)


def test_a_pin_has_a_machine_and_a_server() -> None:
    """The first equals sign parts them."""
    assert parse_pin("gpu-1=http://x/?a=b") == ("gpu-1", "http://x/?a=b")
    for wrong in ("gpu-1", "=http://x", "gpu-1="):
        with pytest.raises(ChoiceError, match="NODE=URL"):
            parse_pin(wrong)


@pytest.mark.parametrize("workers", [0, -1, 1_001])
def test_so_many_workers_are_none(workers: int) -> None:
    """From 1 to 1,000."""
    with pytest.raises(ChoiceError, match="workers"):
        RayFleet(address="auto", workers=workers)


def test_the_key_of_the_cloud_goes_along() -> None:
    """Machines that ask ollama.com need no variable of their own; nobody else gets the key."""
    given = with_key("https://ollama.com", "s3cret-key", rows_max=7)
    assert isinstance(given, EndpointConfig)
    assert isinstance(given.auth, Bearer)
    assert (given.auth.header(), given.max_in_flight) == ("Bearer s3cret-key", 7)
    assert "s3cret" not in repr(given)
    config = EndpointConfig("https://ollama.com", max_in_flight=3)
    assert with_key(config, "s3cret-key", rows_max=7) == attrs.evolve(config, auth=given.auth)
    for other in (
        "http://localhost:11434",
        "http://ollama.com",
        EndpointConfig("https://ollama.com", auth=Bearer("own-key")),
        EndpointConfig("https://ollama.com", headers={"authorization": "Bearer own-key"}),
    ):
        assert with_key(other, "s3cret-key", rows_max=7) is other
    assert with_key(config, None, rows_max=7) is config


def test_credentials_are_pickled() -> None:
    """As Ray sends them to its workers."""
    config = EndpointConfig("http://a:1", auth=Bearer("s3cret-key"), headers={"X": "y"})
    assert pickle.loads(pickle.dumps(config)) == config
