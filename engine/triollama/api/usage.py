"""What an answer cost: tokens and times, as the server's final line gives them."""

from __future__ import annotations

from attrs import frozen

__all__ = ["Usage"]


@frozen
class Usage:
    """Tokens and durations of one answer, or the sum over the attempts that made it.

    Ollama leaves out what is zero, so 0 also stands for "not told".

    Attributes:
        prompt_tokens: tokens of the prompt, cached ones included (``prompt_eval_count``).
        output_tokens: tokens generated (``eval_count``).
        total_ns: from the request's arrival at the server to its last line (``total_duration``).
        load_ns: until the server had a runner: its load queue and the load (``load_duration``).
        prefill_ns: evaluating the prompt (``prompt_eval_duration``).
        decode_ns: generating (``eval_duration``).
        cost: by `EngineConfig.prices` and in their currency; 0 without them.
    """

    prompt_tokens: int = 0
    output_tokens: int = 0
    total_ns: int = 0
    load_ns: int = 0
    prefill_ns: int = 0
    decode_ns: int = 0
    cost: float = 0.0

    @property
    def slot_wait_ns(self) -> int:
        """Time spent waiting for a free slot, in nanoseconds.

        Ollama does not report it; it is what remains of the total after load, prefill and decode
        (``ollama-api.md`` §2.1), never below 0.
        """
        return max(0, self.total_ns - self.load_ns - self.prefill_ns - self.decode_ns)

    def __add__(self, other: Usage) -> Usage:
        """Sum field by field: what several attempts at one answer cost together."""
        if not isinstance(other, Usage):
            return NotImplemented
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            total_ns=self.total_ns + other.total_ns,
            load_ns=self.load_ns + other.load_ns,
            prefill_ns=self.prefill_ns + other.prefill_ns,
            decode_ns=self.decode_ns + other.decode_ns,
            cost=self.cost + other.cost,
        )
