"""The official client and this one, side by side: the same is sent, the same comes back."""

from __future__ import annotations

from typing import Any

import pytest
from tests.adapters.compat.ollama.cases import CASES, STREAMED, Case
from tests.adapters.compat.ollama.comparing import normal, stages
from tests.adapters.compat.ollama.differences import expected

pytestmark = pytest.mark.slow

WAYS = [
    pytest.param(case, stream, is_async, id=f"{case.name}{'-stream' * stream}-{way}")
    for case in CASES
    for stream in ((False, True) if case.method in STREAMED else (False,))
    for is_async, way in ((False, "blocking"), (True, "async"))
]


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
