"""A server that does nothing: the floor of this machine, as far as the load tester goes.

It answers every request at once, with an answer that was made beforehand, in a process of its own;
so what a run against it reaches is what the client can do here. `measure_floor` is that run.

The process owns its sockets and ends when its standard input does, so that it outlives nobody.
``python -m triollama_adapters.loadtest.running.null_server TOKENS`` writes its address as a line.
"""

from __future__ import annotations

import selectors
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import msgspec
import trio

from triollama_adapters.loadtest.errors import LoadTestError
from triollama_adapters.loadtest.plan import Api, ClosedLoop, Plan
from triollama_adapters.loadtest.running.run import run_load
from triollama_adapters.loadtest.targets.facts import Facts
from triollama_adapters.loadtest.workload.scenario import Scenario, Workload

__all__ = ["answer_of", "measure_floor", "open_null_server"]

USERS: Final = 64
"""Of the closed loop of a process: enough that it never waits for one of them."""

WARM_UP_S: Final = 0.5
DURATION_S: Final = 2.0

TOKENS: Final = 16
"""Of an answer whose length the plan leaves to the model."""

TOKENS_MAX: Final = 2_048

READY_S: Final = 10.0
KILL_S: Final = 5.0
READ_BYTES: Final = 65_536
LINE_BYTES_MAX: Final = 200


async def measure_floor(plan: Plan) -> float:
    """How many requests such as a plan's this client can do in a second, waiting for no server.

    Takes about 3 s, and all of the plan's processes.

    Args:
        plan: whose prompts, answers, route and processes count.

    Raises:
        LoadTestError: the server cannot be started.
    """
    first = plan.workload.scenarios[0]
    tokens = min(first.answers.tokens or TOKENS, TOKENS_MAX)
    async with open_null_server(tokens) as url:
        target = msgspec.structs.replace(plan.target, endpoints=(url,), routing="even", headers={})
        result = await run_load(
            msgspec.structs.replace(
                plan,
                target=target,
                workload=Workload((_plain(first),)),
                shape=ClosedLoop(USERS * plan.processes),
                duration_s=DURATION_S,
                warm_up_s=WARM_UP_S,
                drain_s=1.0,
                objectives=(),
                keep_samples=False,
            ),
            facts=Facts(),
        )
    return result.rates.completed


def _plain(scenario: Scenario) -> Scenario:
    return msgspec.structs.replace(scenario, turns=1, think_s=0.0, cancels=0.0, weight=1.0)


@asynccontextmanager
async def open_null_server(tokens: int = TOKENS) -> AsyncIterator[str]:
    """A null server in a process of its own, for the time of a block; gives its address.

    Args:
        tokens: of each answer; as many chunks.

    Raises:
        LoadTestError: it cannot be started.
    """
    command = (sys.executable, "-m", __name__, str(tokens))
    process = await trio.lowlevel.open_process(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    assert process.stdout is not None, "it was asked for"
    try:
        said = b""
        with trio.move_on_after(READY_S):
            while not said.endswith(b"\n") and len(said) < LINE_BYTES_MAX:
                data = await process.stdout.receive_some(LINE_BYTES_MAX)
                if not data:
                    break
                said += data
        if not said.endswith(b"\n"):
            raise LoadTestError("the null server could not be started; is the loopback usable?")
        yield said.decode().strip()
    finally:
        process.kill()
        with trio.move_on_after(KILL_S, shield=True):
            await process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    await stream.aclose()


# ---- in its own process


def answer_of(api: Api, tokens: int) -> bytes:
    """A whole response, as one piece of bytes."""
    if api == "embed":
        document = {"embeddings": [[1.0, 0.0]], "prompt_eval_count": 1, "total_duration": 1_000}
        return _response(b"application/json", [msgspec.json.encode(document)])
    if api == "openai":
        chunk = {"choices": [{"index": 0, "delta": {"content": " word"}}]}
        used = {"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": tokens}}
        events = [msgspec.json.encode(each) for each in (*[chunk] * tokens, used)]
        lines = [b"data: %s\n\n" % each for each in (*events, b"[DONE]")]
        return _response(b"text/event-stream", lines)
    said: dict[str, object] = {"message": {"role": "assistant", "content": " word"}}
    words = said if api == "chat" else {"response": " word"}
    end = {
        "done": True,
        "done_reason": "stop",
        "total_duration": 4_000,
        "load_duration": 1_000,
        "prompt_eval_count": 1,
        "prompt_eval_duration": 1_000,
        "eval_count": tokens,
        "eval_duration": 1_000,
    }
    told = [*[words | {"model": "null", "done": False}] * tokens, {"model": "null"} | end]
    return _response(b"application/x-ndjson", [msgspec.json.encode(each) + b"\n" for each in told])


def _response(kind: bytes, pieces: list[bytes]) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % kind
    return head + b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in pieces) + b"0\r\n\r\n"


class _Server:
    """All connections, in one thread."""

    def __init__(self, tokens: int) -> None:
        self._answers = {
            b"POST /api/chat": answer_of("chat", tokens),
            b"POST /api/generate": answer_of("generate", tokens),
            b"POST /api/embed": answer_of("embed", tokens),
            b"POST /v1/chat/completions": answer_of("openai", tokens),
        }
        self._other = _response(b"application/json", [b'{"version":"null","models":[]}'])
        self._held: dict[socket.socket, bytes] = {}
        self._selector = selectors.DefaultSelector()

    def run(self) -> None:
        """Serve until standard input ends."""
        with socket.create_server(("127.0.0.1", 0), backlog=4_096) as listener:
            listener.setblocking(False)  # noqa: FBT003 - the library's own
            self._selector.register(listener, selectors.EVENT_READ)
            self._selector.register(sys.stdin, selectors.EVENT_READ)
            sys.stdout.write(f"http://127.0.0.1:{listener.getsockname()[1]}\n")
            sys.stdout.flush()
            while self._serve(listener):
                pass

    def _serve(self, listener: socket.socket) -> bool:
        """Do what there is to do; whether standard input is still open."""
        for key, _ in self._selector.select():
            if key.fileobj is listener:
                self._accept(listener)
            elif isinstance(key.fileobj, socket.socket):
                self._read(key.fileobj)
            else:
                return False
        return True

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            opened, _ = listener.accept()
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._held[opened] = b""
            self._selector.register(opened, selectors.EVENT_READ)

    def _read(self, opened: socket.socket) -> None:
        try:
            data = opened.recv(READ_BYTES)
            held = self._held[opened] + data
            answer, self._held[opened] = self._answer(held)
            if answer:
                opened.sendall(answer)
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(opened)
            del self._held[opened]
            opened.close()

    def _answer(self, held: bytes) -> tuple[bytes, bytes]:
        """What a whole request gets; and what is held until the rest of one comes."""
        head, blank, body = held.partition(b"\r\n\r\n")
        if not blank:
            return b"", held
        _, _, length = head.lower().partition(b"content-length:")
        wanted = int(length.partition(b"\r\n")[0]) if length else 0
        if len(body) < wanted:
            return b"", held
        return self._answers.get(head.partition(b" HTTP/")[0], self._other), body[wanted:]


if __name__ == "__main__":
    _Server(int(sys.argv[1])).run()
