"""Whole programs: how they end, and what Ctrl-C does."""

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from triollama_adapters import blocking

pytestmark = pytest.mark.slow

STALL = {"fault": {"kind": "stall", "after_tokens": 3}}
BEGIN = """
import sys
from triollama_adapters import blocking
config = blocking.EngineConfig(grace_s=30)
"""


def program(source: str, url: str) -> subprocess.Popen[str]:
    """A program that runs."""
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + source, url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(running: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Its exit code and what it wrote; it has 20 s."""
    try:
        out, err = running.communicate(timeout=20)
    finally:
        running.kill()
    return running.returncode, out, err


ENDINGS = {
    "never closed": """
engine = blocking.start_engine(sys.argv[1])
print(engine.version().version)
""",
    "a stream under way": """
engine = blocking.start_engine(sys.argv[1], config=config)
stream = engine.stream_chat("llama3.2", "?").__enter__()
print(next(stream).content)
""",
    "a generator under way": """
engine = blocking.start_engine(sys.argv[1], config=config)
chunks = iter(engine.stream_chat("llama3.2", "?"))
print(next(chunks).content)
""",
    "a block never left": """
opening = blocking.open_engine(sys.argv[1], config=config)
engine = opening.__enter__()
def is_warm(city: str) -> bool:
    return bool(city)
run = engine.run_tools("llama3.2", "?", tools=[is_warm]).__enter__()
print(next(run))
""",
    "a daemon thread that waits": """
import threading
engine = blocking.start_engine(sys.argv[1], config=config)
def ask():
    try:
        engine.chat("llama3.2", "?")
    except blocking.EngineClosedError:
        pass
threading.Thread(target=ask, daemon=True).start()
while not engine.statistics().running:
    pass
print("running")
""",
    "another exception": """
with blocking.open_engine(sys.argv[1], config=config) as engine:
    for chunk in engine.stream_chat("llama3.2", "?"):
        print(chunk.content)
        sys.exit(0)
""",
}


@pytest.mark.parametrize("source", ENDINGS.values(), ids=ENDINGS)
def test_a_program_ends(source: str, ollama_simulator: Any) -> None:
    """However it leaves its engine: at once, with nothing on stderr, and the server is let go."""
    ollama_simulator.set_faults(STALL)
    began_s = time.monotonic()
    code, out, err = ended(program(source, ollama_simulator.url))
    assert (code, err) == (0, "")
    assert out.strip()
    assert time.monotonic() - began_s < 15  # far from the 30 s of its grace
    wait_idle(ollama_simulator)


INTERRUPTED = {
    "a call": 'engine.chat("llama3.2", "?", on_chunk=lambda _: print("chunk", flush=True))',
    "a loop": """
        for chunk in engine.stream_chat("llama3.2", "?"):
            print("chunk", flush=True)""",
    "a block": """
        with engine.stream_chat("llama3.2", "?") as stream:
            next(stream)
            print("chunk", flush=True)
            stream.collect()""",
    "a conversation": """
        with engine.conversation("llama3.2").stream("?") as turn:
            for chunk in turn:
                print("chunk", flush=True)""",
}


@pytest.mark.parametrize("work", INTERRUPTED.values(), ids=INTERRUPTED)
def test_ctrl_c_cancels(work: str, ollama_simulator: Any) -> None:
    """SIGINT while something waits closes its connection before it is raised."""
    ollama_simulator.set_faults(STALL)
    source = f"""
import time
with blocking.open_engine(sys.argv[1], config=config) as engine:
    try:
        {work}
    except KeyboardInterrupt:
        assert engine.statistics().running == 0, engine
        assert engine.statistics().cancelled == 1, engine
        print("interrupted", engine.version().version)
"""
    running = program(source, ollama_simulator.url)
    assert running.stdout is not None
    assert running.stdout.readline() == "chunk\n"
    time.sleep(0.3)  # now it waits, which nothing outside can see
    running.send_signal(signal.SIGINT)
    code, out, err = ended(running)
    assert (code, err) == (0, "")
    assert "interrupted" in out


def test_ctrl_c_ends_a_program(ollama_simulator: Any) -> None:
    """A program that does not catch it ends by it, with one traceback that names its line."""
    ollama_simulator.set_faults(STALL)
    source = """
with blocking.open_engine(sys.argv[1], config=config) as engine:
    print("begins", flush=True)
    engine.chat("llama3.2", "?")
"""
    running = program(source, ollama_simulator.url)
    assert running.stdout is not None
    running.stdout.readline()
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    code, _, err = ended(running)
    assert code == -signal.SIGINT
    assert err.count("Traceback") == 1
    assert err.rstrip().endswith("KeyboardInterrupt")
    assert "Exception ignored" not in err
    wait_idle(ollama_simulator)


def wait_idle(simulator: Any) -> None:
    """Until the server works on nothing, for 10 s at most."""
    for _ in range(500):
        state = simulator.state()
        if not state["in_flight"]:
            return
        time.sleep(0.02)
    raise AssertionError(state)


@contextmanager
def endless_server(sent: list[int]) -> Iterator[str]:
    """A server whose answer has lines of 10 kB for ever; it counts the bytes that it could send."""
    line = b'{"model":"m","created_at":"x","message":{"role":"assistant","content":"%s"}}\n'
    line %= b"x" * 10_000
    chunk = b"%x\r\n%s\r\n" % (len(line), line)

    def serve(connection: socket.socket) -> None:
        with connection:
            if not connection.recv(65_536).startswith(b"POST"):
                connection.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n")
                return
            connection.sendall(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            try:
                while True:
                    connection.sendall(chunk)
                    sent[0] += len(chunk)
            except OSError:
                sent[1] += 1

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def test_a_slow_reader_holds_the_server() -> None:
    """Unread chunks are bounded: the server cannot send on, and goes on when they are read."""
    sent = [0, 0]
    config = blocking.EngineConfig(buffer_bytes_high=65_536)
    with endless_server(sent) as url, blocking.open_engine(url, config=config) as engine:
        with engine.stream_chat("m", "?") as stream:
            next(stream)
            before = -1
            while sent[0] != before:
                before = sent[0]
                time.sleep(0.5)
            # 32 chunks ahead, the engine's buffer, and what the kernel holds for both ends
            assert before < 20_000_000
            for _ in range(before // 10_000 + 200):
                next(stream)
            assert sent[0] > before
    for _ in range(500):
        if sent[1]:
            return
        time.sleep(0.01)
    raise AssertionError("the server was not let go")
