"""The engine's own calls beside the official client: the same is sent, the same comes back."""

from __future__ import annotations

from typing import Any

import ollama
import pytest
import trio
from tests.adapters.compat.ollama.cases import CASES, STREAMED, Case
from tests.adapters.compat.ollama.comparing import normal, stages
from tests.adapters.compat.ollama.conftest import ONCE, ReroutedAsync
from tests.adapters.compat.ollama.differences import expected
from tests.adapters.compat.ollama.natives import ELSEWHERE, NATIVE, OTHERWISE, parts, told
from tests.adapters.compat.ollama.test_coverage import methods

from triollama import Bearer, EndpointConfig, TriollamaError, open_engine

WAYS = [
    pytest.param(case, stream, id=f"{case.name}{'-stream' * stream}")
    for case in CASES
    for stream in ((False, True) if case.method in STREAMED else (False,))
    if case.method not in ELSEWHERE and case.name not in OTHERWISE
]
ORDERS = frozenset({"copy", "create", "delete", "pull", "push"})
"""What ends in nothing but success."""


def test_every_method_is_mapped() -> None:
    """Each method of the official client has a call here, or a reason why not."""
    assert methods(ollama.Client) == set(NATIVE) | set(ELSEWHERE)
    assert not set(NATIVE) & set(ELSEWHERE)
    assert set(OTHERWISE) <= {case.name for case in CASES}


async def ask(pair: Any, case: Case, *, stream: bool) -> Any:
    """A case with the engine."""
    pair.prepare(case)
    is_cloud = case.method.startswith("web_")
    cloud = EndpointConfig("https://ollama.com", auth=Bearer("a-key"))
    transport = ReroutedAsync(pair.url) if is_cloud else None
    server = cloud if is_cloud else pair.url
    try:
        async with open_engine(server, config=ONCE, transport=transport) as engine:
            fields = dict(case.make(ollama, pair.folder))
            if stream:
                return [each.model_dump() for each in await parts(engine, case.method, fields)]
            if case.method in {"chat", "generate"}:
                fields["on_break"] = "raise"
            value = await NATIVE[case.method](engine, fields)
            return value.model_dump() if hasattr(value, "model_dump") else value
    finally:
        if transport is not None:
            await transport.aclose()


@pytest.mark.slow
@pytest.mark.parametrize(("case", "stream"), WAYS)
def test_same(pair: Any, case: Case, stream: bool) -> None:  # noqa: FBT001 - a parameter
    """Bodies are equal as JSON but for what is listed; results field by field; errors by status."""
    theirs = pair.official(case, stream=stream)
    if theirs.error is not None:
        with pytest.raises(TriollamaError) as caught:
            trio.run(lambda: ask(pair, case, stream=stream))
        _, status, text = theirs.error
        assert pair.take() == expected(theirs.sent, status)
        here, reason = told(caught.value)
        assert here == status or {here, status} <= {200, 500, -1}
        assert reason in text
        return
    value = trio.run(lambda: ask(pair, case, stream=stream))
    assert pair.take() == expected(theirs.sent)
    wanted, found = normal(theirs.value), normal(value)
    if case.is_told_otherwise:
        assert len(found) == len(wanted) or stream
    elif stream and case.method in ORDERS:
        assert stages(found) == stages(wanted)
    elif case.method not in ORDERS:
        assert found == wanted
