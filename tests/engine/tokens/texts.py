"""Texts to count the tokens of: what people and programs write, and what nobody would."""

from __future__ import annotations

import json
import random
import unicodedata
from pathlib import Path

QUESTIONS = Path(__file__).parents[4] / "shared" / "data" / "gsm8k_test.jsonl"
"""Real prompts, where they are; elsewhere the texts do without."""

_SCRIPTS = (
    (0x20, 0x7F),
    (0xA0, 0x250),
    (0x370, 0x400),
    (0x400, 0x530),
    (0x590, 0x5FF),
    (0x600, 0x700),
    (0x900, 0x980),
    (0xE00, 0xE80),
    (0x1100, 0x1200),
    (0x1E00, 0x2000),
    (0x2000, 0x2070),
    (0x2190, 0x2300),
    (0x3000, 0x3100),
    (0x4E00, 0x5000),
    (0xAC00, 0xAD00),
    (0xFE30, 0xFE50),
    (0xFF00, 0xFF60),
    (0x10400, 0x10450),
    (0x1F300, 0x1F650),
)
_ODD = (" ", "  ", "   ", "\n", "\n\n", "\n\n\n", "\r\n", "\t", "\t\t", " \n ", "\x0b", "\x85")
_ODD += ("\u00a0", "\u2003", "\u3000", "\u200b", "\u200d", "\ufeff", "\0", "\x1c", "~", " ~", "~~")
_ODD += ("'s", "'S", "'ll", "'LL", "'re", "'x", "don't", "I'VE", "\u2019s", "'", "''", "`", "|")
_ODD += ("1", "12", "123", "1234", "12345", "0.5", "\u00bd", "\u0663\u0664", "\u2167", "3,000,000")
_ODD += ("e\u0301", "\u0301", "\u0928\u093f", "\u05e9\u05c1", "\U0001f468\u200d\U0001f469")
_ODD += (
    "CamelCaseWord",
    "HTTPServer",
    "snake_case",
    "\u00c9cole",
    "\u00e9COLE",
    "\u0130\u0131\u00df",
)
_ODD += (
    "\u4f60\u597d",
    "\u3053\u3093",
    "\uc548\ub155",
    "\u2581",
    "\u2581\u2581",
    "//",
    "/\n",
    "$",
    "+=",
)
_CODE = (
    "def f(x: int) -> str:\n    return f'{x:>10}'\n\n\n",
    'if (a && b || !c) {\n\t\tfoo(bar[0], "baz\\n");\n\t}\n',
    "SELECT * FROM t WHERE id = 12345 AND name LIKE '%x%';\n",
    '{"a": [1, 2.50, -3e10, null], "b": {"c": true}}',
    '<div class="x">&nbsp;</div><!-- ok -->',
    "https://example.org/a/b?c=d&e=%20#f",
)


def questions(count: int) -> list[str]:
    """The first real prompts; fewer where there are none."""
    if not QUESTIONS.exists():
        return []
    with QUESTIONS.open() as lines:
        rows = [json.loads(line) for line, _ in zip(lines, range(count), strict=False)]
    return [f"{row['question']}\n{row['answer']}" for row in rows]


def texts(count: int, *, seed: int, special: tuple[str, ...] = ()) -> list[str]:
    """Make texts.

    Args:
        count: how many.
        seed: the same gives the same.
        special: the names of special tokens, to be strewn in.
    """
    draw = random.Random(seed)
    real = questions(count // 5)
    made = [_made(draw, special) for _ in range(count - len(real))]
    return ["", " ", *special, *real, *made][:count]


def words(seed: int, count: int) -> list[str]:
    """Words of many scripts, so that a vocabulary may have learned some."""
    draw = random.Random(seed)
    return ["".join(_script(draw, draw.randint(1, 5))) for _ in range(count)]


def _made(draw: random.Random, special: tuple[str, ...]) -> str:
    parts = []
    for _ in range(draw.randint(1, 12)):
        kind = draw.random()
        if kind < 0.3:
            parts.append("".join(_script(draw, draw.randint(1, 8))))
        elif kind < 0.55:
            parts.append(draw.choice(_ODD) * draw.choice((1, 1, 1, 2, 3, 5)))
        elif kind < 0.65:
            parts.append(draw.choice(_CODE))
        elif kind < 0.7:
            parts.append("".join(_any(draw) for _ in range(draw.randint(1, 6))))
        elif kind < 0.78 and special:
            name = draw.choice(special)
            parts.append(draw.choice((name, name[:-1], name[1:], f" {name} ", f"\n{name}\n")))
        else:
            count = draw.randint(1, 10)
            parts.append("".join(draw.choices("aeinrst AEHT.,-_'\"(){}0123\n", k=count)))
        parts.append(draw.choice(("", "", " ", "\n")))
    return "".join(parts)


def _script(draw: random.Random, count: int) -> list[str]:
    first, end = draw.choice(_SCRIPTS)
    return [chr(code) for code in draw.choices(range(first, end), k=count) if _is_known(code)]


def _any(draw: random.Random) -> str:
    """A character of any plane that Unicode had assigned when this Python was made."""
    while True:
        code = draw.randrange(0x110000) if draw.random() < 0.5 else draw.randrange(0x3000)
        if _is_known(code):
            return chr(code)


def _is_known(code: int) -> bool:
    return unicodedata.category(chr(code)) not in {"Cn", "Cs"}
