"""The job of an embed request, also of the legacy kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .calls import EmbedCall
from .embedding import embed, vector_json, wide_vector_json
from .encoding import text_bytes
from .jobs import BaseJob
from .lines import Usage
from .models import ModelConfig
from .runner import Stage
from .template import token_count

if TYPE_CHECKING:
    from .core import Simulator
    from .exchange import Exchange

__all__ = ["EmbedJob"]

_NO_EMBEDDINGS = "This server does not support embeddings. Start it with `--embeddings`"
_TOKEN_CHARACTERS = 4


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
        self._tokens = 0

    def on_runner(self, now: float) -> bool:
        """Do what needs no slot: a mere load, and errors of the model and of lengths."""
        self._obtained = now
        call, response = self._call, self._exchange.response
        if not call.inputs:
            empty = b'{"embedding":[]}' if call.is_legacy else self._body(b"[]")
            response.json(200, empty, now)
            return False
        if not self.model.has("embedding"):
            response.error(500 if call.is_legacy else 501, _NO_EMBEDDINGS, now)
            return False
        size = self.settings.num_ctx
        too_long = [text for text in call.inputs if token_count(text) > size]
        if too_long and call.is_legacy:
            response.error(500, "the input length exceeds the context length", now)
            return False
        if too_long and not call.truncate:
            response.error(400, "the input length exceeds the context length", now)
            return False
        self._texts = [text[: size * _TOKEN_CHARACTERS] for text in call.inputs]
        self._tokens = sum(map(token_count, self._texts))
        return True

    def on_slot(self, now: float) -> None:
        """Take the time that reading the texts takes."""
        self._began = now
        self._simulator.generation_started()
        self._simulator.agenda.call_at(now + self._tokens / self._prefill, self._end)

    def _end(self, now: float) -> None:
        if self.stage is Stage.OVER:
            return
        call, model = self._call, self.model
        vectors = [
            embed(
                text,
                model=model.key,
                size=model.embedding_length,
                dimensions=call.dimensions,
            )
            for text in self._texts
        ]
        usage = self._usage(now, 0, now - self._began, 0)
        self._simulator.generation_ended(self, now)
        if call.is_legacy:
            body = f'{{"embedding":{wide_vector_json(vectors[0])}}}'.encode()
        else:
            shown = Usage(usage.total_ns, usage.load_ns, self._tokens).encoded()
            body = self._body(f"[{','.join(map(vector_json, vectors))}]".encode(), shown)
        self._exchange.response.json(200, body, now)

    def _body(self, vectors: bytes, usage: bytes = b"") -> bytes:
        head = b'{"model":"' + text_bytes(self._call.model)
        return head + b'","embeddings":' + vectors + usage + b"}"
