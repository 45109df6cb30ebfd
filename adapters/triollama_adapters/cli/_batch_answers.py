"""The options of ``triollama batch`` that say what becomes of each answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import attrs
import msgspec
from cyclopts import Parameter
from cyclopts.validators import Number

from triollama_adapters.batch.fields import listed
from triollama_adapters.batch.output.columns import ALL_COLUMNS, properties_of
from triollama_adapters.batch.work.checking import RETRIES
from triollama_adapters.batch.work.voting import VOTES_MAX
from triollama_adapters.cli._failures import CliError
from triollama_adapters.cli._options import split_names

__all__ = ["AS_THEY_COME", "Answers"]

ANY_JSON: Final = "json"
SCHEMA_BYTES_MAX: Final = 1 << 20
"""A schema is sent with every row."""


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Answers:
    """What becomes of each answer before it counts.

    Attributes:
        answer_format: json, or a file with a JSON schema that answers follow.
        columns: Keys of answers that are JSON objects, separated by commas, that become fields of
            the records; '*' for all of the schema's. An answer that is none is an error.
        check: A function, as MODULE:FUNCTION, that takes each answer or not: it gives True, False,
            or a text, with which the model is asked again.
        check_retries: How often an answer is asked for again.
        vote: Ask for so many answers to each row at most, and keep what most of them agree with.
        vote_key: By what answers agree: text, number (the last one), a field of an answer that is
            JSON, a path such as '$.result[0]', or MODULE:FUNCTION. Default: text.
    """

    answer_format: str | None = None
    columns: str | None = None
    check: str | None = None
    check_retries: Annotated[int, Parameter(validator=Number(gte=0, lte=100))] = RETRIES
    vote: Annotated[int, Parameter(validator=Number(gte=1, lte=VOTES_MAX))] = 1
    vote_key: str | None = None

    def settings(self) -> dict[str, Any]:
        """The same for a recipe, with the schema itself.

        Raises:
            CliError: there is no schema, or a column is none of its properties.
        """
        columns = split_names(self.columns) if self.columns is not None else []
        answer_format = _format(self.answer_format)
        _check_columns(columns, answer_format)
        return {**attrs.asdict(self), "answer_format": answer_format, "columns": columns}


AS_THEY_COME: Final = Answers()


def _check_columns(columns: Sequence[str], answer_format: object) -> None:
    """See that a schema has the columns: a key that it does not have is in no answer."""
    properties = properties_of(answer_format)
    for name in columns if properties else ():
        if name not in properties and name not in ("", ALL_COLUMNS):
            raise CliError(
                f"--columns names {name!r}, which is no property of the schema; "
                f"it has: {listed(properties)}"
            )


def _format(given: str | None) -> str | Mapping[str, Any] | None:
    """What answers follow: a schema is read now, so that a resume does not need its file."""
    if given is None or given == ANY_JSON:
        return given
    path = Path(given)
    try:
        if path.stat().st_size > SCHEMA_BYTES_MAX:
            raise CliError(f"--answer-format {path} is longer than {SCHEMA_BYTES_MAX:,} bytes")
        schema = msgspec.json.decode(path.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CliError(
            f"--answer-format takes json or a file with a JSON schema; cannot read {path}: {reason}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CliError(f"--answer-format {path} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise CliError(f"--answer-format {path} is JSON, but no schema: it must be an object")
    return schema
