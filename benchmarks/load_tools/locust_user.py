"""A locust user that reads a streamed chat; locust itself knows of whole responses only.

Run by locust in its own environment, hence it imports nothing of ours.
"""

from __future__ import annotations

import time
from itertools import count, pairwise

import gevent
from locust import FastHttpUser, events, task
from locust.argument_parser import LocustArgumentParser

URL = "/v1/chat/completions"
IDLE_S = 0.05


@events.init_command_line_parser.add_listener
def _add_requests(parser: LocustArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=100)


class Reader(FastHttpUser):
    """Asks, reads, asks again; its times go to locust's statistics as entries of their own."""

    asked, answered = count(), 0

    @task
    def ask(self) -> None:
        """One request, unless all are asked."""
        wanted = self.environment.parsed_options.requests
        number = next(Reader.asked)
        if number < wanted:
            self._read(number)
            Reader.answered += 1
        elif Reader.answered >= wanted:
            self.environment.runner.quit()
        else:
            gevent.sleep(IDLE_S)

    def _read(self, number: int) -> None:
        words = f"Question {number}: why is the sky of a planet blue, and not of another hue?"
        message = {"role": "user", "content": words}
        body = {"model": "llama3.2", "stream": True, "messages": [message]}
        began_s = time.perf_counter()
        lines = self.client.iter_lines(URL, method="POST", json=body)
        arrived_s = [time.perf_counter() for line in lines if '"content"' in line]
        ended_s = time.perf_counter()
        self._note("ttft", arrived_s[0] - began_s)
        self._note("e2e", ended_s - began_s)
        self._note("tpot", (arrived_s[-1] - arrived_s[0]) / (len(arrived_s) - 1))
        for earlier_s, later_s in pairwise(arrived_s):
            self._note("icl", later_s - earlier_s)

    def _note(self, name: str, seconds: float) -> None:
        self.environment.events.request.fire(
            request_type="measured",
            name=name,
            response_time=seconds * 1e3,
            response_length=0,
            exception=None,
            context={},
        )
