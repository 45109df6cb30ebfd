"""A simulated Ollama server on a TCP port.

Owns the listening socket, its connections and the one driver task. A task per connection waits for
what the client sends (its requests, and its leaving); tokens are written by the driver alone.
"""

from __future__ import annotations

import errno
import logging
import socket
import time
from contextlib import suppress
from pathlib import Path

import trio

from .config import SimulatorConfig
from .connection import Connection
from .core import Simulator
from .driver import Driver
from .paths import last_part
from .response import Request
from .truth import TruthLog

__all__ = ["Server", "serve"]

_log = logging.getLogger(__name__)
_BACKLOG = 4096
"""Connections that may wait to be accepted: a load test opens thousands at once."""
_ACCEPT_MAX = 256
"""Connections accepted in one go, so that streams under way are not kept waiting."""
_TICK_S = 0.001
"""One step a millisecond: at 30,000 tokens/s it writes thirty, which costs far less than thirty
steps, and nobody sees a token a millisecond late."""
_NO_DESCRIPTOR_S = 0.1
"""How long to wait when the process may open no more files."""


async def serve(
    config: SimulatorConfig,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    truth: Path | None = None,
    task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve until cancelled; then every connection is cut at once.

    Args:
        config: what to simulate.
        host: address to bind; no name.
        port: port to bind; 0 takes a free one.
        truth: a file, not there yet, for what really happened, see `truth`; None for none.
        task_status: told the server's URL once it accepts connections.

    Raises:
        OSError: the address cannot be bound, or the file not made.
    """
    server = Server(config, host=host, port=port, truth=truth)
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.driver.run)
            task_status.started(server.url)
            await server.accept(nursery)
    finally:
        server.close()


class Server:
    """What the tasks of one server share.

    Args:
        config: what to simulate.
        host: address to bind.
        port: port to bind; 0 takes a free one, which the server then keeps.
        truth: see `serve`.

    Attributes:
        simulator: the core.
        driver: the task that advances it.
    """

    def __init__(
        self, config: SimulatorConfig, *, host: str, port: int, truth: Path | None = None
    ) -> None:
        wall_ns = time.time_ns() - int(trio.current_time() * 1e9)
        self.simulator = Simulator(config, wall_ns=wall_ns)
        self.simulator.on_restart = self._cut_all
        self.driver = Driver(self.simulator, tick_s=_TICK_S)
        self._host, self._port = host, port
        self._connections: set[Connection] = set()
        self._reopened = trio.Event()
        self._is_starved = False
        self._listener: socket.socket | None = self._listen()
        self._port = self._listener.getsockname()[1] if self._listener else port
        self._truth = self._open_truth(truth) if truth is not None else None

    @property
    def url(self) -> str:
        """Where clients reach it."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    def close(self) -> None:
        """Stop listening, and cut every connection."""
        self._close_listener()
        self._cut_all()
        if self._truth is not None:
            self._truth.close()

    def has_blob(self, path: str) -> bool:
        """Whether a blob is there, by the path that it would be uploaded to."""
        return self.simulator.store.blob(last_part(path).replace("-", ":", 1).lower()) is not None

    def submit(self, connection: Connection, request: Request) -> None:
        """Give the simulator a request of a connection."""
        truth = self._truth
        wire = connection if truth is None else truth.wire(request, connection)
        exchange = self.simulator.submit(request, wire, trio.current_time())
        if truth is not None:
            truth.follow(connection, exchange.job)
        connection.begin(exchange)
        self.driver.wake()
        if self.simulator.is_refusing(trio.current_time()):
            self._close_listener()
        else:
            self._reopened.set()

    async def accept(self, nursery: trio.Nursery) -> None:
        """Accept connections for ever, but for the times when they are refused."""
        while True:
            if self._listener is None:
                await self._wait_refusing()
                self._listener = self._listen()
            try:
                await trio.lowlevel.wait_readable(self._listener)
            except trio.ClosedResourceError:
                continue
            for _ in range(_ACCEPT_MAX):
                if self._listener is None or not self._accept_one(nursery, self._listener):
                    break
            else:
                continue
            if self._is_starved:
                await trio.sleep(_NO_DESCRIPTOR_S)

    def _accept_one(self, nursery: trio.Nursery, listener: socket.socket) -> bool:
        """Accept one connection; return whether there may be another."""
        self._is_starved = False
        try:
            sock, _address = listener.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            self._is_starved = error.errno in {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
            return not self._is_starved
        sock.settimeout(0.0)
        with suppress(OSError):  # macOS refuses it where the client has gone already
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        nursery.start_soon(self._run, Connection(sock, self))
        return True

    async def _run(self, connection: Connection) -> None:
        self._connections.add(connection)
        self.simulator.connections = len(self._connections)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)
            if self._truth is not None:
                self._truth.lose(connection)
            self.simulator.connections = len(self._connections)

    async def _wait_refusing(self) -> None:
        """Wait until connections are accepted again; the control route may end it earlier."""
        while self.simulator.is_refusing(trio.current_time()):
            self._reopened = trio.Event()
            with trio.move_on_at(self.simulator.refuse_until):
                await self._reopened.wait()

    def _open_truth(self, path: Path) -> TruthLog:
        try:
            return TruthLog(path, trio.current_time())
        except OSError:
            self._close_listener()
            raise

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            listener.listen(_BACKLOG)
            listener.settimeout(0.0)
        except BaseException:
            listener.close()
            raise
        return listener

    def _close_listener(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            trio.lowlevel.notify_closing(listener)
            listener.close()

    def _cut_all(self) -> None:
        for connection in list(self._connections):
            connection.cut()
