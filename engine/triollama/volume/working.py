"""The tasks of a run: texts are read, put into batches, and embedded, several batches at a time.

Owns the window of batches. Whatever happens wakes all who wait, and each looks for himself.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import trio

from triollama._errors import OverloadError, ProtocolError, TriollamaError
from triollama.api import EmbedResponse
from triollama.api._problems import refused
from triollama.volume.batches import Batch, Blame, TokenGuess, blame, halves, text_bytes
from triollama.volume.errors import FailedText, TextFailedError
from triollama.volume.progress import Counts, EmbedProgress
from triollama.volume.rules import VolumeRules
from triollama.volume.source import NOTHING, Incoming, Texts

__all__ = ["Ask", "Work"]

OVERLOAD_TRIES_MAX: Final = 8
"""How often a request is made anew when the engine has no room for it."""

OVERLOAD_WAIT_S_MAX: Final = 30.0
"""Before each."""

SERVER_FAILURES_MAX: Final = 16
"""More texts than these in a row that servers failed on, each alone: that is an outage."""


Ask = Callable[[Sequence[str]], Awaitable[EmbedResponse]]
"""Embeds a few texts: one vector per text, in their order."""


class Work:
    """What a run does, apart from its reader.

    Args:
        ask: embeds a few texts.
        endpoints: tells how many endpoints there are.
        texts: what to embed.
        rules: the limits.
        guess: tells how many tokens a text has.
    """

    def __init__(
        self,
        ask: Ask,
        endpoints: Callable[[], int],
        texts: Texts,
        rules: VolumeRules,
        guess: TokenGuess,
    ) -> None:
        self._ask = ask
        self._endpoints = endpoints
        self._texts = texts
        self._rules = rules
        self._guess = guess
        self._changed = trio.lowlevel.ParkingLot()
        self._feeding: trio.CancelScope | None = None
        self._counts = Counts()
        self._failed_in_row = 0
        self._began_s = self._ended_s = math.nan
        self.batches: list[Batch] = []
        """In the order of the texts; the rules' window bounds them."""
        self.is_done = False
        """Nothing more will come."""

    async def run(self) -> None:
        """Do everything; returns when every batch is done."""
        self._began_s = trio.current_time()
        try:
            async with trio.open_nursery() as workers:
                await self._feed(workers)
        finally:
            self._ended_s = trio.current_time()
        self.is_done = True
        self._changed.unpark_all()

    async def wait_change(self) -> None:
        """Wait until something has happened."""
        await self._changed.park()

    def wake(self) -> None:
        """Let whoever waits for a change look again."""
        self._changed.unpark_all()

    def forget_spent(self) -> None:
        """Let go of the first batch, if the reader has all of it."""
        if self.batches and self.batches[0].is_spent:
            del self.batches[0]
            self._changed.unpark_all()

    def progress(self, texts_given: int) -> EmbedProgress:
        """The numbers of this moment."""
        is_over = not math.isnan(self._ended_s)
        elapsed_s = (self._ended_s if is_over else trio.current_time()) - self._began_s
        return EmbedProgress(
            **attrs.asdict(self._counts),
            texts_given=texts_given,
            batches_held=len(self.batches),
            tokens_per_byte=self._guess.tokens_per_byte,
            elapsed_s=0.0 if math.isnan(elapsed_s) else elapsed_s,
        )

    # ---- from texts to batches

    async def _feed(self, workers: trio.Nursery) -> None:
        """Make batches as long as there are texts and no error, each when there is room for it."""
        incoming = Incoming(self._texts)
        async with trio.open_nursery() as reading:
            self._feeding = reading.cancel_scope
            reading.start_soon(incoming.read)
            while (batch := await self._next_batch(incoming)) is not None:
                self.batches.append(batch)
                if batch.texts:
                    self._counts.requests_running += 1
                    workers.start_soon(self._embed, batch)
                self._changed.unpark_all()
                while not self._has_room():
                    await self._changed.park()
            reading.cancel_scope.cancel()

    def _has_room(self) -> bool:
        endpoints = self._endpoints()
        is_free = self._counts.requests_running < self._rules.concurrency(endpoints)
        return is_free and len(self.batches) < self._rules.window(endpoints)

    async def _next_batch(self, incoming: Incoming) -> Batch | None:
        """The next texts together; None after the last one."""
        batch = Batch(self._counts.texts_read)
        first = await incoming.peek(math.inf)
        if first is NOTHING:
            batch.error, incoming.error = incoming.error, None
        elif isinstance(first, str):
            try:
                await self._gather(batch, incoming)
            except Exception as error:  # noqa: BLE001 - the caller's own count of tokens
                batch.texts, batch.error = [], error
        else:
            incoming.drop()
            self._refuse(batch, first)
        self._counts.is_read = first is NOTHING
        batch.is_done = not batch.texts
        return batch if batch.texts or batch.outcomes or batch.error is not None else None

    async def _gather(self, batch: Batch, incoming: Incoming) -> None:
        rules, until_s = self._rules, trio.current_time() + self._rules.linger_s
        while isinstance(text := await incoming.peek(until_s), str):
            tokens = self._guess.tokens(text)
            if not batch.has_room(
                tokens, tokens_max=rules.batch_tokens_max, count_max=rules.batch_count_max
            ):
                return
            batch.add(text, tokens)
            incoming.drop()
            self._counts.texts_read += 1

    def _refuse(self, batch: Batch, text: object) -> None:
        """Something that is no text has no vector."""
        self._counts.texts_read += 1
        error = refused(f"texts[{batch.first}]", type(text).__name__, "a str")
        try:
            self._fail(batch, batch.first, error)
        except TextFailedError as failed:
            batch.error = failed

    # ---- from batches to vectors

    async def _embed(self, batch: Batch) -> None:
        try:
            await self._embed_parts(batch)
        except Exception as error:  # noqa: BLE001 - raised where the run is read, in its place
            batch.error = error
            if self._feeding is not None:
                self._feeding.cancel()
        finally:
            self._counts.requests_running -= 1
        batch.is_done = True
        batch.texts = []
        self._changed.unpark_all()

    async def _embed_parts(self, batch: Batch) -> None:
        """Embed the texts together; where that fails, by halves, down to the one that is to blame.

        Raises:
            TextFailedError: a text has no vector, and the rules say to raise.
            TriollamaError: no text can have one now.
        """
        parts: list[Sequence[str]] = [batch.texts]
        at = batch.first
        while parts:
            texts = parts.pop()
            try:
                response = await self._request(texts)
            except TriollamaError as error:
                whose = blame(error)
                if whose is Blame.RUN:
                    raise
                if len(texts) > 1:
                    self._counts.splits += 1
                    parts += reversed(halves(texts))
                    continue
                self._failed_in_row += whose is Blame.SERVER
                if self._failed_in_row > SERVER_FAILURES_MAX:
                    raise
                self._fail(batch, at, error)
            else:
                self._keep(batch, texts, response)
            at += len(texts)

    async def _request(self, texts: Sequence[str]) -> EmbedResponse:
        """One request; made anew when the engine has no room for it."""
        tries = 1
        while True:
            try:
                response = await self._ask(texts)
                break
            except OverloadError as error:
                if tries >= OVERLOAD_TRIES_MAX:
                    raise
                tries += 1
                await trio.sleep(min(error.retry_after_s, OVERLOAD_WAIT_S_MAX))
            finally:
                self._counts.requests += 1
        if len(response.embeddings) != len(texts):
            raise ProtocolError(
                f"a server gave {len(response.embeddings)} vectors for {len(texts)} texts"
            )
        return response

    def _keep(self, batch: Batch, texts: Sequence[str], response: EmbedResponse) -> None:
        self._failed_in_row = 0
        self._guess.learn(response.prompt_eval_count, sum(map(text_bytes, texts)))
        batch.outcomes += response.embeddings
        self._counts.texts_embedded += len(texts)
        self._counts.tokens += response.prompt_eval_count
        self._changed.unpark_all()

    def _fail(self, batch: Batch, at: int, error: TriollamaError) -> None:
        self._counts.texts_failed += 1
        if self._rules.on_error == "raise":
            raise TextFailedError(at, error) from error
        # Its frames hold the texts of the whole batch.
        batch.outcomes.append(FailedText(at, error.with_traceback(None)))
        self._changed.unpark_all()
