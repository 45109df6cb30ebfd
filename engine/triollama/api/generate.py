"""``POST /api/generate``: the request, its events, and the whole answer.

The path of an event is `decode_generate_chunk`, then `GenerateFold.add`: both are kept flat,
because they run once per token of every stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from attrs import field, frozen

from triollama._errors import InvalidRequestError, Problem

from ._chunk import Chunk, DebugInfo, Logprob, check_calls, decode_unusual, unknown_fields
from ._fields import (
    check_flag,
    check_text,
    check_top_logprobs,
    format_field,
    keep_alive_field,
    model_field,
    think_field,
    token_ids,
)
from ._fold import PARTS_MAX, Fold
from ._json import DECODE_ERRORS, counted, encode_body, veiled
from ._problems import all_problems, refused
from .images import ImageInput, encode_images, load_images, noting
from .messages import ToolCall
from .options import options_to_json, runner_options
from .usage import Usage

__all__ = [
    "GenerateChunk",
    "GenerateFold",
    "GenerateRequest",
    "GenerateResponse",
    "decode_generate_chunk",
]


_NOT_RAW = ("template", "system", "context")


def _raw_beside_others() -> InvalidRequestError:
    told = "raw does not go together with template, system or context"
    return refused("raw", "True", "left out beside template, system and context", told)


@frozen(kw_only=True)
class GenerateRequest:
    """A completion, checked when made. None leaves a field to the model and the server.

    Attributes:
        model: the model's name.
        prompt: the prompt; empty only loads the model.
        suffix: the text after the place to fill; needs a model that can insert.
        system: in place of the model's system prompt.
        template: in place of the model's template (Go's syntax).
        context: token ids of an earlier answer's `GenerateResponse.context`; deprecated by Ollama.
        raw: send the prompt to the model without a template.
        images: any sequence of `ImageInput`.
        format: ``"json"`` or a JSON schema.
        options: sampling and runner options.
        keep_alive: how long the model stays loaded: seconds, a Go duration, or a timedelta.
        think: a boolean or ``"low"``, ``"medium"``, ``"high"``, ``"max"``.
        truncate: cut a prompt that is longer than the context (the server's default: true).
        shift: drop old tokens when the context is full; another value reloads the model.
        logprobs: give the log probability of each token.
        top_logprobs: alternatives per token, 0 to 20; needs ``logprobs``.
        debug_render_only: only render the prompt; the answer has `GenerateResponse.debug_info`.

    Raises:
        InvalidRequestError: a field has the wrong type or value, or ``raw`` stands beside
            ``template``, ``system`` or ``context``; the message shows no content.
    """

    model: str = field(converter=model_field)
    prompt: str | None = field(default=None, validator=check_text, repr=veiled)
    suffix: str | None = field(default=None, validator=check_text, repr=veiled)
    system: str | None = field(default=None, validator=check_text, repr=veiled)
    template: str | None = field(default=None, validator=check_text, repr=veiled)
    context: tuple[int, ...] | None = field(default=None, converter=token_ids, repr=False)
    raw: bool | None = field(default=None, validator=check_flag)
    images: tuple[str, ...] | None = field(default=None, converter=encode_images, repr=False)
    format: str | dict[str, Any] | None = field(default=None, converter=format_field, repr=False)
    options: dict[str, Any] | None = field(default=None, converter=options_to_json)
    keep_alive: float | str | None = field(default=None, converter=keep_alive_field)
    think: bool | str | None = field(default=None, converter=think_field)
    truncate: bool | None = field(default=None, validator=check_flag)
    shift: bool | None = field(default=None, validator=check_flag)
    logprobs: bool | None = field(default=None, validator=check_flag)
    top_logprobs: int | None = field(default=None, validator=check_top_logprobs)
    debug_render_only: bool | None = field(default=None, validator=check_flag)

    path = "/api/generate"

    def __attrs_post_init__(self) -> None:
        if self.raw and (self.template or self.system or self.context):
            raise _raw_beside_others()

    @staticmethod
    def check_together(given: Mapping[str, object]) -> None:
        """Look at fields beside each other; what each is by itself is checked elsewhere.

        Args:
            given: the fields by name.

        Raises:
            InvalidRequestError: ``raw`` stands beside what it leaves out.
        """
        if given.get("raw") and any(given.get(name) for name in _NOT_RAW):
            raise _raw_beside_others()

    @classmethod
    def make(
        cls,
        model: str,
        prompt: str | None,
        *,
        images: Sequence[ImageInput] | None = None,
        **fields: Any,
    ) -> GenerateRequest:
        """Make a request, reading images that are given as paths.

        Blocks while it reads: from async code call it in a thread if `images_need_files` says so.
        The constructor itself is pure, and refuses paths.

        Args:
            model: the model's name.
            prompt: the prompt.
            images: bytes, base64 texts or paths.
            fields: the other attributes, by name.

        Raises:
            InvalidRequestError: see the class; also an image file that cannot be read.
        """
        try:
            return cls(model=model, prompt=prompt, images=load_images(images), **fields)
        except InvalidRequestError as first:
            noted: list[Problem] = []
            loaded = load_images(images, noting(noted))
            given = {"model": model, "prompt": prompt, "images": loaded, **fields}
            raise all_problems(cls, given, first, noted) from None

    @property
    def runner_options(self) -> tuple[tuple[str, int | bool], ...]:
        """What forces a server to reload the model if it differs, as a hashable value."""
        return runner_options(self.options, shift=self.shift)

    def body(self, *, stream: bool = True) -> bytes:
        """Encode the request's body; what is unset is left out.

        Raises:
            InvalidRequestError: a text cannot be encoded, or the body is too large.
        """
        return encode_body(
            {
                "model": self.model,
                "prompt": self.prompt,
                "suffix": self.suffix,
                "system": self.system,
                "template": self.template,
                "context": self.context,
                "stream": stream,
                "raw": self.raw,
                "format": self.format,
                "keep_alive": self.keep_alive,
                "images": self.images,
                "options": self.options,
                "think": self.think,
                "truncate": self.truncate,
                "shift": self.shift,
                "logprobs": self.logprobs,
                "top_logprobs": self.top_logprobs,
                "_debug_render_only": self.debug_render_only,
            }
        )


class GenerateChunk(Chunk, frozen=True, gc=False):
    """One event of a completion.

    Attributes:
        content: the text that this event adds, ``response`` on the wire; often empty.
        thinking: the thinking that this event adds.
        tool_calls: the whole calls that this event adds; only some models, with the last event.
        context: token ids of prompt and answer, with the last event.
    """

    content: str = msgspec.field(name="response", default="")
    thinking: str | None = None
    tool_calls: tuple[ToolCall, ...] = ()
    context: tuple[int, ...] | None = None

    def __repr__(self) -> str:
        return (
            f"GenerateChunk(model={self.model!r}, content={veiled(self.content)}, "
            f"done={self.done}, arrived_ns={self.arrived_ns})"
        )

    @property
    def response(self) -> str:
        """`content`, by its name on the wire."""
        return self.content

    def with_parts(
        self, content: str, thinking: str | None, tool_calls: tuple[ToolCall, ...]
    ) -> GenerateChunk:
        """The same event with other contents, and without logprobs, which belong to its own."""
        return msgspec.structs.replace(
            self, content=content, thinking=thinking, tool_calls=tool_calls, logprobs=()
        )

    @property
    def extra(self) -> dict[str, Any]:
        """Fields of the line that this library does not know. Decoded at each reading."""
        return unknown_fields(GenerateChunk, self.line)


@frozen(kw_only=True)
class GenerateResponse:
    """A whole completion.

    Attributes:
        model: the name as the request had it.
        created_at: the server's time of the last event, RFC 3339.
        content: the whole text, ``response`` on the wire.
        thinking: the whole thinking; None if there was none.
        tool_calls: all tool calls.
        done: false if this is only what had arrived when it was asked for.
        done_reason: ``stop``, ``length``, ``load`` or ``unload``; None if not done.
        context: token ids of prompt and answer; None for a raw prompt.
        usage: tokens and durations; all 0 if not done.
        logprobs: of all tokens, if they were asked for.
        remote_model: the model behind a stub.
        remote_host: where it runs.
        debug_info: the rendered prompt, if it was asked for.
        line: the line of the last event.
    """

    model: str = ""
    created_at: str = ""
    content: str = field(default="", repr=veiled)
    thinking: str | None = field(default=None, repr=veiled)
    tool_calls: tuple[ToolCall, ...] = ()
    done: bool = False
    done_reason: str | None = None
    context: tuple[int, ...] | None = field(default=None, repr=False)
    usage: Usage = field(factory=Usage)
    logprobs: tuple[Logprob, ...] = field(default=(), repr=counted)
    remote_model: str | None = None
    remote_host: str | None = None
    debug_info: DebugInfo | None = None
    line: bytes = field(default=b"", repr=counted, eq=False)

    @property
    def response(self) -> str:
        """`content`, by its name on the wire."""
        return self.content

    @property
    def extra(self) -> dict[str, Any]:
        """Fields of the last line that this library does not know; decoded at each reading.

        Raises:
            ProtocolError: such a field cannot be decoded.
        """
        return GenerateChunk(line=self.line).extra


class GenerateFold(Fold[GenerateChunk]):
    """Folds the events of one completion into its answer."""

    __slots__ = ()

    def add(self, chunk: GenerateChunk) -> None:
        """Add one event. The last one may carry content as well."""
        parts = self._parts
        parts.append(chunk.content)
        if len(parts) == PARTS_MAX:
            self._gather()
        if chunk.done or self._first is None:
            self._mark(chunk)
        if chunk.thinking is not None or chunk.tool_calls or chunk.logprobs:
            self._add_rare(chunk.thinking, chunk.tool_calls, chunk.logprobs)

    def result(self, *, usage: Usage | None = None) -> GenerateResponse:
        """Give the answer as far as it has arrived; more may be added afterwards.

        Args:
            usage: in place of the last event's, where several attempts made the answer.
        """
        last = self._last or self._begun()
        return GenerateResponse(
            model=last.model,
            created_at=last.created_at,
            content=self.text,
            thinking=self.thinking,
            tool_calls=self.tool_calls,
            done=last.done,
            done_reason=last.done_reason,
            context=last.context,
            usage=usage or last.usage or Usage(),
            logprobs=tuple(self._logprobs),
            remote_model=last.remote_model,
            remote_host=last.remote_host,
            debug_info=last.debug_info,
            line=last.line,
        )

    def _begun(self) -> GenerateChunk:
        """The first event, for what is told of an answer that is not whole."""
        first = self._first
        return (
            decode_generate_chunk(first, 0)
            if isinstance(first, bytes)
            else first or GenerateChunk()
        )


_decode = msgspec.json.Decoder(GenerateChunk).decode
_stamp = msgspec.structs.force_setattr


def decode_generate_chunk(line: bytes, arrived_ns: int) -> GenerateChunk:
    """Read one event of a completion, or a whole answer that was not streamed.

    An error line gives a chunk with ``error`` set.

    Args:
        line: one JSON object.
        arrived_ns: when it was received, on the clock of `time.perf_counter_ns`.

    Raises:
        ProtocolError: it is not JSON, or a field has the wrong type; the message has positions and
            types, and nothing of the line.
    """
    try:
        chunk = _decode(line)
    except DECODE_ERRORS as error:
        chunk = decode_unusual(GenerateChunk, line, error, "a generate line")
    if chunk.tool_calls:
        check_calls(chunk.tool_calls, "a generate line")
    _stamp(chunk, "arrived_ns", arrived_ns)
    _stamp(chunk, "line", line)
    return chunk
