"""How many tokens a request may cost, before anybody has counted them."""

from __future__ import annotations

PROMPT_BYTES_PER_TOKEN = 4
"""Bytes of a body for each token of its prompt, where a guess is enough.

English text has 4 to 5 with the vocabularies of current models; the JSON around it makes up for
languages that have fewer.
"""

ANSWER_TOKENS = 512
"""An answer of which nothing is known: a few paragraphs."""


def tokens_guess(body_bytes: int, num_predict: int | None) -> int:
    """How many tokens to reserve for a request, prompt and answer together.

    With a limit for the answer it is an upper bound, ``body_bytes + num_predict``: no token of a
    byte-level vocabulary is shorter than a byte, and the template's own tokens for a message are
    fewer than the bytes of JSON around it. Not covered is what the body does not contain: a system
    prompt that belongs to the model, or a tiny image. Without such a limit it is a guess,
    ``body_bytes / 4 + 512``. Settling puts both right.

    Args:
        body_bytes: size of the encoded request.
        num_predict: the most tokens that the answer may have; None, 0 or less if there is no limit.
    """
    if num_predict is not None and num_predict > 0:
        return body_bytes + num_predict
    return -(-body_bytes // PROMPT_BYTES_PER_TOKEN) + ANSWER_TOKENS
