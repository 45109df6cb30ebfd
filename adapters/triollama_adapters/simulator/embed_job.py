"""The job of an embed request, also of the legacy kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .calls import EmbedCall
from .embedding import embed, vector_base64, vector_json, wide_vector_json
from .encoding import text_bytes
from .errors import ApiError
from .jobs import BaseJob
from .lines import Usage
from .models import ModelConfig
from .response import JSON_PLAIN
from .runner import Stage
from .template import token_count

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = ["EmbedJob"]

_NO_EMBEDDINGS = "This server does not support embeddings. Start it with `--embeddings`"
_TOO_LONG = "the input length exceeds the context length"
_TOKEN_CHARACTERS = 4
_TEXTS_PER_TURN = 16
"""Texts embedded in one step: a vector costs about a millisecond, and all streams wait for it."""
_TURN_S = 0.001
"""When the next texts have their turn at the earliest; by then every stream has had its own."""


class EmbedJob(BaseJob):
    """An embed request. It keeps the promises of `runner.Job`.

    Args:
        simulator: the server.
        exchange: the request and its response.
        model: which model.
        call: what is asked.

    Raises:
        ApiError: an option has the wrong type.
    """

    def __init__(
        self, simulator: Simulator, exchange: Exchange, model: ModelConfig, call: EmbedCall
    ) -> None:
        super().__init__(simulator, exchange, model, call)
        self._call = call
        self._texts: list[str] = []
        self._vectors: list[str] = []
        self._read = 0  # tokens

    @property
    def asked(self) -> str:
        """The first of the texts."""
        return self._call.inputs[0] if self._call.inputs else ""

    def _prepare(self, now: float) -> bool:
        """Do what needs no slot: a mere load, and errors of the model and of lengths."""
        call = self._call
        if not call.inputs:
            empty = b'{"embedding":[]}' if call.is_legacy else self._body("[]")
            self._exchange.response.json(200, empty, now)
            return False
        if not self.model.has("embedding"):
            raise ApiError(500 if call.is_legacy else 501, _NO_EMBEDDINGS)
        size = self.settings.num_ctx
        is_too_long = any(token_count(text) > size for text in call.inputs)
        if is_too_long and (call.is_legacy or not call.truncate):
            raise ApiError(500 if call.is_legacy else 400, _TOO_LONG)
        self._texts = [text[: size * _TOKEN_CHARACTERS] for text in call.inputs]
        return True

    def _begin(self, now: float) -> None:
        self._schedule(now)

    def _schedule(self, earliest: float) -> None:
        """Take the time that reading the next texts takes."""
        self._read += sum(map(token_count, self._next_texts()))
        due = max(self.began + self._read / self._prefill, earliest)
        self._simulator.agenda.call_at(due, self._embed, owner=self._exchange)

    def _next_texts(self) -> list[str]:
        done = len(self._vectors)
        return self._texts[done : done + _TEXTS_PER_TURN]

    def _embed(self, now: float) -> None:
        """Embed the texts that were read; then the next ones, or answer."""
        if self.stage is Stage.OVER:
            return
        call = self._call
        show = wide_vector_json if call.is_legacy else vector_json
        if call.encoding == "base64":
            show = vector_base64
        size, dimensions = self.model.embedding_length, self._call.dimensions
        self._vectors += [
            show(embed(text, model=self.model.author_key, size=size, dimensions=dimensions))
            for text in self._next_texts()
        ]
        if len(self._vectors) < len(self._texts):
            self._schedule(now + _TURN_S)
        else:
            self._end(now)

    def _end(self, now: float) -> None:
        usage = self._usage(now, 0, now - self.began, 0)
        self._simulator.generation_ended(self, now)
        response = self._exchange.response
        if self._call.encoding:
            response.reply(200, JSON_PLAIN, self._openai_body(), now)
        elif self._call.is_legacy:
            response.json(200, f'{{"embedding":{self._vectors[0]}}}'.encode(), now)
        else:
            shown = Usage(usage.total_ns, usage.load_ns, self._read).encoded()
            response.json(200, self._body(f"[{','.join(self._vectors)}]", shown), now)

    def _body(self, vectors: str, usage: bytes = b"") -> bytes:
        head = b'{"model":"' + text_bytes(self._call.model)
        return head + b'","embeddings":' + vectors.encode() + usage + b"}"

    def _openai_body(self) -> bytes:
        data = ",".join(
            f'{{"object":"embedding","embedding":{vector},"index":{index}}}'
            for index, vector in enumerate(self._vectors)
        )
        model, read = text_bytes(self._call.model).decode(), self._read
        usage = f'{{"prompt_tokens":{read},"total_tokens":{read}}}'
        shown = f'{{"object":"list","data":[{data}],"model":"{model}","usage":{usage}}}\n'
        return shown.encode()
