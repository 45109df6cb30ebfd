"""A stage of a Ray Data pipeline that asks the rows of its batches.

```python
answered = ray.data.read_parquet("reviews/").map_batches(
    AskRows,
    fn_constructor_kwargs={
        "endpoints": ["http://gpu-1:11434"], "model": "llama3.2", "prompt": "Summarise: {text}",
    },
    batch_size=256,
    concurrency=2,
)
```

The pipeline keeps what is answered, or asks it again, as it does with any stage; `run_batch_on_ray`
is for jobs in which each row is answered once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import trio

from triollama import EmbedResponse, EndpointConfig, EngineConfig, open_engine
from triollama_adapters.batch.errors import ChoiceError
from triollama_adapters.batch.fields import UnusableError
from triollama_adapters.batch.input.plan import Format
from triollama_adapters.batch.input.requests import asked, choose_requests
from triollama_adapters.batch.output.records import kind_of
from triollama_adapters.batch.recipe import Recipe
from triollama_adapters.batch.rows import Ask, Kind, RowError
from triollama_adapters.batch.work.asking import Asked, Asker
from triollama_adapters.batch.work.terms import check_tries
from triollama_adapters.ray.fleet import Endpoint
from triollama_adapters.ray.loop_thread import LoopThread

__all__ = ["AskRows"]

OUTPUT: Final = ("content", "embedding", "input_tokens", "output_tokens", "error")
"""Columns that a stage writes; ``embedding`` in the place of ``content`` where it embeds."""

ROWS_MAX: Final = 512
"""Rows that one actor asks at a time, unless told otherwise."""


class AskRows:
    """Asks each row of a batch. To be given to ``map_batches``: each actor has an engine.

    A batch is a mapping of columns, as Ray Data's default format is; the columns ``content`` (or
    ``embedding``), ``input_tokens``, ``output_tokens`` and ``error`` are added. A row that failed
    has no content, and an ``error`` that says why; one that was answered has none.

    Args:
        endpoints: the servers; none: those of each machine's environment.
        model: the model that is asked.
        prompt: what is asked, such as ``"Summarise: {text}"``.
        field: the column that is asked as it is; excludes `prompt`.
        system: the system message.
        kind: which method of the engine is called.
        options: Ollama's options.
        think: whether the model is to think.
        tries: how often a row is asked before it has failed.
        rows_max: rows asked at a time.
        config: clocks and limits of the engine.

    Raises:
        ChoiceError: a value means nothing.
        ConfigError: an address is not usable.
    """

    def __init__(
        self,
        *,
        model: str,
        endpoints: Iterable[Endpoint] = (),
        prompt: str | None = None,
        field: str | None = None,
        system: str | None = None,
        kind: Kind = "chat",
        options: Mapping[str, Any] | None = None,
        think: bool | None = None,
        tries: int = 5,
        rows_max: int = ROWS_MAX,
        config: EngineConfig | None = None,
    ) -> None:
        check_tries(tries)
        recipe = Recipe(
            input="-",
            model=model,
            prompt=prompt,
            field=field,
            system=system,
            kind=kind,
            options=options or {},
            think=think,
        )
        self._plan = recipe.wanted().plan
        self._answer = "embedding" if kind == "embed" else "content"
        self._room = trio.CapacityLimiter(rows_max)
        self._loop = LoopThread("triollama-stage")
        servers = [
            each
            if isinstance(each, EndpointConfig)
            else EndpointConfig(each, max_in_flight=rows_max)
            for each in endpoints
        ]
        self._asker: Asker = self._loop.call(lambda: self._open(servers, config, tries))

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Ask the rows of a batch; the batch with the answers.

        Raises:
            ChoiceError: it has a column of the stage's own names.
            FleetDownError: nobody has answered for half an hour.
        """
        taken = sorted(set(OUTPUT) & set(batch))
        if taken:
            raise ChoiceError(
                f"the batch has a column {taken[0]!r}, which this stage writes; rename it before"
            )
        names = list(batch)
        rows = [
            {name: _raw(value) for name, value in zip(names, values, strict=True)}
            for values in zip(*batch.values(), strict=True)
        ]
        outcomes = self._loop.call(lambda: self._ask_all(rows))
        return {**batch, **self._columns(outcomes)}

    def close(self) -> None:
        """Close the engine; a worker of Ray that ends does so without."""
        self._loop.close()

    # ---- inside

    def _columns(self, outcomes: Sequence[Asked]) -> dict[str, list[Any]]:
        contents: list[Any] = []
        errors: list[str | None] = []
        tokens_in: list[int] = []
        tokens_out: list[int] = []
        for each in outcomes:
            answer = each.answer
            if isinstance(answer, EmbedResponse):
                contents.append(list(answer.embeddings[0]) if answer.embeddings else None)
            else:
                contents.append(answer.content if answer is not None else None)
            usage = answer.usage if answer is not None else None
            tokens_in.append(usage.prompt_tokens if usage is not None else 0)
            tokens_out.append(getattr(usage, "output_tokens", 0))
            errors.append(": ".join(kind_of(each.error)) if each.error is not None else None)
        return {
            self._answer: contents,
            "input_tokens": tokens_in,
            "output_tokens": tokens_out,
            "error": errors,
        }

    async def _open(
        self, servers: list[EndpointConfig], config: EngineConfig | None, tries: int
    ) -> Asker:
        askers: list[Asker] = []
        failures: list[Exception] = []
        is_open = trio.Event()

        async def hold() -> None:
            try:
                async with open_engine(*servers, config=config) as engine:
                    askers.append(Asker(engine, tries_max=tries))
                    is_open.set()
                    await trio.sleep_forever()
            except Exception as error:
                if askers:
                    raise
                failures.append(error)
                is_open.set()

        self._loop.begin(hold)
        await is_open.wait()
        if failures:
            raise failures[0]
        return askers[0]

    async def _ask_all(self, rows: Sequence[Mapping[str, msgspec.Raw]]) -> list[Asked]:
        outcomes: dict[int, Asked] = {}
        failures: list[Exception] = []
        async with trio.open_nursery() as nursery:

            async def ask(place: int, request: Ask) -> None:
                try:
                    async with self._room:
                        outcomes[place] = await self._asker.ask(request)
                except Exception as error:  # noqa: BLE001 - raised to who waits, not in the loop
                    failures.append(error)
                    nursery.cancel_scope.cancel()

            for place, fields in enumerate(rows):
                request = self._request(place, fields)
                if isinstance(request, RowError):
                    outcomes[place] = Asked(None, request, None, 0)
                else:
                    nursery.start_soon(ask, place, request)
        if failures:
            raise failures[0]
        return [outcomes[place] for place in range(len(rows))]

    def _request(self, place: int, fields: Mapping[str, msgspec.Raw]) -> Ask | RowError:
        try:
            return asked(choose_requests(Format.PLAIN, self._plan, fields), fields)
        except UnusableError as unusable:
            return RowError(unusable.kind, f"row {place + 1} of the batch {unusable.what}")


def _raw(value: Any) -> msgspec.Raw:
    """A value of a column, NumPy's included, as JSON."""
    if isinstance(value, str):
        value = str(value)
    elif hasattr(value, "tolist"):
        value = value.tolist()
    return msgspec.Raw(msgspec.json.encode(value, enc_hook=str))
