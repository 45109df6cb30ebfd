"""A worker at the other end of two pipes; see `links.Link`."""

from __future__ import annotations

import signal
import subprocess
import tempfile
from collections import deque
from collections.abc import Sequence
from typing import Final

import trio

from triollama_adapters.loadtest.running.frames import FrameError, News, Order, frame, read_news
from triollama_adapters.loadtest.running.links import LinkLostError

__all__ = ["PipeLink"]

READ_BYTES: Final = 1 << 18

LAST_BYTES: Final = 4_096
"""How much of what a worker printed is looked at for why it died."""

TOLD_MAX: Final = 200
"""Characters of it that are told."""

DIE_S: Final = 2.0
"""How long a worker whose output has ended may take to be gone."""


class PipeLink:
    """A worker process. To be closed, whether it was started or not.

    Args:
        command: starts it.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self._command = tuple(command)
        self._process: trio.Process | None = None
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `aclose`
        self._frames = read_news()
        self._news: deque[News] = deque()

    @property
    def pid(self) -> int:
        """Its process; 0 before it is started."""
        return 0 if self._process is None else self._process.pid

    async def start(self, first: Order) -> None:
        """Start the process and tell it something.

        Raises:
            LinkLostError: the system starts no process, or it ends at once.
        """
        with trio.CancelScope(shield=True):
            # Shielded, because a process that was started must be noted: else nobody would kill it.
            try:
                self._process = await trio.lowlevel.open_process(
                    self._command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=self._printed,
                    start_new_session=True,
                )
            except OSError as error:
                raise LinkLostError(f"cannot be started: {error.strerror or error}") from error
        await self.send(first)

    async def send(self, order: Order) -> None:
        """Tell it something; see `links.Link`."""
        assert self._process is not None, "it was started"
        assert self._process.stdin is not None, "it was asked for"
        try:
            await self._process.stdin.send_all(frame(order))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise LinkLostError("does not listen any more") from error

    async def receive(self) -> News:
        """What it tells next; see `links.Link`."""
        assert self._process is not None, "it was started"
        assert self._process.stdout is not None, "it was asked for"
        while not self._news:
            data = await self._process.stdout.receive_some(READ_BYTES)
            if not data:
                raise LinkLostError(await self._wait_why(self._process))
            try:
                self._news.extend(self._frames.feed(bytes(data)))
            except FrameError as error:
                raise LinkLostError(f"said what no worker says: {error}") from error
        return self._news.popleft()

    def on_its_clock(self, at_ns: int) -> int:
        """The same: all processes of a machine have one; see `links.Link`."""
        return at_ns

    def kill(self) -> None:
        """End the process at once, if it has not ended. Never waits."""
        if self._process is not None:
            self._process.kill()

    async def aclose(self) -> None:
        """Kill the process, wait until it is gone, and close what belongs to it."""
        self.kill()
        self._printed.close()
        if self._process is None:
            return
        await self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                await stream.aclose()

    async def _wait_why(self, process: trio.Process) -> str:
        """Why it ended, in a few words, once it has."""
        code: int | None = None
        with trio.move_on_after(DIE_S):
            code = await process.wait()
        if code is None:
            return "closed its output"
        if code < 0:
            return f"was killed by {_signal_name(-code)}"
        return f"ended with exit code {code}{self._last_words()}"

    def _last_words(self) -> str:
        """The last line that it printed, with a colon before it; empty for none."""
        self._printed.seek(0, 2)
        self._printed.seek(max(0, self._printed.tell() - LAST_BYTES))
        lines = self._printed.read().decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f": {last[:TOLD_MAX]}" if last else ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
