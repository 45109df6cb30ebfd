"""An asker that answers what it is told to, for who stands around one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import trio

from triollama import ChatResponse, FleetUnavailableError, GenerateResponse, Message, Usage
from triollama_adapters.batch.fields import fields_of
from triollama_adapters.batch.rows import Answer, Ask
from triollama_adapters.batch.work.asking import Asked

LINE = b'{"question": "2 + 2?", "expected": "4"}'
ASK = Ask(
    "chat",
    {"model": "m", "messages": [{"role": "user", "content": "2 + 2?"}]},
    fields=fields_of(LINE, len(LINE)),
)
COMPLETION = Ask("generate", {"model": "m", "prompt": "2 + 2?"}, fields=ASK.fields)
USAGE = Usage(prompt_tokens=10, output_tokens=3)
DOWN = Asked(None, FleetUnavailableError(()), None, 5)


def chat_of(text: str) -> ChatResponse:
    """An answer of that text."""
    message = Message(role="assistant", content=text)
    return ChatResponse(model="m", message=message, done=True, done_reason="stop", usage=USAGE)


def completion_of(text: str) -> GenerateResponse:
    """The same to a bare prompt."""
    return GenerateResponse(model="m", content=text, done=True, usage=USAGE)


@attrs.define
class Scripted:
    """Answers what it is told to, in the order of seeds or else of requests.

    Attributes:
        answers: texts; None: nobody can be reached.
        takes_s: how long each takes, in seconds; the last counts for all after it.
        asked: what was asked, in order.
        cancelled: how many were cancelled.
        running_max: how many ran at a time at most.
    """

    answers: Sequence[str | None]
    takes_s: Sequence[float] = (0.0,)
    asked: list[Ask] = attrs.field(factory=list)
    cancelled: int = 0
    running: int = 0
    running_max: int = 0
    make: Callable[[str], Answer] = chat_of

    async def ask(self, ask: Ask) -> Asked:
        """The next answer."""
        seed = ask.arguments.get("options", {}).get("seed", -1)
        number = len(self.asked) if seed < 0 else (seed - 1) % len(self.answers)
        self.asked.append(ask)
        self.running += 1
        self.running_max = max(self.running, self.running_max)
        try:
            await trio.sleep(self.takes_s[min(number, len(self.takes_s) - 1)])
        except trio.Cancelled:
            self.cancelled += 1
            raise
        finally:
            self.running -= 1
        text = self.answers[number]
        return DOWN if text is None else Asked(self.make(text), None, None, 1)
