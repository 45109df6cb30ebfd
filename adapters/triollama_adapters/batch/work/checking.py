"""A user's function on each answer: it takes it, has it asked again with a message, or rejects it.

The function gives ``True`` to take the answer, ``False`` or `Reject` to reject it, and `Retry` or a
text to have the model try again: the answer and the text are put behind the conversation, or behind
the prompt. Anything else is a mistake in the function, ``None`` among it: a function that forgets
to say ``True`` must not take everything. `Reject` and `Retry` take a text, or an exception for its
text.

Of an answer that is not taken the row's error tells why, and what was answered. A function that
raises fails that row only.
"""

from __future__ import annotations

from typing import Any, Final

import attrs

from triollama import EmbedResponse, Usage
from triollama_adapters.batch.rows import Answer, Ask, RowError
from triollama_adapters.batch.work.asking import Asked, Asks
from triollama_adapters.batch.work.functions import (
    TOLD_CHARS_MAX,
    Function,
    FunctionError,
    text_of,
)

__all__ = ["RETRIES", "Checked", "Reject", "Retry", "asked_again"]

RETRIES: Final = 2
"""A model that was told twice what is wrong seldom gets it right the third time."""


@attrs.frozen
class Retry:
    """The answer does not count: the model is to try again.

    Attributes:
        message: what it is told.
    """

    message: str | Exception


@attrs.frozen
class Reject:
    """The answer does not count, and asking again would not help.

    Attributes:
        reason: what the row's error says.
    """

    reason: str | Exception = "the check rejects it"


@attrs.frozen
class Checked:
    """Asks rows, and counts only answers that a function takes.

    Attributes:
        asks: who is asked.
        check: the function.
        retries_max: how often a row is asked again with a message.
    """

    asks: Asks
    check: Function
    retries_max: int = RETRIES

    async def ask(self, ask: Ask) -> Asked:
        """Ask one row, to an answer that is taken, or to its error.

        The usage of an answer is that of all that came before it together.

        Args:
            ask: the row.
        """
        asking, tries, answers, before = ask, 0, 0, Usage()
        while True:
            asked = await self.asks.ask(asking)
            tries += asked.tries
            wasted = before + asked.wasted
            if (answer := asked.answer) is None:
                return attrs.evolve(asked, tries=tries, wasted=wasted)
            answers += 1
            verdict = await self._judge(answer, ask)
            if isinstance(verdict, str):
                if answers <= self.retries_max and not isinstance(answer, EmbedResponse):
                    asking = asked_again(asking, answer, verdict)
                    before += asked.spent
                    continue
                verdict = RowError("AnswerRejected", _last_told(answers, verdict))
            asked = attrs.evolve(
                asked, tries=tries, more={**asked.more, "check": {"answers": answers}}
            )
            if verdict is None:
                answer = with_usage(answer, before + asked.spent)
                return attrs.evolve(asked, answer=answer, wasted=Usage())
            return attrs.evolve(asked, answer=None, error=verdict, refused=answer, wasted=wasted)

    async def _judge(self, answer: Answer, ask: Ask) -> str | RowError | None:
        """What the function says: a text for the model, or a fault; None: it takes the answer."""
        try:
            return await self.check.call(answer, ask, self._verdict)
        except FunctionError as error:
            return RowError("CheckFailed", text_of(error))

    def _verdict(self, said: Any) -> str | RowError | None:
        """What the function means; see `_judge`."""
        if said is True:
            return None
        match said:
            case str():
                return text_of(said)
            case Retry(message):
                return self._text("Retry", message)
            case Reject(reason):
                return RowError("AnswerRejected", self._text("Reject", reason)[:TOLD_CHARS_MAX])
            case False:
                return RowError("AnswerRejected", self._text("Reject", Reject().reason))
        must = "True, False, a text, Retry or Reject"
        raise FunctionError(f"{self.check.name} gave a {_kind(said)}; it must give {must}")

    def _text(self, verdict: str, given: object) -> str:
        """What a verdict tells."""
        if isinstance(given, str):
            return text_of(given)
        if isinstance(given, Exception):
            return text_of(given) or _kind(given)
        raise FunctionError(
            f"{self.check.name} gave {verdict} a {_kind(given)}; it takes a text or an exception"
        )


def _kind(value: object) -> str:
    return type(value).__name__


def asked_again(ask: Ask, answer: Answer, message: str) -> Ask:
    """The same row with its answer and what is wrong with it.

    Args:
        ask: what was asked.
        answer: a text that came.
        message: what the model is told.
    """
    assert not isinstance(answer, EmbedResponse)
    more: dict[str, Any]
    if ask.kind == "chat":
        told = [
            {"role": "assistant", "content": answer.content},
            {"role": "user", "content": message},
        ]
        more = {"messages": [*ask.arguments["messages"], *told]}
    else:
        prompt = ask.arguments.get("prompt") or ""
        more = {"prompt": f"{prompt}\n\n{answer.content}\n\n{message}\n\n"}
    return attrs.evolve(ask, arguments={**ask.arguments, **more})


def with_usage(answer: Answer, usage: Usage) -> Answer:
    """The same answer with what it cost in all; an embedding as it is."""
    if isinstance(answer, EmbedResponse):
        return answer
    return attrs.evolve(answer, usage=usage)


def _last_told(answers: int, message: str) -> str:
    message = message[:TOLD_CHARS_MAX]
    if answers == 1:
        return message
    return f"{message} (the last of {answers} answers)"
