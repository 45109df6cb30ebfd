"""``--header`` and ``--api-key-env``: every command shows them, and nothing else does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from tests.adapters.cli.key_proxy import KEY, KeyProxy, open_key_proxy

from triollama import AccessDeniedError, ConfigError, SignInRequiredError
from triollama_adapters.cli._access import Access, header_name
from triollama_adapters.cli._batch_ray import _with_credentials
from triollama_adapters.cli._batch_use import Use, use_of
from triollama_adapters.cli._failures import EXIT_UNREACHABLE, CliError, by_options, explain
from triollama_adapters.cli._fleet import FleetWanted
from triollama_adapters.ray.fleet import RayFleet

WRONG = "wr0ng-9876543210"
WITH_KEY = ("--api-key-env", "GPU_KEY")
WITH_WRONG = ("--api-key-env", "OLD_KEY")

COMMANDS = {
    "run": ("run", "in.jsonl", "-m", "llama3.2", "-o", "out.jsonl"),
    "batch": ("batch", "in.jsonl", "-m", "llama3.2", "-o", "out.jsonl"),
    "batch dry": ("batch", "in.jsonl", "-m", "llama3.2", "-o", "out.jsonl", "--dry-run"),
    "chat": ("chat", "llama3.2"),
    "status": ("status",),
    "list": ("list",),
    "ps": ("ps",),
    "show": ("show", "llama3.2"),
    "stop": ("stop", "llama3.2"),
    "copy": ("copy", "llama3.2", "mine"),
    "delete": ("delete", "mine"),
    "pull": ("pull", "tinyllama"),
    "push": ("push", "me/mine"),
    "create": ("create", "other", "--from", "llama3.2"),
    "load": ("load", "-c", "1", "-d", "200ms", "--warm-up", "0s", "-m", "llama3.2"),
    "load by the pool": (
        *("load", "-c", "1", "-d", "200ms", "--warm-up", "0s", "-m", "llama3.2"),
        *("--routing", "engine"),
    ),
    "load of /v1": (
        *("load", "-c", "1", "-d", "200ms", "--warm-up", "0s", "-m", "llama3.2"),
        *("--api", "openai"),
    ),
}

REFUSALS_MAX = 8
"""Of one command: the probes and one question, and perhaps the version; no storm."""


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that hold the keys."""
    monkeypatch.setenv("GPU_KEY", f"{KEY}\n")
    monkeypatch.setenv("OLD_KEY", WRONG)
    monkeypatch.delenv("OLLAMA_API_KEY", raising=False)


@pytest.fixture
def proxy(ollama_simulator: Any) -> Iterator[KeyProxy]:
    """A server that wants the key."""
    with open_key_proxy(ollama_simulator.url) as proxy:
        yield proxy


@pytest.fixture
def in_file(write_lines: Callable[..., Path]) -> Path:
    """A row to ask."""
    return write_lines({"question": "Why?"})


def credentials_of(*header: str, api_key_env: str | None = None) -> Any:
    """What is made of options."""
    return Access(header=header, api_key_env=api_key_env).credentials()


# ---- every command


@pytest.mark.slow
@pytest.mark.usefixtures("in_file")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_wrong_key_is_one_clear_message(
    run: Any, proxy: KeyProxy, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """With its exit code and without a storm; the key is not told, though the server does."""
    done = run(*command, *proxy.at, *WITH_WRONG)
    told = done.stdout + done.stderr
    assert done.returncode == EXIT_UNREACHABLE, told
    assert told.count("answered 401: no such key: ") == 1
    assert "is not accepted" in told or command[0] == "status"
    assert "Traceback" not in told
    assert WRONG not in told
    assert 0 < proxy.refused <= REFUSALS_MAX
    assert not any(WRONG.encode() in each.read_bytes() for each in tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.usefixtures("in_file")
@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_the_key_gets_everywhere_and_is_left_nowhere(
    run: Any, proxy: KeyProxy, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Each request has it; what is printed and written has not."""
    if command[0] == "delete":
        run("copy", "llama3.2", "mine", *proxy.at, *WITH_KEY)
    if command[0] == "push":
        run("copy", "llama3.2", "me/mine", *proxy.at, *WITH_KEY)
    done = run(*command, *proxy.at, *WITH_KEY, stdin="Why?\n")
    assert done.returncode == 0, done.stderr
    assert proxy.asked
    assert proxy.refused == 0
    assert KEY not in done.stdout + done.stderr
    assert not any(KEY.encode() in each.read_bytes() for each in tmp_path.iterdir())


@pytest.mark.slow
def test_any_header_and_the_default_server(
    run: Any, proxy: KeyProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As curl writes it, or with an equals sign; also to whom ``OLLAMA_HOST`` names."""
    proxy.wants = ("x-api-key", KEY)
    assert run("list", *proxy.at, "--header", f"X-Api-Key: {KEY}").returncode == 0
    assert run("list", *proxy.at, f"--header=X-Api-Key={KEY}", "--header", "A: b").returncode == 0
    assert proxy.asked[-1][1]["a"] == "b"
    monkeypatch.setenv("OLLAMA_HOST", proxy.url)
    assert run("list", "--header", f"X-Api-Key: {KEY}").returncode == 0
    assert proxy.refused == 0
    assert run("list").returncode == EXIT_UNREACHABLE


@pytest.mark.slow
def test_what_to_do_is_told_in_options(run: Any, proxy: KeyProxy) -> None:
    """Not in code."""
    for command in (("list",), ("show", "llama3.2"), ("chat",), ("load", "-c", "1", "-m", "m")):
        told = run(*command, *proxy.at).stderr
        assert "no credentials were sent: give --api-key-env NAME, or --header" in told
        assert "EndpointConfig" not in told


@pytest.mark.slow
def test_one_of_two_servers_refuses(
    run: Any, proxy: KeyProxy, ollama_simulator: Any, write_lines: Callable[..., Path]
) -> None:
    """The other one does all the work, and who refuses is told in a line."""
    write_lines(*[{"question": f"Why {each}?"} for each in range(8)])
    both = (*proxy.at, "--endpoint", ollama_simulator.url)
    done = run("list", *both)
    assert done.returncode == 0
    assert done.stderr.startswith("warning: 127.0.0.1")
    assert "give --api-key-env NAME" in done.stderr
    proxy.asked.clear()
    asked = run("run", "in.jsonl", *both, "-m", "llama3.2", "-o", "out.jsonl")
    assert asked.returncode == 0, asked.stderr
    assert len(proxy.asked) <= REFUSALS_MAX
    assert "/api/chat" not in {path for path, _ in proxy.asked}
    status = run("status", *both, "--json")
    assert status.returncode == 0
    assert [each["health"] for each in json.loads(status.stdout)["endpoints"]] == [
        "no access",
        "well",
    ]


# ---- what results hold


@pytest.mark.slow
def test_a_load_of_several_processes(
    run: Any, proxy: KeyProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The key is in no command of a process, sample, result, report, or command to repeat."""
    commands: list[Any] = []
    open_process = trio.lowlevel.open_process

    async def opened(command: Any, **settings: Any) -> trio.Process:
        commands.append((command, settings.get("env")))
        process: trio.Process = await open_process(command, **settings)
        return process

    monkeypatch.setattr(trio.lowlevel, "open_process", opened)
    done = run(
        *("load", "-c", "2", "-d", "300ms", "--warm-up", "0s", "-m", "llama3.2"),
        *("--processes", "2", "--samples", "rows.jsonl", "--json", "load.json"),
        *("--report", "load.html"),
        *(*proxy.at, *WITH_KEY, "--header", f"X-Other: {KEY}"),
    )
    assert done.returncode == 0, done.stderr
    assert proxy.refused == 0
    assert len(commands) >= 2
    assert KEY not in repr(commands)
    assert KEY not in done.stdout + done.stderr
    kept = {each.name: each.read_text() for each in tmp_path.iterdir()}
    assert {"rows.jsonl", "load.json", "load.html"} <= kept.keys()
    assert not [name for name, text in kept.items() if KEY in text]
    assert "--api-key-env GPU_KEY --header 'X-Other: ...'" in kept["load.html"].replace(
        "&#x27;", "'"
    ).replace("\\u0027", "'").replace("&#39;", "'")


# ---- a batch that goes on


@pytest.mark.slow
def test_a_resume_reads_the_same_variable(
    run: Any, proxy: KeyProxy, write_lines: Any, read_records: Any, tmp_path: Path
) -> None:
    """The journal has its name; a header is nowhere, and has to be given again."""
    write_lines(*[{"question": str(each)} for each in range(3)])
    command = ("batch", "in.jsonl", "-m", "llama3.2", *proxy.at)
    assert run(*command, "-o", "out.jsonl", "--limit", "1", *WITH_KEY).returncode == 0
    assert run("batch", "resume", "out.jsonl", "--limit", "0").returncode == 0
    assert len(read_records()) == 3
    assert proxy.refused == 0

    header = ("--header", f"Authorization: Bearer {KEY}")
    assert run(*command, "-o", "two.jsonl", "--limit", "1", *header).returncode == 0
    done = run("batch", "resume", "two.jsonl", "--limit", "0")
    assert done.returncode == EXIT_UNREACHABLE
    assert "no credentials were sent" in done.stderr
    assert run("batch", "resume", "two.jsonl", "--limit", "0", *header).returncode == 0
    again = (*command, "-o", "two.jsonl", "--go-on")
    assert run(*again, *header).returncode == 0
    assert not any(KEY.encode() in each.read_bytes() for each in tmp_path.iterdir())


def test_what_a_batch_remembers() -> None:
    """The variable's name, for the servers that it was for; never a header."""
    given = Use(
        endpoint=("http://a:1",), access=Access(header=(f"X: {KEY}",), api_key_env="GPU_KEY")
    )
    notes = given.notes()
    assert notes["api_key_env"] == "GPU_KEY"
    assert KEY not in repr(notes) + repr(given)
    assert use_of(notes).access == Access(api_key_env="GPU_KEY")
    assert use_of({}).access == Access()

    again = Use(concurrency=3).after(notes)
    assert again.access.api_key_env == "GPU_KEY"
    now = Use(access=Access(header=("Y: z",))).after(notes)
    assert now.access == Access(header=("Y: z",), api_key_env="GPU_KEY")
    for moved in (Use(endpoint=("http://b:1",)), Use(simulate=1), Use(pin=("n=http://b:1",))):
        assert moved.after(notes).access.api_key_env is None
    moved = Use(endpoint=("http://b:1",), access=Access(api_key_env="B_KEY")).after(notes)
    assert moved.access.api_key_env == "B_KEY"


def test_workers_of_ray_get_it() -> None:
    """In each server's configuration, of all machines and of one; it needs a server to go to."""
    shown = credentials_of("X: y", api_key_env="GPU_KEY")
    wanted = FleetWanted(credentials=shown, concurrency=7)
    fleet = RayFleet(
        address="local", endpoints=("http://a:1",), pins={"gpu-1": ("http://b:1", "http://c:1")}
    )
    given = _with_credentials(fleet, wanted)
    servers: list[Any] = [*given.endpoints, *given.pins["gpu-1"]]
    assert [each.url for each in servers] == ["http://a:1", "http://b:1", "http://c:1"]
    assert {each.auth.header() for each in servers} == {f"Bearer {KEY}"}
    assert {(each.headers["X"], each.max_in_flight) for each in servers} == {("y", 7)}
    assert KEY not in repr(given)
    assert _with_credentials(fleet, FleetWanted()) is fleet
    with pytest.raises(CliError, match="by --endpoint or --pin"):
        _with_credentials(RayFleet(address="local"), wanted)


# ---- the options


@pytest.mark.parametrize(
    ("header", "name", "value"),
    [
        ("X-Api-Key: k1", "X-Api-Key", "k1"),
        ("X-Api-Key:k1", "X-Api-Key", "k1"),
        ("X-Api-Key=k1", "X-Api-Key", "k1"),
        ("X: a=b:c", "X", "a=b:c"),
        ("X=a:b=c", "X", "a:b=c"),
        ("Authorization: Basic YTpi==", "Authorization", "Basic YTpi=="),
    ],
)
def test_a_header(header: str, name: str, value: str) -> None:
    """The first colon or equals sign ends its name, which can have neither."""
    assert credentials_of(header).as_headers() == {name: value}
    assert header_name(header) == name


@pytest.mark.parametrize(
    ("access", "told"),
    [
        (Access(header=(KEY,)), r"--header takes 'NAME: VALUE'"),
        (Access(header=(f": {KEY}",)), r"--header takes 'NAME: VALUE'"),
        (Access(header=(f"{KEY}:",)), r"--header takes 'NAME: VALUE'"),
        (Access(header=(f"X: {KEY}", f"x={KEY}")), "--header gives x twice"),
        (
            Access(header=(f"authorization: {KEY}",), api_key_env="GPU_KEY"),
            "exclude each other; give one of them",
        ),
        (Access(api_key_env="NOT_THERE"), "--api-key-env: NOT_THERE is not in the environment"),
        (Access(api_key_env="BLANK_KEY"), "--api-key-env: BLANK_KEY is empty"),
        (Access(api_key_env="SPACED_KEY"), "--api-key-env: SPACED_KEY: a bearer key must be"),
        (Access(api_key_env="WORDY_KEY"), "--api-key-env: WORDY_KEY: .* without the word Bearer"),
        (Access(api_key_env=KEY), "takes the name of an environment variable"),
        (Access(api_key_env="s3cret"), "--api-key-env: the variable it names is not in"),
        (Access(api_key_env=""), "takes the name of an environment variable"),
    ],
)
def test_what_cannot_be_used(access: Access, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told without the value, also where a key was given for its name."""
    monkeypatch.setenv("BLANK_KEY", " \n")
    monkeypatch.setenv("SPACED_KEY", "s3cret s3cret")
    monkeypatch.setenv("WORDY_KEY", f"Bearer {KEY}")
    with pytest.raises(CliError, match=told) as caught:
        access.credentials()
    assert "s3cret" not in str(caught.value)


def test_a_header_that_is_none() -> None:
    """As the engine refuses it."""
    for header in (f"Host: {KEY}", f"A B: {KEY}", f"X: {KEY}\n{KEY}"):
        with pytest.raises(ConfigError) as caught:
            credentials_of(header)
        assert KEY not in str(caught.value)


def test_no_text_shows_them() -> None:
    """Neither of the options nor of what they come to."""
    access = Access(header=(f"X: {KEY}",), api_key_env="GPU_KEY")
    shown = access.credentials()
    texts = [repr(access), repr(shown), repr(shown.endpoints(["http://a:1"]))]
    texts.append(repr(FleetWanted(credentials=shown)))
    assert KEY not in "".join(texts)


@pytest.mark.parametrize(
    "command",
    [
        *(("run",), ("batch",), ("batch", "resume"), ("batch", "retry-failed"), ("chat",)),
        *(("status",), ("list",), ("ps",), ("show",), ("stop",), ("copy",), ("delete",)),
        *(("pull",), ("push",), ("create",), ("load",), ("load", "sweep"), ("load", "capacity")),
        *(("load", "ab"), ("load", "policies"), ("load", "discover")),
    ],
    ids=" ".join,
)
def test_the_help_has_both_options(
    command: tuple[str, ...], run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And no default of theirs."""
    monkeypatch.setenv("GPU_KEY", KEY)
    told = run(*command, "--help").stdout
    assert told.count("--header STR") == 1
    assert told.count("--api-key-env STR") == 1
    assert KEY not in told


def test_the_words_of_a_refusal() -> None:
    """What the engine says to who writes code is said in options; a server's own words stay."""
    cloud = "it needs a key: set OLLAMA_API_KEY, or give EndpointConfig(…, auth=Bearer(key))"
    assert by_options(cloud).startswith("it needs a key: set OLLAMA_API_KEY, or give --api-key-env")
    assert by_options("a: refused") == "a: refused"
    denied = AccessDeniedError("no", status=401, endpoint="a:1")
    assert explain(denied) == ("a:1 answered 401: no", EXIT_UNREACHABLE)
    assert explain(SignInRequiredError("no", endpoint="a:1"))[1] != EXIT_UNREACHABLE
