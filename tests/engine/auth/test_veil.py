"""Secrets are taken out of errors, whatever they stand in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from triollama import EndpointError, ServerFailedError
from triollama.auth.veil import SECRET_CHARS_MIN, hide_in, secret_parts

SECRETS = st.lists(st.text("abc-/+=", min_size=SECRET_CHARS_MIN, max_size=12), max_size=4)
TEXTS = st.text("abc -/+=", max_size=40)


@given(SECRETS, TEXTS, TEXTS, st.data())
def test_nothing_of_them_is_left(
    secrets: list[str], before: str, after: str, data: st.DataObject
) -> None:
    """In the text, the attributes and the cause; secrets within secrets, and one cut at the end."""
    secret = data.draw(st.sampled_from(secrets)) if secrets else "----"
    cut = secret[: data.draw(st.integers(SECRET_CHARS_MIN, len(secret)))]
    error = ServerFailedError(before + secret + after, status=500, endpoint="a")
    error.__cause__ = OSError(f"{secret} {cut}")
    hide_in(error, secrets)
    for each in secrets:
        assert each not in str(error) + repr(error) + repr(vars(error)) + repr(error.__cause__)
    assert not secrets or not str(error.__cause__.args[0]).endswith(cut)


def test_other_texts_stay_as_they_are() -> None:
    """Short secrets cannot be told from words; so can the short values of headers."""
    error = EndpointError("a true answer for gpu-1", endpoint="gpu-1")
    hide_in(error, ("a", "gpu"))
    hide_in(error, secret_parts({"X-On": "true", "X-Node": "gpu-1"}))
    assert str(error) == "gpu-1: a true answer for gpu-1"
    assert secret_parts({"Cookie": "sid=0123456789; x=1"}) == ("sid=0123456789; x=1", "0123456789")


def test_a_ring_of_causes_has_an_end() -> None:
    """Two errors may name each other."""
    one, two = EndpointError("key-1234"), EndpointError("key-1234")
    one.__cause__, two.__context__ = two, one
    hide_in(one, ("key-1234",))
    assert (str(one), str(two)) == ("***", "***")
