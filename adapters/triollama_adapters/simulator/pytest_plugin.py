"""A pytest fixture for applications that talk to Ollama: a server without a model.

It needs no trio in the tests: the simulator runs in a process of its own, started once per session,
and is as new for each test. Nothing but the standard library is imported here, and that only when
the fixture is used, because every test run of every project loads this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

__all__ = ["OllamaSimulator", "ollama_simulator"]

_REQUEST_S = 10.0
"""How long the simulator may take to answer a control request."""
_END_S = 5.0
"""How long its process may take to end."""


class OllamaSimulator:
    """A running simulated Ollama server.

    Attributes:
        url: where it is, such as ``http://127.0.0.1:43210``; fit for ``OLLAMA_HOST``.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def state(self) -> dict[str, Any]:
        """What the server is doing: requests in flight, waiting, finished, aborted, by route."""
        state: dict[str, Any] = self._call("GET", "/_sim/state")
        return state

    def set_faults(self, *rules: dict[str, Any]) -> None:
        """Put rules for faults in force, in place of those before; none clears them.

        Args:
            rules: each as the JSON of a `FaultRule`, such as
                ``{"fault": {"kind": "status", "status": 503}, "nth": [1]}``.

        Raises:
            ValueError: a rule is not right; the message says which and why.
        """
        self._call("POST", "/_sim/faults", list(rules))

    def clear_faults(self) -> None:
        """Put no rule in force."""
        self._call("DELETE", "/_sim/faults")

    def restart(self) -> None:
        """Cut all connections and forget the loaded models."""
        self._call("POST", "/_sim/restart")

    def reset(self) -> None:
        """Be as new: a restart, without rules, and with all counts at zero."""
        self._call("POST", "/_sim/reset")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        import json  # noqa: PLC0415  # see the module's docstring
        import urllib.error  # noqa: PLC0415  # the same
        import urllib.request  # noqa: PLC0415  # the same

        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method=method)  # noqa: S310
        # Without proxies: the address is loopback, whatever the environment says of proxies.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_REQUEST_S) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            with error:
                message = json.loads(error.read()).get("error", "")
            raise ValueError(message) from None


@pytest.fixture(scope="session")
def _ollama_simulator_process() -> Iterator[OllamaSimulator]:
    import json  # noqa: PLC0415  # see the module's docstring
    import subprocess  # noqa: PLC0415  # the same
    import sys  # noqa: PLC0415  # the same

    command = [sys.executable, "-m", "triollama_adapters.simulator", "--fast", "--until-eof"]
    # In a session of its own: a terminal's Ctrl-C must not end it before the tests' cleanup.
    process = subprocess.Popen(  # noqa: S603  # our own module, no input of anyone's
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    try:
        assert process.stdout is not None, "it was asked for"
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("the simulator's process ended at once")
        yield OllamaSimulator(json.loads(line)["url"])
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait(_END_S)
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


@pytest.fixture
def ollama_simulator(_ollama_simulator_process: OllamaSimulator) -> OllamaSimulator:
    """A simulated Ollama server, as new: no model loaded, no faults, all counts at zero."""
    _ollama_simulator_process.reset()
    return _ollama_simulator_process
