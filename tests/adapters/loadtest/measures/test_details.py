"""What errors said."""

import random

from triollama_adapters.loadtest.measures.details import DETAILS_MAX, Details


def test_the_most_frequent_comes_first() -> None:
    """By class; nothing said is nothing told."""
    details = Details()
    for key, text in (("lost", "b"), ("lost", "a"), ("lost", "a"), ("client", "x"), ("lost", "")):
        details.add(key, text)
    assert details.counts == {"client": {"x": 1}, "lost": {"a": 2, "b": 1}}
    assert list(details.counts["lost"]) == ["a", "b"]


def test_too_many_texts_are_cut_to_the_same_ones_in_any_order() -> None:
    """With whole counts, however they were spread over processes."""
    texts = [f"no route to {number}" for number in range(100) for _ in range(number % 5 + 1)]
    found = []
    for seed in range(5):
        random.Random(seed).shuffle(texts)
        parts = [Details() for _ in range(3)]
        for index, text in enumerate(texts):
            parts[index % 3].add("connect", text)
        whole = Details()
        for part in parts:
            whole.merge(Details(part.counts))
        found.append(whole.counts)
    assert all(each == found[0] for each in found)
    assert len(found[0]["connect"]) == DETAILS_MAX
    assert all(
        count == int(text.split()[-1]) % 5 + 1 for text, count in found[0]["connect"].items()
    )


def test_a_long_text_is_cut() -> None:
    """It may be a page of a proxy."""
    details = Details()
    details.add("http_5xx", "x" * 100_000)
    assert [len(text) for text in details.counts["http_5xx"]] == [200]
