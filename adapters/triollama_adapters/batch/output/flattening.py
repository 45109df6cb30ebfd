"""Records into rows of a table: names and plain values. No IO.

Our own objects are taken apart by one level, as ``usage.output_tokens``; a record in OpenAI's
format becomes the same fields as a flat one. All else stays what it is.
"""

from __future__ import annotations

import base64
import sys
from array import array
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["flat_record"]

_APART: Final = ("usage", "timings", "vote", "check", "error")
"""Our objects; what they hold has names that are known."""


def flat_record(record: Mapping[str, Any]) -> dict[str, Any]:
    """The row of a record."""
    if "custom_id" in record and "response" in record and "error" in record:
        record = _of_openai(record)
    row: dict[str, Any] = {}
    for name, value in record.items():
        if name in _APART and isinstance(value, dict):
            row |= {f"{name}.{inner}": each for inner, each in value.items()}
        else:
            row[name] = value
    return row


def _of_openai(record: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a flat record, from one in OpenAI's format."""
    known = {"id", "index", "custom_id", "response", "error"}
    response = record["response"] or {}
    body = response.get("body") or {}
    row = {"index": record.get("index"), "custom_id": record["custom_id"]}
    if response:
        row["status_code"] = response.get("status_code")
    row["model"] = body.get("model")
    row |= _choice(body)
    if "data" in body:
        row["embeddings"] = [_vector(each.get("embedding")) for each in body["data"]]
    row["usage"] = body.get("usage")
    row["error"] = record["error"] or body.get("error")
    beside = {name: value for name, value in record.items() if name not in known}
    return {name: value for name, value in row.items() if value is not None} | beside


def _choice(body: Mapping[str, Any]) -> dict[str, Any]:
    choice = next(iter(body.get("choices") or []), None)
    if choice is None:
        return {}
    message = choice.get("message") or {}
    return {
        "content": message.get("content", choice.get("text")),
        "thinking": message.get("reasoning"),
        "tool_calls": message.get("tool_calls"),
        "done_reason": choice.get("finish_reason"),
        "logprobs": choice.get("logprobs"),
    }


def _vector(value: Any) -> Any:
    """A vector that may be in base64, as numbers."""
    if not isinstance(value, str):
        return value
    data = array("f", base64.b64decode(value))
    if sys.byteorder == "big":
        data.byteswap()
    return data.tolist()
