"""What the harness asks of one load server and one client, as a value that crosses processes."""

from __future__ import annotations

import attrs
import msgspec

TICK_S = 0.001
"""The load server's grain. What falls due within one tick is sent together, as the slots of one
Ollama server send together after each step of their batch. It matters: a client that wakes for each
chunk alone pays for each waking, and the floor pays least. `TICK_FINEST_S` is the other extreme."""

TICK_FINEST_S = 0.0
"""Each chunk at its own time, as exactly as the kernel's timers allow (about 0.1 ms)."""

MODEL = "llama3.2"
"""The model that every client names; the load server echoes it in each line."""

PROMPT = "Why is the sky blue?"
"""The one question that every client asks."""


@attrs.frozen
class Plan:
    """One run: the load, and how long to look at it.

    Attributes:
        url: The load server's address; filled in by the harness once the server listens.
        streams: Streams to hold open (all tasks but ``requests``).
        interval_s: Time between two chunks of one stream, in seconds; 0 means as fast as its socket
            takes them.
        tick_s: Least time between two turns of the server's loop, in seconds.
        is_stamped: Whether each chunk's text is the time of its sending, in nanoseconds on the
            monotonic clock, which is that of `time.perf_counter_ns` here.
        is_prompt: Whether a stream's first chunk is sent at once, not when its turn comes.
        in_flight: Requests kept in flight (tasks ``requests`` and ``batch``).
        tokens: Tokens of a short answer, each in a line of its own; 0: a single line in all.
        settle_s: From "every stream has its first chunk" to the start of the window, in seconds.
        window_s: Length of the measuring window, in seconds.
        deadline_s: After this the client process is killed, in seconds.
    """

    url: str = ""
    streams: int = 0
    interval_s: float = 0.02
    tick_s: float = TICK_S
    is_stamped: bool = False
    is_prompt: bool = False
    in_flight: int = 0
    tokens: int = 0
    settle_s: float = 0.5
    window_s: float = 3.0
    deadline_s: float = 30.0

    @property
    def port(self) -> int:
        """The port of `url`."""
        return int(self.url.rsplit(":", 1)[1])

    @property
    def due_per_s(self) -> float:
        """Chunks of all streams that are due per second; 0 where no steady load is planned."""
        is_steady = self.interval_s > 0 and not self.is_prompt
        return self.streams / self.interval_s if is_steady else 0.0

    def longer(self, windows: int) -> Plan:
        """Return the same with so many times its window, and as much more time to its deadline."""
        added_s = (windows - 1) * self.window_s
        return attrs.evolve(
            self, window_s=self.window_s + added_s, deadline_s=self.deadline_s + added_s
        )

    def server_options(self) -> list[str]:
        """Return the load server's command line."""
        options = [
            f"--streams={self.streams}",
            f"--interval-s={self.interval_s}",
            f"--tick-s={self.tick_s}",
            f"--tokens={self.tokens}",
        ]
        options += ["--stamped"] if self.is_stamped else []
        options += ["--prompt"] if self.is_prompt else []
        return options

    def encode(self) -> str:
        """Return the plan as one JSON text, for a command line."""
        return msgspec.json.encode(self).decode()

    @classmethod
    def decode(cls, text: str) -> Plan:
        """Return the plan that `encode` wrote.

        Raises:
            msgspec.ValidationError: The text is not a plan.
        """
        return msgspec.json.decode(text, type=cls)
