"""The job of a generate or chat request: what it does with a runner, and with a slot.

Owns the checks that need the loaded model (the format, the length of the prompt), the choice
between prose, JSON and calls of tools, and the last event.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from attrs import evolve

from .calls import TextCall
from .encoding import encode_json
from .errors import ApiError
from .generation import Generation, Pace, until_stop
from .jobs import BaseJob
from .lines import Answer
from .models import ModelConfig
from .openai_lines import openai_call
from .response import JSON, JSON_PLAIN, NDJSON
from .structured import call_pieces, is_format, json_pieces, wanted_tools
from .template import Message, Prompt, cut_middle, fit_messages, render, token_count
from .vocabulary import Kind, Piece
from .voices import transcript, way_of, without_thinking, words_of

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = ["TextJob"]

_TOO_LONG = (
    "the prompt is longer than the context length currently available to the model; shorten the "
    "prompt, adjust the context length in settings, or use a model with a longer context length"
)


class TextJob(BaseJob):
    """A generate or chat request. It keeps the promises of `runner.Job`.

    Args:
        simulator: the server.
        exchange: the request and its response.
        model: which model.
        call: what is asked.

    Raises:
        ApiError: an option has the wrong type.
    """

    def __init__(
        self, simulator: Simulator, exchange: Exchange, model: ModelConfig, call: TextCall
    ) -> None:
        super().__init__(simulator, exchange, model, call)
        if model.messages and call.messages:
            before = (Message(each["role"], each["content"]) for each in model.messages)
            call = evolve(call, messages=(*before, *call.messages))
        self._call = call
        stamps, arrived = simulator.stamps, exchange.arrived
        self._out = way_of(call, exchange.response, stamps.wall_ns(arrived))
        self._in_stream = call.stream
        self._stamps, self._lines = words_of(call, self.asked, stamps, arrived)
        self._thinks = None
        if model.has("thinking"):
            self._thinks = call.think is not False
        self._prompt = Prompt("")
        self._structured: list[Piece] = []
        self._noted_text: list[str] = []

    @property
    def asked(self) -> str:
        """The last message, or the prompt."""
        call = self._call
        return call.messages[-1].content if call.messages else call.prompt

    def _prepare(self, now: float) -> bool:
        """Do what needs no slot: a mere load, the rendered prompt, errors of format and length."""
        call = self._call
        if not (call.messages if call.is_chat else call.prompt):
            self._whole(Answer(reason="load"), now)
            return False
        if not is_format(call.format):
            # The JSON as Go quotes a text, so that a text has its quotes twice.
            shown = json.dumps(encode_json(call.format).decode(), ensure_ascii=False)
            expected = 'expected "json" or a valid JSON Schema object'
            raise ApiError(500, f"invalid format: {shown}; {expected}")
        self._prompt = self._fit()
        if call.debug:
            debug = (self._prompt.text, len(self._prompt.images))
            self._whole(Answer(done=False, debug=debug, role=""), now)
            return False
        try:
            self._structured = self._write_structured()
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError):
            raise ApiError(500, "invalid JSON schema in format") from None
        return True

    def _begin(self, now: float) -> None:
        """Begin to write."""
        call, config = self._call, self._simulator.config
        pace = Pace(self._prefill_s, 1 / self._decode, config.jitter)
        tokens_max = self._sampling.tokens_max
        if not call.shift:
            tokens_max = min(tokens_max, self.settings.num_ctx - self._prompt.tokens)
        pieces = self._pieces()
        if call.is_openai and not call.is_chat:
            pieces = without_thinking(pieces)
        if self._sampling.stop:
            pieces = until_stop(pieces, self._sampling.stop)
        if not call.is_chat and not call.raw:
            pieces = self._noted(pieces)
        self.generation = Generation(
            pieces,
            pace,
            tokens_max=tokens_max,
            lines=self._lines,
            response=self._out if call.stream else None,
            stamps=self._stamps,
            logprobs=call.top_logprobs if call.logprobs else None,
            owner=self._exchange,
            on_end=self._end,
        )
        self.generation.start(self._simulator.agenda, now)

    def _pieces(self) -> Iterator[Piece]:
        """Write the answer: what is structured, after thinking if the model does, or prose."""
        prompt, seed = self._prompt, self._sampling.seed
        author = self._simulator.author(self.model)
        if not self._structured:
            yield from author.answer(prompt.text, seed=seed, images=prompt.images)
            return
        if self._thinks:
            yield from author.thoughts(prompt.text, seed=seed)
        yield from self._structured

    def _write_structured(self) -> list[Piece]:
        """Write calls of tools, or JSON for the format; nothing if neither is wanted.

        All of it before the first token is sent, because a schema may be one that nothing satisfies
        or that is none.
        """
        call, prompt = self._call, self._prompt
        author = self._simulator.author(self.model)
        draw = author.draw(prompt.text, seed=self._sampling.seed, images=prompt.images)
        if tools := wanted_tools(call.tools, call.messages):
            made = call_pieces(tools, draw)
            return [openai_call(each) for each in made] if call.is_openai else list(made)
        return list(json_pieces(call.format, draw)) if call.format else []

    def _noted(self, pieces: Iterator[Piece]) -> Iterator[Piece]:
        """Note what was said: the ``context`` of a generate holds it."""
        for entry in pieces:
            self._noted_text.append(entry.text)
            yield entry

    def _end(self, reason: str, now: float) -> None:
        """The last token is written: give the slot back, then send the last event."""
        generation, call = self.generation, self._call
        assert generation is not None, "only a generation ends"
        self._simulator.generation_ended(self, now)
        usage = self._usage(now, self._prompt.tokens, self._prefill_s, generation.tokens)
        if call.is_openai and reason == "stop" and wanted_tools(call.tools, call.messages):
            reason = "tool_calls"
        answer = Answer(reason=reason, usage=usage, context=self._context())
        if call.stream:
            line = self._lines.last(answer, self._stamps.created_at(now))
            self._out.close(line + b"\n", now)
            return
        said = generation.said
        answer = evolve(
            answer,
            content="".join(entry.text for entry in said if entry.kind == Kind.CONTENT),
            thinking="".join(entry.text for entry in said if entry.kind == Kind.THINKING),
            logprobs=generation.logprobs,
        )
        calls = [json.loads(entry.text) for entry in said if entry.kind == Kind.TOOL_CALLS]
        self._whole(evolve(answer, tool_calls=calls), now)

    @property
    def _prefill_s(self) -> float:
        return self._prompt.tokens / self._prefill

    def _context(self) -> list[int] | None:
        """Tokens to go on from. A token is a character's number here, so it can be turned back."""
        if self._call.is_chat or self._call.raw:
            return None
        return [ord(char) for char in self._prompt.text + "".join(self._noted_text)]

    def _whole(self, answer: Answer, now: float) -> None:
        if self._call.transcript:
            # Its head went out with the first token, as the one of a native stream.
            body = transcript(answer.content, self._call.transcript)
            self._out.reply(200, NDJSON, body, now, streamed=True)
            return
        body = self._lines.last(answer, self._stamps.created_at(now))
        self._out.reply(200, JSON_PLAIN if self._call.is_openai else JSON, body, now)

    # ---- the prompt

    def _fit(self) -> Prompt:
        """Render the prompt and cut it to the context, as far as the request allows.

        Raises:
            ApiError: it is too long, and may not be cut.
        """
        call, size = self._call, self.settings.num_ctx
        prompt = self._rendered()
        if prompt.tokens <= size:
            return prompt
        if not call.truncate:
            raise ApiError(400, _exceeded(prompt.tokens, size))
        if call.is_chat:
            prompt = fit_messages(
                call.messages,
                size,
                system=self.model.system,
                tools=call.tools,
                think=self._thinks,
            )[1]
        if prompt.tokens <= size:
            return prompt
        if not call.shift:
            raise ApiError(400, _TOO_LONG)
        return cut_middle(prompt, size, self._sampling.num_keep)

    def _rendered(self) -> Prompt:
        call, model = self._call, self.model
        if call.is_chat:
            return render(call.messages, system=model.system, tools=call.tools, think=self._thinks)
        if call.raw:
            count = token_count(call.prompt, len(call.images))
            return Prompt(call.prompt, call.images, count)
        system = call.system or model.system
        messages = [Message("system", system)] if system else []
        messages.append(Message("user", call.prompt, images=call.images))
        prompt = render(messages, think=self._thinks)
        before = "".join(chr(token) for token in call.context if 0 <= token < 0x110000)
        text = before + prompt.text
        return Prompt(text, prompt.images, token_count(text, len(prompt.images)))


def _exceeded(tokens: int, size: int) -> str:
    """The runner's own error, which Ollama passes on as a text that holds JSON."""
    message = (
        f"request ({tokens} tokens) exceeds the available context size ({size} tokens), "
        "try increasing it"
    )
    error = {
        "code": 400,
        "message": message,
        "type": "exceed_context_size_error",
        "n_prompt_tokens": tokens,
        "n_ctx": size,
    }
    return encode_json({"error": error}).decode()
