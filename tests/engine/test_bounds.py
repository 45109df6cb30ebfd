"""What no module may do, found in the syntax trees: queues without a bound, code from data."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import triollama
import triollama_adapters

ROOTS = [Path(triollama.__file__).parent, Path(triollama_adapters.__file__).parent]
MODULES = [path for root in ROOTS for path in sorted(root.rglob("*.py"))]

BOUNDED_ELSEWHERE = {
    # Each deque that has no maxlen, with the name of what bounds it in the same module.
    "actors/streams/inflow.py": "_buffer_bytes_high",
    "actors/supervisor.py": "restarts_max",
    "wire/connection_set.py": "idle_max",
    # One entry per open socket, which `connection_set` bounds.
    "wire/reactor.py": "_by_fd",
    "simulator/memory_wire.py": "_BUFFER_BYTES_HIGH",
    "simulator/wire_faults.py": "_QUEUE_BYTES_HIGH",
    "simulator/transport.py": "wire.read",
    "simulator/connection.py": "_PENDING_MAX",
    "simulator/scheduler.py": "max_queue",
    # The line for a loaded model has no bound in Ollama either; one entry per open connection.
    "simulator/runner.py": "line",
    "batch/input/handoff.py": "waiting_max",
    # The rows of a job's window, for which its reader waits.
    "batch/work/schedule.py": "window",
    "ray/board.py": "rows_max",
    # The looks of some seconds, of which there are four in each.
    "loadtest/measures/busy.py": "BUSY_S",
    # So are the looks at what was sent.
    "loadtest/running/progress.py": "RECENT_S",
    # What one read, or one answer of the worker's, brought; the next is asked for when it is empty.
    "loadtest/running/pipes.py": "READ_BYTES",
    "loadtest/running/ray_links.py": "take.remote",
    "loadtest/running/ray_hand.py": "NEWS_MAX",
    # One outcome for each row that the worker was given, of which its driver gives it a number.
    "ray/worker.py": "_running",
    # What is read ahead: `portal.pump` reads on when there is room.
    "aio/objects.py": "pump.has_room",
    "blocking/objects.py": "pump.has_room",
}
"""A queue that is none of these needs a ``maxlen``, or an entry with its reason."""

PICKLES = {
    # Between processes of one job; all that Ray carries is pickled.
    "ray/packing.py": "pickle",
}

QUEUES = {"Queue", "SimpleQueue", "LifoQueue", "PriorityQueue"}
EVALUATORS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jinja2", "yaml", "code"}
SHELLS = {"system", "popen", "getoutput", "getstatusoutput", "create_subprocess_shell"}


def name_of(node: ast.expr) -> str:
    """The last part of what is called."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    """Every call."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def unbounded(tree: ast.AST) -> list[str]:
    """Queues that are made without a bound."""
    found = []
    for call in calls(tree):
        called = call.func.value if isinstance(call.func, ast.Subscript) else call.func
        name = name_of(called)
        first = call.args[0] if call.args else None
        if name == "open_memory_channel":
            is_endless = isinstance(first, ast.Constant | ast.Attribute) and (
                name_of(first) == "inf" if isinstance(first, ast.Attribute) else False
            )
            if first is None or is_endless:
                found.append(f"line {call.lineno}: {name}")
        elif name == "deque":
            if len(call.args) < 2 and not any(word.arg == "maxlen" for word in call.keywords):
                found.append(f"line {call.lineno}: {name}")
        elif name in QUEUES:
            found.append(f"line {call.lineno}: {name}")
    return found


def code_from_data(tree: ast.AST) -> list[str]:
    """Places where data could become code."""
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        found += [name for name in names if name.partition(".")[0] in FORBIDDEN_MODULES]
    for call in calls(tree):
        name = name_of(call.func)
        is_builtin = isinstance(call.func, ast.Name) and name in EVALUATORS
        has_shell = any(
            word.arg == "shell" and getattr(word.value, "value", True) is not False
            for word in call.keywords
        )
        if is_builtin or has_shell or name in SHELLS:
            found.append(f"line {call.lineno}: {name}")
    return found


def ids(path: Path) -> str:
    """A module's place, for the test's name."""
    return "/".join(
        path.parts[path.parts.index("engine" if "engine" in path.parts else "adapters") :]
    )


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_no_queue_without_a_bound(path: Path) -> None:
    """A channel has a size, a deque a length or a named bound that its module checks."""
    text = path.read_text()
    found = unbounded(ast.parse(text))
    if found and not any("open_memory_channel" in each for each in found):
        bounds = [
            bound for end, bound in BOUNDED_ELSEWHERE.items() if path.as_posix().endswith(end)
        ]
        assert bounds, f"{path.name}: {found}"
        assert text.count(bounds[0]) >= (1 if "." in bounds[0] else 2), bounds
    else:
        assert found == [], path.name


@pytest.mark.parametrize("path", MODULES, ids=ids)
def test_no_code_from_data(path: Path) -> None:
    """No eval, no pickle, no template, no shell."""
    found = code_from_data(ast.parse(path.read_text()))
    allowed = [name for end, name in PICKLES.items() if path.as_posix().endswith(end)]
    assert found == allowed


@pytest.mark.parametrize(
    ("search", "text"),
    [
        (unbounded, "trio.open_memory_channel(math.inf)"),
        (unbounded, "trio.open_memory_channel[int](inf=1)"),
        (unbounded, "trio.open_memory_channel[int](math.inf)"),
        (unbounded, "x = deque()"),
        (unbounded, "x = collections.deque([1])"),
        (unbounded, "queue.Queue()"),
        (code_from_data, "import pickle"),
        (code_from_data, "from marshal import loads"),
        (code_from_data, "eval('1')"),
        (code_from_data, "exec(data)"),
        (code_from_data, "subprocess.run(x, shell=True)"),
        (code_from_data, "subprocess.run(x, shell=flag)"),
        (code_from_data, "os.system(x)"),
    ],
)
def test_the_search_finds(search: Callable[[ast.AST], list[str]], text: str) -> None:
    """Each thing that is looked for would be found."""
    assert search(ast.parse(text))


@pytest.mark.parametrize(
    ("search", "text"),
    [
        (unbounded, "trio.open_memory_channel(16)"),
        (unbounded, "trio.open_memory_channel[int](capacity)"),
        (unbounded, "deque(maxlen=5)"),
        (code_from_data, "re.compile('x')"),
        (code_from_data, "subprocess.run(x, shell=False)"),
    ],
)
def test_the_search_finds_nothing_else(search: Callable[[ast.AST], list[str]], text: str) -> None:
    """What is fine is let pass."""
    assert not search(ast.parse(text))
