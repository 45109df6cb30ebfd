"""The official client and this one, side by side: the same is sent, the same comes back."""

from __future__ import annotations

from typing import Any

import pytest
from tests.adapters.compat.ollama.cases import CASES, STREAMED, Case
from tests.adapters.compat.ollama.differences import expected

pytestmark = pytest.mark.slow

CLOCKED = frozenset(
    {"created_at", "total_duration", "load_duration", "prompt_eval_duration", "eval_duration"}
    | {"modified_at", "expires_at"}
)
"""What is never twice the same."""

WAYS = [
    pytest.param(case, stream, is_async, id=f"{case.name}{'-stream' * stream}-{way}")
    for case in CASES
    for stream in ((False, True) if case.method in STREAMED else (False,))
    for is_async, way in ((False, "blocking"), (True, "async"))
]


def normal(value: Any) -> Any:
    """The same without times; that there are some is kept."""
    if isinstance(value, dict):
        return {
            name: "some" if name in CLOCKED and each is not None else normal(each)
            for name, each in value.items()
        }
    return [normal(each) for each in value] if isinstance(value, list | tuple) else value


def stages(parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Progress without how often it was told: the last word on each layer."""
    last = {(part["status"], part["digest"]): part for part in parts}
    return list(last.values())


@pytest.mark.parametrize(("case", "stream", "is_async"), WAYS)
def test_same(pair: Any, case: Case, stream: bool, is_async: bool) -> None:  # noqa: FBT001
    """Bodies are equal as JSON but for what is listed; results and errors field by field."""
    theirs = pair.official(case, stream=stream, is_async=is_async)
    ours = pair.ours(case, stream=stream, is_async=is_async)
    status = theirs.error[1] if theirs.error else 0
    assert ours.sent == expected(theirs.sent, status)
    assert (theirs.error is not None) == case.is_error
    assert ours.error == theirs.error
    values = [normal(theirs.value), normal(ours.value)]
    if stream and case.method in {"pull", "push", "create"} and not case.is_error:
        values = [stages(value) for value in values]
    if case.is_told_otherwise:
        values = [sorted(value[-1] if stream else value) for value in values]
    assert values[1] == values[0]
