"""Which limit applies to whom, and that there are never too many buckets."""

from __future__ import annotations

import pytest

from triollama._config import RateLimit
from triollama._errors import OverloadError
from triollama.actors.limits import registry as registry_module
from triollama.actors.limits.registry import Registry


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """The buckets of at most three callers, at one request a second each."""
    monkeypatch.setattr(registry_module, "GATES_MAX", 3)
    return Registry("caller", [RateLimit("caller", requests_per_s=1.0)])


def test_the_limit_with_the_very_key_applies_before_the_one_without() -> None:
    """One can be given more, or less, than the others; each has buckets of its own."""
    limits = [
        RateLimit("model", requests_per_s=1.0),
        RateLimit("model", "llama3.2", requests_per_s=5.0),
        RateLimit("caller", "llama3.2", requests_per_s=9.0),
    ]
    registry = Registry("model", limits)
    special, one, other = (registry.find(key, 0.0) for key in ("llama3.2:latest", "a", "b"))
    assert special is not None
    assert one is not None
    assert [special.wait_s(0, 0.0), one.wait_s(0, 0.0)] == [0.0, 0.0]
    special.take(0, 0.0)
    one.take(0, 0.0)
    assert special.ready_s(0, 0.0) == 0.0
    assert one.ready_s(0, 0.0) == 1.0
    assert one is not other
    assert one is registry.find("a", 0.0)
    assert registry.statistics().gates == 3


def test_a_key_without_a_general_limit_leaves_the_others_free() -> None:
    """Only the one that is named is limited."""
    registry = Registry("caller", [RateLimit("caller", "x", requests_per_s=1.0)])
    assert registry.find("x", 0.0) is not None
    assert registry.find("y", 0.0) is None
    assert not registry.is_empty
    assert Registry("model", []).is_empty


def test_the_least_recently_used_is_forgotten_once_it_is_full(three: Registry) -> None:
    """Which changes nothing for it."""
    used = {name: three.find(name, 0.0) for name in "abc"}
    again = three.find("a", 0.0)
    assert again is used["a"]
    assert three.find("d", 0.0) is not None
    assert three.find("a", 0.0) is used["a"]
    assert three.find("b", 0.0) is not used["b"]
    assert three.statistics().gates == 3


def test_one_that_is_not_full_is_kept(three: Registry) -> None:
    """Others are forgotten in its place; if there are none, a newcomer is refused."""
    for name in "abc":
        gate = three.find(name, 0.0)
        assert gate is not None
        if name != "b":
            gate.take(0, 0.0)
    kept = three.find("a", 0.0)
    newcomer = three.find("d", 0.0)
    assert newcomer is not None
    newcomer.take(0, 0.0)
    assert three.find("a", 0.0) is kept
    with pytest.raises(OverloadError, match="caller") as caught:
        three.find("e", 0.25)
    assert caught.value.retry_after_s == 0.75
    assert three.find("e", 1.0) is not None
    assert three.statistics().gates == 3


def test_one_that_somebody_waits_for_is_kept(three: Registry) -> None:
    """Neither what is held nor a line is forgotten, however long ago it was."""
    for name in "abc":
        gate = three.find(name, 0.0)
        assert gate is not None
        gate.hold(0)
    with pytest.raises(OverloadError) as caught:
        three.find("d", 1e6)
    assert caught.value.retry_after_s == registry_module.RETRY_S_MAX


def test_a_long_name_is_shown_in_part() -> None:
    """A caller's name comes from outside."""
    gate = Registry("caller", [RateLimit("caller", requests_per_s=1.0)]).find("x" * 10_000, 0.0)
    assert gate is not None
    assert len(gate.name) < 200
