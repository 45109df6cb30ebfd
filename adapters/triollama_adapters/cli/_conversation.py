"""A conversation in the terminal: questions in, answers out as they come.

Owns the messages so far and what Ctrl-C means: during an answer it stops the answer, and twice in a
row, without a question in between, it leaves.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterable
from typing import Final

import trio

from triollama import ChatChunk, ChatResponse, Engine, Stream, TriollamaError
from triollama_adapters.cli._screen import Screen, without_controls

__all__ = ["MESSAGES_MAX", "Conversation"]

MESSAGES_MAX: Final = 1_000
"""Messages that are kept and sent along. The server cuts to its context long before; this bounds
what one request can grow to."""

HELP: Final = """\
/bye     leave (or /exit, /quit, Ctrl-D)
/clear   forget the conversation
/?       this help
Ctrl-C   stop the answer; twice: leave
"""

_COMMAND: Final = re.compile(r"\s*(/[^\s/]*)(?:\s|$)")
"""A slash and one word: a path, which has a second slash, is the beginning of a question."""

_LEAVE: Final = frozenset({"/bye", "/exit", "/quit"})

LEAVE_HINT: Final = "\nCtrl-C again, Ctrl-D or /bye leaves\n"


class Conversation:
    """Talks to one model.

    Args:
        engine: who answers.
        model: the model's name.
        screen: where to write.
        system: the system message; None for none.
        think: whether the model is to think; None leaves it to the model.
        is_verbose: tell the speed after each answer.
    """

    def __init__(
        self,
        engine: Engine,
        model: str,
        screen: Screen,
        *,
        system: str | None = None,
        think: bool | None = None,
        is_verbose: bool = False,
    ) -> None:
        self._engine = engine
        self._model = model
        self._screen = screen
        self._system = [{"role": "system", "content": system}] if system is not None else []
        self._think = think
        self._is_verbose = is_verbose
        self._messages: list[dict[str, str]] = []
        self._answering: trio.CancelScope | None = None
        self._strikes = 0
        self.failures = 0

    async def talk(self, lines: AsyncIterable[str]) -> None:
        """Answer one question per line until the lines end or one means to leave.

        A line that begins as a command does is never asked.
        """
        self._screen.prompt()
        async for line in lines:
            self._strikes = 0
            if (command := _COMMAND.match(line)) is None:
                if question := line.strip():
                    await self._ask(question)
            elif command[1] in _LEAVE:
                return
            else:
                self._obey(command[1])
            self._screen.prompt()
        self._screen.leave_prompt()

    def _obey(self, command: str) -> None:
        match command:
            case "/clear":
                self._messages.clear()
            case "/?" | "/help":
                self._screen.note(HELP)
            case unknown:
                self.failures += 1
                self._screen.note(f"unknown command {without_controls(unknown)}; /? for help\n")

    def interrupt(self) -> bool:
        """Take a Ctrl-C: stop the answer, if one is coming.

        Returns:
            True if the user means to leave.
        """
        self._strikes += 1
        if self._answering is not None:
            self._answering.cancel()
            return False
        if self._strikes > 1:
            self._screen.leave_prompt()
            return True
        self._screen.note(LEAVE_HINT)
        self._screen.prompt()
        return False

    async def _ask(self, question: str) -> None:
        self._messages.append({"role": "user", "content": question})
        said: list[str] = []
        with trio.CancelScope() as self._answering:
            try:
                await self._stream_answer(said)
            except TriollamaError as error:
                self.failures += 1
                self._screen.end_answer()
                self._screen.note(f"error: {error}\n")
        if self._answering.cancelled_caught:
            self._screen.end_answer(stopped=True)
        self._answering = None
        self._remember("".join(said))

    async def _stream_answer(self, said: list[str]) -> None:
        request = self._engine.stream_chat(
            self._model, [*self._system, *self._messages], think=self._think
        )
        async with request as stream:
            async for chunk in stream:
                if chunk.thinking:
                    self._screen.think(chunk.thinking)
                if chunk.content:
                    said.append(chunk.content)
                    self._screen.answer(chunk.content)
            self._screen.end_answer()
            if self._is_verbose:
                self._screen.note(describe_speed(stream))

    def _remember(self, answer: str) -> None:
        """Keep what was said, a stopped answer too; a question without any answer is forgotten."""
        if answer:
            self._messages.append({"role": "assistant", "content": answer})
        else:
            self._messages.pop()
        del self._messages[:-MESSAGES_MAX]


def describe_speed(stream: Stream[ChatChunk, ChatResponse]) -> str:
    """One line on how fast an answer came."""
    usage, timing = stream.usage, stream.timing
    parts: list[str] = []
    if usage is not None:
        parts.append(f"{usage.output_tokens:,} tokens")
        if usage.decode_ns:
            parts.append(f"{usage.output_tokens * 1e9 / usage.decode_ns:,.1f} tokens/s")
    if timing.first_ns:
        parts.append(f"first token after {(timing.first_ns - timing.sent_ns) / 1e6:,.0f} ms")
    parts.append(f"from {stream.endpoint}")
    return ", ".join(parts) + "\n"
