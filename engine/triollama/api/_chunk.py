"""What chat and generate chunks share: the final metrics, log probabilities, unknown fields.

A chunk is decoded from its line straight into a frozen msgspec struct: an attrs class costs ten
times as much there. Two of its values are not on the wire and are stamped after decoding: when the
line arrived, and the line itself.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from triollama._errors import ProtocolError

from ._json import DECODE_ERRORS, is_too_deep, protocol_error
from .messages import ToolCall
from .usage import Usage

__all__ = ["Chunk", "DebugInfo", "Logprob", "check_calls", "decode_unusual", "unknown_fields"]

C = TypeVar("C", bound="Chunk")


class Logprob(msgspec.Struct, frozen=True, gc=False):
    """How likely one token was.

    Attributes:
        token: its text.
        logprob: the natural logarithm of its probability.
        bytes: its UTF-8 bytes; None where the server gives none.
        top_logprobs: the likeliest tokens at its place, as many as were asked for.
    """

    token: str = ""
    logprob: float = 0.0
    bytes: tuple[int, ...] | None = None
    top_logprobs: tuple[Logprob, ...] = ()


class DebugInfo(msgspec.Struct, frozen=True, gc=False):
    """What ``_debug_render_only`` asks for: the prompt as the model would get it.

    Attributes:
        rendered_template: the prompt after templating.
        image_count: how many images go with it.
    """

    rendered_template: str = ""
    image_count: int = 0

    def __repr__(self) -> str:
        return f"DebugInfo(<{len(self.rendered_template)} long>, image_count={self.image_count})"


class Chunk(msgspec.Struct, frozen=True, gc=False):
    """One event of a stream: the fields that chat and generate have in common.

    Durations are in nanoseconds; they and the counts come with the last event only, and are left
    out by the server when they are zero.

    Attributes:
        model: the name as the request had it.
        created_at: the server's time of this event, RFC 3339.
        done: whether this is the last event.
        done_reason: ``stop``, ``length``, ``load`` or ``unload``, with the last event.
        error: why the server gave up; such a line has nothing else, and no event follows it.
        logprobs: of the tokens of this event.
        arrived_ns: when its bytes were received, on the clock of `time.perf_counter_ns`.
    """

    model: str = ""
    created_at: str = ""
    done: bool = False
    done_reason: str | None = None
    error: str | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None
    logprobs: tuple[Logprob, ...] = ()
    remote_model: str | None = None
    remote_host: str | None = None
    debug_info: DebugInfo | None = msgspec.field(name="_debug_info", default=None)
    # Whatever a server sends under these names is overwritten by the stamps; the names are odd so
    # that none does by chance.
    arrived_ns: int = msgspec.field(name="<arrived_ns>", default=0)
    line: bytes = msgspec.field(name="<line>", default=b"")

    @property
    def usage(self) -> Usage | None:
        """Tokens and durations; None before the last event."""
        if not self.done:
            return None
        told = (
            self.prompt_eval_count or 0,
            self.eval_count or 0,
            self.total_duration or 0,
            self.load_duration or 0,
            self.prompt_eval_duration or 0,
            self.eval_duration or 0,
        )
        return Usage(*told) if min(told) >= 0 else Usage(*[max(0, each) for each in told])


def unknown_fields(
    kind: type[msgspec.Struct], line: bytes, **nested: type[msgspec.Struct]
) -> dict[str, Any]:
    """The fields of a line that its class does not know, decoded now.

    Args:
        kind: the struct that the line was decoded into.
        line: the whole line; empty for a chunk that was not decoded from one.
        nested: fields that are objects of their own, whose unknown fields count as well.

    Raises:
        ProtocolError: such a field is nested so deeply that it cannot be decoded.
    """
    if not line:
        return {}
    try:
        fields = msgspec.json.decode(line)
    except DECODE_ERRORS as error:
        raise protocol_error("an unknown field", error) from None
    extra = _without(fields, kind)
    for name, inner in nested.items():
        if unknown := _without(fields.get(name) or {}, inner):
            extra[name] = unknown
    return extra


def _without(fields: dict[str, Any], kind: type[msgspec.Struct]) -> dict[str, Any]:
    """The fields that a struct does not have; the two stamps are no fields of the wire."""
    known = kind.__struct_encode_fields__
    return {k: v for k, v in fields.items() if k not in known or k.startswith("<")}


def check_calls(calls: tuple[ToolCall, ...], what: str) -> None:
    """Refuse tool arguments that are nested too deeply.

    Raises:
        ProtocolError: deeper than `JSON_DEPTH_MAX`.
    """
    if any(is_too_deep(call.function.arguments) for call in calls):
        raise ProtocolError(f"{what} has tool arguments that are nested too deeply")


def decode_unusual(kind: type[C], line: bytes, error: Exception, what: str) -> C:
    """Read a line that the fast decoder refused, if all that is wrong with it is a null.

    Ollama leaves unset fields out; some servers that imitate it send null instead.

    Raises:
        ProtocolError: it is not JSON, or a field has the wrong type.
    """
    if isinstance(error, msgspec.ValidationError):
        try:
            return msgspec.convert(_without_nulls(msgspec.json.decode(line)), kind)
        except DECODE_ERRORS as second:
            error = second
    raise protocol_error(what, error) from None


def _without_nulls(value: object) -> object:
    """Drop null fields of a line and of its message; in tool arguments a null has a meaning."""
    if not isinstance(value, dict):
        return value
    kept = {name: item for name, item in value.items() if item is not None}
    if isinstance(message := kept.get("message"), dict):
        kept["message"] = {name: item for name, item in message.items() if item is not None}
    return kept
