"""A cluster that is not there, and what is said of it."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import trio

from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.ray.errors import RayMissingError, RayUnreachableError
from triollama_adapters.ray.fleet import RayFleet
from triollama_adapters.ray.session import open_session

pytestmark = pytest.mark.slow  # Ray takes half a second to import


async def test_nobody_listens() -> None:
    """That is told at once, with the address."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # not listening
        address = f"127.0.0.1:{held.getsockname()[1]}"
        with pytest.raises(RayUnreachableError, match=rf"no Ray at {address}.*refused.*head"):
            async with open_session(RayFleet(address=address)):
                raise AssertionError


@pytest.mark.parametrize("address", ["gpu-1", "gpu-1:", ":6379", "ray://gpu-1:10001", ""])
async def test_no_address(address: str) -> None:
    """What an address is stands in the message."""
    with pytest.raises(ChoiceError, match=r"10\.0\.0\.1:6379"):
        async with open_session(RayFleet(address=address)):
            raise AssertionError


async def test_ray_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra is named."""
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(RayMissingError, match=r"triollama\[ray\]"):
        async with open_session(RayFleet(address="local")):
            raise AssertionError


def ray_worker() -> Any:
    """The module of Ray's driver that prints; it is not public."""
    return import_module("ray._private.worker")


def _is_there(folder: str) -> bool:
    return Path(folder).is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
async def test_a_ray_of_our_own() -> None:
    """It is there for the block, signals come to the program, and nothing is left in the end."""
    printing, level = ray_worker().print_to_stdstream, logging.getLogger("ray").level
    with trio.open_signal_receiver(signal.SIGTERM) as signals:
        async with open_session(RayFleet(address="local", workers=1)) as ray:
            assert ray_worker().print_to_stdstream is not printing
            assert ray.is_initialized()
            assert ray.cluster_resources()["CPU"] == 1
            folder = ray._private.worker.global_worker.node.address_info["session_dir"]
            assert _is_there(folder)
            os.kill(os.getpid(), signal.SIGTERM)
            with trio.fail_after(10):
                assert await anext(signals) == signal.SIGTERM
        assert not ray.is_initialized()
        assert not _is_there(folder)
    assert ray_worker().print_to_stdstream is printing
    assert logging.getLogger("ray").level == level


async def test_what_keeps_ray_quiet_goes_when_it_cannot_be_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What Ray prints with is put back, however the connection ends."""
    printing = ray_worker().print_to_stdstream

    def refuse(**_: object) -> None:
        assert ray_worker().print_to_stdstream is not printing
        raise ConnectionError

    monkeypatch.setattr(ray_worker().ray, "init", refuse)
    with pytest.raises(RayUnreachableError):
        async with open_session(RayFleet(address="auto")):
            raise AssertionError
    assert ray_worker().print_to_stdstream is printing
