"""When a request that failed may be tried again.

Where another endpoint is known to work, at once: that cannot make an overload worse. Where none is,
after a pause that grows and is drawn at random, and only while the budget of all requests together
has room; so servers that all fail get little more than the requests themselves. An answer that has
begun needs no budget: to go on with it repeats nothing, and its reader waits in the middle.
"""

from __future__ import annotations

from collections.abc import Callable

import trio

from triollama._config import EngineConfig
from triollama.actors.pool import Pool
from triollama.actors.streams.budget import RetryBudget, backoff_s
from triollama.actors.streams.messages import Call, Terms


class RetryGate:
    """Lets attempts through; see the module.

    Args:
        pool: knows which endpoints work.
        config: how long to wait.
        draw: gives numbers in [0, 1).
    """

    def __init__(self, pool: Pool, config: EngineConfig, draw: Callable[[], float]) -> None:
        self.budget = RetryBudget()
        self._pool = pool
        self._wait_s = config.retry_wait_s
        self._draw = draw

    def count_request(self, now_s: float) -> None:
        """A request was accepted: it adds its share to the budget."""
        self.budget.on_request(now_s)

    async def wait(
        self,
        call: Call,
        terms: Terms,
        lacking: frozenset[str],
        failed_on: str,
        failures: int,
        *,
        has_begun: bool = False,
    ) -> bool:
        """Wait until another attempt may be made.

        If cancelled, nothing was spent.

        Args:
            call: what is to be sent.
            terms: where it may be sent.
            lacking: endpoints that do not have the model.
            failed_on: the endpoint where it has just failed.
            failures: attempts in a row that brought nothing; the pause grows with it.
            has_begun: whether a part of the answer has arrived.

        Returns:
            False if the time is over: no endpoint is known to work, and the budget is spent.
        """
        until_s = min(trio.current_time() + self._wait_s, terms.deadline_s)
        tries = max(failures, 1)
        while not self._is_there(call, terms, lacking, failed_on):
            await trio.sleep(backoff_s(tries, self._draw()))
            failed_on = ""  # after a pause the news of that one counts, too
            if has_begun or self.budget.try_spend(trio.current_time()):
                return True
            if trio.current_time() >= until_s:
                return False
            tries += 1
        return True

    def _is_there(self, call: Call, terms: Terms, lacking: frozenset[str], besides: str) -> bool:
        """Whether an endpoint besides one is known to work."""
        return self._pool.has_standing(
            call.model_key,
            excluded=lacking,
            only=terms.endpoint,
            tags=terms.tags,
            besides=besides,
        )
