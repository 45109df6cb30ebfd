"""The command ``triollama chat``: talk to a model in the terminal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Final

import attrs
import trio
from cyclopts import Parameter

from triollama_adapters.batch.input.lines import LineSplitter
from triollama_adapters.cli._access import NOTHING_GIVEN, Access
from triollama_adapters.cli._conversation import Conversation
from triollama_adapters.cli._failures import (
    EXIT_INTERRUPTED,
    EXIT_OK,
    EXIT_SOME_FAILED,
    CliError,
)
from triollama_adapters.cli._fleet import FleetWanted, open_fleet
from triollama_adapters.cli._interrupt import STOP_SIGNALS
from triollama_adapters.cli._screen import Screen

__all__ = ["CHAT_EXAMPLES", "chat"]

READ_BYTES: Final = 64 * 1024
"""One read of standard input; a terminal gives a line at a time anyway."""

LINES_AHEAD_MAX: Final = 16
"""Lines typed ahead while an answer comes; further ones wait in the terminal."""

CHAT_EXAMPLES: Final = """
Examples:

* `triollama chat llama3.2`
* `triollama chat llama3.2 --endpoint http://gpu-1:11434 --system "Be brief." --verbose`
* `triollama chat llama3.2 --endpoint https://gpu-1.example --api-key-env GPU_KEY`
* `echo "Why is the sky blue?" | triollama chat llama3.2 > answer.txt`
"""


async def chat(
    model: str | None = None,
    /,
    *,
    endpoint: Annotated[list[str] | None, Parameter(negative_iterable=())] = None,
    access: Access = NOTHING_GIVEN,
    system: str | None = None,
    think: bool | None = None,
    verbose: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Talk to a model in the terminal.

    Ctrl-C stops the answer, not the program; twice in a row it leaves, as Ctrl-D and `/bye` do.
    When standard input is not a terminal, each line of it is a question, and only the answers go
    to standard output.

    Args:
        model: The model's name. Default: the only one there is.
        endpoint: Address of an Ollama server; repeat it for a fleet. Default: OLLAMA_HOST, or this
            machine.
        access: What the servers want to see.
        system: System message.
        think: Let the model think, or keep it from it; its thoughts are shown dimmed on stderr.
        verbose: Tell the speed after each answer.

    Returns:
        The exit code.
    """
    # A program that was started with its standard input closed has no sys.stdin.
    is_interactive = sys.stdin is not None and sys.stdin.isatty()
    screen = Screen(sys.stdout, sys.stderr, is_interactive=is_interactive)
    wanted = FleetWanted(
        endpoints=endpoint or (),
        model=model,
        named_by="with: triollama chat NAME",
        credentials=access.credentials(),
    )
    async with open_fleet(wanted, sys.stderr) as fleet:
        if is_interactive:
            screen.note(f"{fleet.model}: /? for help, /bye to leave\n")
        conversation = Conversation(
            fleet.engine, fleet.model, screen, system=system, think=think, is_verbose=verbose
        )
        is_stopped = await _converse(conversation, is_interactive=is_interactive)
    if is_stopped:
        return EXIT_INTERRUPTED
    return EXIT_SOME_FAILED if conversation.failures and not is_interactive else EXIT_OK


async def _converse(conversation: Conversation, *, is_interactive: bool) -> bool:
    """Run the conversation to its end; true if a signal ended it."""
    put_line, lines = trio.open_memory_channel[str](LINES_AHEAD_MAX)
    with trio.open_signal_receiver(*STOP_SIGNALS) as signals:
        async with trio.open_nursery() as nursery:
            stopping = _Stopping(conversation, nursery.cancel_scope, is_interactive)
            nursery.start_soon(stopping.watch, signals)
            nursery.start_soon(_read_lines, put_line)
            await conversation.talk(lines)
            nursery.cancel_scope.cancel()
    return stopping.is_stopped


@attrs.define
class _Stopping:
    """Gives Ctrl-C to the conversation, and cancels all when the user means to leave."""

    conversation: Conversation
    scope: trio.CancelScope
    is_interactive: bool
    is_stopped: bool = False

    async def watch(self, signals: AsyncIterator[int]) -> None:
        """Take signals until one means to leave."""
        async for number in signals:
            is_question = self.is_interactive and number == signal.SIGINT
            if not is_question or self.conversation.interrupt():
                self.is_stopped = True
                self.scope.cancel()
                return


async def _read_lines(put_line: trio.MemorySendChannel[str]) -> None:
    """Read standard input in a thread that is left behind when the program ends.

    The descriptor is read directly: a thread that waited inside `sys.stdin` would hold its lock,
    and the interpreter cannot end while it is held.
    """
    splitter = LineSplitter()
    with put_line:
        is_open = True
        while is_open:
            try:
                block = await trio.to_thread.run_sync(
                    os.read, 0, READ_BYTES, abandon_on_cancel=True
                )
            except OSError as error:
                raise CliError(f"cannot read standard input: {error.strerror}") from error
            is_open = bool(block)
            for line in splitter.feed(block) if block else splitter.close():
                if line.content is None:
                    raise CliError(f"line {line.index + 1} of standard input is too long")
                await put_line.send(line.content.decode(errors="replace"))
