"""``triollama chat`` as a user runs it: with pipes, and at a real terminal."""

import os
import pty
import re
import select
import signal
import sys
import time
from collections.abc import AsyncIterable, Iterator
from functools import partial
from typing import Any

import attrs
import pytest
import trio
import trio.testing

from triollama_adapters.cli._chat import _converse

pytestmark = pytest.mark.slow

CTRL_C, CTRL_D = b"\x03", b"\x04"

MODEL = "llama3.2"

LOGIN = """
import os, sys
os.login_tty(0)
os.execv(sys.executable, [sys.executable, "-m", "triollama_adapters.cli", *sys.argv[1:]])
"""

AT_A_TERMINAL = [sys.executable, "-c", LOGIN]
"""The program in a session whose terminal is its stdin, so that Ctrl-C becomes a signal there."""


@attrs.define
class Typist:
    """Types at the program's terminal and reads what it shows."""

    terminal: int
    process: Any
    seen: str = ""

    def wait_for(self, pattern: str, *, within_s: float = 20.0) -> None:
        """Read until the pattern appears in what has not been waited for yet."""
        end = time.monotonic() + within_s
        while not (found := re.search(pattern, self.seen)):
            ready, _, _ = select.select([self.terminal], [], [], max(0, end - time.monotonic()))
            assert ready, f"{pattern!r} did not appear in {self.seen!r}"
            self.seen += os.read(self.terminal, 4096).decode(errors="replace")
        self.seen = self.seen[found.end() :]

    def type(self, keys: bytes) -> None:
        """Press some keys."""
        os.write(self.terminal, keys)


@pytest.fixture
def server(start: Any) -> str:
    """A simulated server that writes slowly enough to be interrupted."""
    speed = ["--load-s", "0", "--decode-tokens-per-s", "50"]
    length = ["--answer-tokens-min", "40", "--answer-tokens-max", "60"]
    process = start("simulate", "--port", "0", *speed, *length)
    [url] = re.findall(r"http://\S+?:\d+", process.stderr.readline())
    return str(url)


@pytest.fixture
def typist(start: Any, server: str) -> Iterator[Typist]:
    """A chat at a terminal."""
    terminal, other_end = pty.openpty()
    ends = {"stdin": other_end, "stdout": other_end, "stderr": other_end}
    process = start("chat", MODEL, "--endpoint", server, program=AT_A_TERMINAL, **ends)
    os.close(other_end)
    yield Typist(terminal, process)
    process.kill()
    process.wait()
    os.close(terminal)


def test_pipes(run: Any, server: str) -> None:
    """One question per line; the answers, and only they, are on stdout."""
    done = run("chat", MODEL, "--endpoint", server, "--verbose", stdin="Hello?\nAnd you?\n")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 2
    assert done.stderr.count("tokens/s") == 2
    assert ">>>" not in done.stderr


def test_an_unknown_model_and_a_dead_server(run: Any, server: str) -> None:
    """One line each, with exit codes 2 and 3."""
    done = run("chat", "gpt-9", "--endpoint", server)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "there are:" in done.stderr
    done = run("chat", MODEL, "--endpoint", "http://127.0.0.1:9")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)


def test_ctrl_c_stops_the_answer_and_bye_leaves(typist: Typist) -> None:
    """At a terminal: interrupted in the middle, asked again, left with /bye."""
    typist.wait_for(">>> ")
    typist.type(b"Tell me a long story.\n")
    typist.wait_for(r"\n\w+ \w+")
    typist.type(CTRL_C)
    typist.wait_for(r"\(stopped\)")
    typist.wait_for(">>> ")
    typist.type(b"And now?\n")
    typist.wait_for(r"\n\w+ \w+")
    typist.wait_for("\n>>> ")
    typist.type(b"/bye\n")
    assert typist.process.wait(timeout=10) == 0


def test_ctrl_c_twice_at_the_prompt_leaves(typist: Typist) -> None:
    """The first says what the second will do; the exit code is 130."""
    typist.wait_for(">>> ")
    typist.type(CTRL_C)
    typist.wait_for("Ctrl-C again")
    assert typist.process.poll() is None
    typist.type(CTRL_C)
    assert typist.process.wait(timeout=10) == 130


def test_ctrl_d_leaves(typist: Typist) -> None:
    """The end of the input is the end of the conversation."""
    typist.wait_for(">>> ")
    typist.type(CTRL_D)
    assert typist.process.wait(timeout=10) == 0


@attrs.define
class FakeConversation:
    """Talks until it has a line, and leaves at the second Ctrl-C."""

    said: list[str] = attrs.field(factory=list)
    interrupts: int = 0

    async def talk(self, lines: AsyncIterable[str]) -> None:
        """Take all lines."""
        async for line in lines:
            self.said.append(line)

    def interrupt(self) -> bool:
        """Count."""
        self.interrupts += 1
        return self.interrupts > 1


@pytest.fixture
def typed() -> Iterator[int]:
    """The other end of standard input."""
    before = os.dup(0)
    read_fd, write_fd = os.pipe()
    os.dup2(read_fd, 0)
    os.close(read_fd)
    yield write_fd
    os.dup2(before, 0)
    os.close(before)


async def test_signals_reach_the_conversation(typed: int) -> None:
    """At a terminal the conversation decides about Ctrl-C; what was typed before is not lost."""
    talk: Any = FakeConversation()
    ended = []

    async def converse() -> None:
        ended.append(await _converse(talk, is_interactive=True))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(converse)
        os.write(typed, b"one\ntwo")
        for count in (1, 2):
            await trio.testing.wait_all_tasks_blocked(0.05)
            os.kill(os.getpid(), signal.SIGINT)
            await trio.testing.wait_all_tasks_blocked(0.05)
            assert talk.interrupts == count
    os.close(typed)
    assert ended == [True]
    assert talk.said == ["one"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_signals_end_what_reads_a_pipe(typed: int, number: int) -> None:
    """Without a terminal there is nobody to ask: the first one leaves."""
    talk = FakeConversation()
    with trio.move_on_after(5):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(_converse, is_interactive=False), talk)
            await trio.testing.wait_all_tasks_blocked(0.05)
            os.kill(os.getpid(), number)
    os.close(typed)
    assert talk.interrupts == 0


async def test_the_end_of_the_input_is_the_end(typed: int) -> None:
    """The last line needs no line end, and bytes that are not UTF-8 do no harm."""
    talk: Any = FakeConversation()
    os.write(typed, b"one\n\xfftwo")
    os.close(typed)
    assert not await _converse(talk, is_interactive=False)
    assert talk.said == ["one", "\ufffdtwo"]
