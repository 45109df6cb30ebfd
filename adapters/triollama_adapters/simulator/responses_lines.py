"""The answers of ``/v1/responses`` (``ollama-api.md`` §7.3).

Owns the order of its events, their numbers, and the object that holds it all at the end.
"""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

from .calls import TextCall
from .translated import sse

__all__ = ["ResponsesTranslator"]

_NUMBERS = 999_999
_Json = dict[str, Any]


class ResponsesTranslator:
    """Writes the events of one answer.

    Args:
        call: the request.
        created_s: when it came, in seconds since 1970.
    """

    def __init__(self, call: TextCall, created_s: int) -> None:
        asked = call.messages[-1].content if call.messages else ""
        self._number = crc32(asked.encode("utf-8", "replace")) % _NUMBERS
        self._call = call
        self._created_s = created_s
        self._sequence = 0
        self._index = 0
        self._item = ""
        self._thought, self._said = "", ""
        self._calls: list[_Json] = []

    def begin(self) -> list[bytes]:
        """Say that the answer is under way."""
        shown = self._response("in_progress", [], {})
        return [
            self._event("response.created", response=shown),
            self._event("response.in_progress", response=shown),
        ]

    def event(self, event: _Json) -> list[bytes]:
        """Write what was thought, said or called; what is said behind a call is dropped."""
        message, pieces = event["message"], []
        if thought := message.get("thinking"):
            pieces += self._open("rs", {"type": "reasoning", "summary": []})
            self._thought += thought
            pieces.append(self._delta("reasoning_summary_text", thought, summary_index=0))
        said = message.get("content")
        if said and not self._calls:
            pieces += self._shut_thinking()
            pieces += self._open_message()
            self._said += said
            pieces.append(self._delta("output_text", said, content_index=0, logprobs=[]))
        for call in message.get("tool_calls", ()):
            pieces += self._shut_thinking() + self._called(call)
        return pieces

    def end(self, event: _Json) -> list[bytes]:
        """Close what is open, and give the whole answer."""
        pieces = self.event(event) + self._shut_thinking()
        if self._item == "msg" and not self._calls:
            pieces += self._shut_message()
        shown = self._response("completed", self._output(), event)
        return [*pieces, self._event("response.completed", response=shown)]

    def whole(self, event: _Json) -> _Json:
        """Write an answer as one object."""
        message = event["message"]
        self._thought, self._said = message.get("thinking", ""), message.get("content", "")
        self._calls = [self._call_item(call) for call in message.get("tool_calls", ())]
        return self._response("completed", self._output(), event)

    # ---- items

    def _open(self, item: str, shown: _Json) -> list[bytes]:
        if self._item == item:
            return []
        self._item = item
        return [self._of_item("response.output_item.added", {"id": self._id(item), **shown})]

    def _open_message(self) -> list[bytes]:
        if self._item == "msg":
            return []
        shown = {"type": "message", "status": "in_progress", "role": "assistant", "content": []}
        part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        pieces = self._open("msg", shown)
        return [*pieces, self._about("response.content_part.added", content_index=0, part=part)]

    def _shut_thinking(self) -> list[bytes]:
        if self._item != "rs":
            return []
        text = self._thought
        done = self._about("response.reasoning_summary_text.done", summary_index=0, text=text)
        pieces = [done, self._of_item("response.output_item.done", self._thinking())]
        self._item, self._index = "", self._index + 1
        return pieces

    def _shut_message(self) -> list[bytes]:
        item = self._message()
        [part] = item["content"]
        text = {"content_index": 0, "text": self._said, "logprobs": []}
        return [
            self._about("response.output_text.done", **text),
            self._about("response.content_part.done", content_index=0, part=part),
            self._of_item("response.output_item.done", item),
        ]

    def _called(self, call: _Json) -> list[bytes]:
        item = self._call_item(call)
        arguments = item["arguments"]
        self._item = "fc"
        self._calls.append(item)
        begun = item | {"arguments": "", "status": "in_progress"}
        ids = {"item_id": item["id"], "output_index": self._index}
        head = "response.function_call_arguments"
        pieces = [
            self._of_item("response.output_item.added", begun),
            self._event(f"{head}.delta", delta=arguments, **ids),
            self._event(f"{head}.done", arguments=arguments, **ids),
            self._of_item("response.output_item.done", item),
        ]
        self._index += 1
        return pieces

    def _output(self) -> list[_Json]:
        thinking = [self._thinking()] if self._thought else []
        if self._calls:
            return thinking + self._calls
        return [*thinking, self._message()]

    def _thinking(self) -> _Json:
        summary = [{"type": "summary_text", "text": self._thought}]
        shown: _Json = {"id": self._id("rs"), "type": "reasoning", "summary": summary}
        return shown | {"encrypted_content": self._thought}

    def _message(self) -> _Json:
        part = {"type": "output_text", "text": self._said, "annotations": [], "logprobs": []}
        shown: _Json = {"id": self._id("msg"), "type": "message", "status": "completed"}
        return shown | {"role": "assistant", "content": [part]}

    def _call_item(self, call: _Json) -> _Json:
        function = call["function"]
        arguments = json.dumps(function["arguments"], ensure_ascii=False, separators=(",", ":"))
        ids = {"id": f"fc_{call['id']}", "type": "function_call", "status": "completed"}
        return ids | {"call_id": call["id"], "name": function["name"], "arguments": arguments}

    def _id(self, item: str) -> str:
        return f"{item}_{self._number}"

    # ---- events

    def _delta(self, what: str, text: str, **more: Any) -> bytes:
        return self._about(f"response.{what}.delta", delta=text, **more)

    def _about(self, kind: str, **data: Any) -> bytes:
        return self._event(kind, item_id=self._id(self._item), output_index=self._index, **data)

    def _of_item(self, kind: str, item: _Json) -> bytes:
        return self._event(kind, output_index=self._index, item=item)

    def _event(self, kind: str, **data: Any) -> bytes:
        self._sequence += 1
        numbered = {"type": kind, "sequence_number": self._sequence - 1, **data}
        return sse(numbered, is_sorted=True)

    def _response(self, status: str, output: list[_Json], event: _Json) -> _Json:
        is_done, options = status == "completed", self._call.options
        return {
            "id": f"resp_{self._number}",
            "object": "response",
            "created_at": self._created_s,
            "completed_at": self._created_s if is_done else None,
            "status": status,
            "incomplete_details": None,
            "model": self._call.model,
            "previous_response_id": None,
            "instructions": None,
            "output": output,
            "error": None,
            "tools": list(self._call.tools),
            "tool_choice": "auto",
            "truncation": "disabled",
            "parallel_tool_calls": True,
            "text": {"format": {"type": "text"}},
            "top_p": options.get("top_p", 1.0),
            "temperature": options.get("temperature", 1.0),
            "usage": _usage(event) if is_done else None,
            "max_output_tokens": options.get("num_predict"),
            "store": False,
            "background": False,
            "service_tier": "default",
            "metadata": {},
        }


def _usage(event: _Json) -> _Json:
    read, written = event.get("prompt_eval_count", 0), event.get("eval_count", 0)
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + written,
    }
