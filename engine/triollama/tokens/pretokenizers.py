r"""How byte-level BPE cuts a text into words, by the name that a model's file gives.

The patterns say what llama.cpp does, in the syntax of Oniguruma: each one cuts what the one before
it left whole, into what matches and what does not. Only names for which the counts were compared
with a real llama.cpp's are here (``tests/proofs/test_token_counts.py``).

Where llama.cpp strays from the pattern that a model was trained with, this strays with it: its
letters beyond ASCII are neither capital nor small, and no blank is in a range of characters.
"""

from __future__ import annotations

from typing import Final

import attrs

__all__ = ["PRETOKENIZERS", "Pretokenizer"]


@attrs.frozen(kw_only=True)
class Pretokenizer:
    """How BPE treats a text before its merges.

    Attributes:
        patterns: each cuts what the one before it left.
        takes_whole_words: a word that is a token stays one, whatever the merges say.
        adds_bos: whether a file that does not say so wants a token before each text.
        always_adds_bos: the same, even if the file says otherwise.
        is_raw: tokens are plain text with ``▁`` for a blank, not bytes in disguise.
        joins_newlines: a run of newlines that is a token stays one.
    """

    patterns: tuple[str, ...] = ()
    takes_whole_words: bool = False
    adds_bos: bool = False
    always_adds_bos: bool = False
    is_raw: bool = False
    joins_newlines: bool = False


_SUFFIX = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
_MARKS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_BLANKS = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_ASCII_MARK = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~]"""

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_LLAMA3 = rf"{_SUFFIX}|{_WORD}|\p{{N}}{{1,3}}|{_MARKS}|{_BLANKS}"
_QWEN2 = rf"{_SUFFIX}|{_WORD}|\p{{N}}|{_MARKS}|{_BLANKS}"
_QWEN35 = (
    rf"{_SUFFIX}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|{_BLANKS}"
)
_DEEPSEEK3 = (
    rf"{_ASCII_MARK}[A-Za-z]+|[^\r\n\p{{L}}\p{{P}}\p{{S}}]?[\p{{L}}\p{{M}}]+"
    rf"| ?[\p{{P}}\p{{S}}]+[\r\n]*|{_BLANKS}"
)
_SPARK = (
    rf"{_ASCII_MARK}[A-Za-z]+|[^\r\n\p{{L}}\p{{P}}\p{{S}}]?[\p{{L}}\p{{M}}]+"
    rf"| ?[\p{{P}}\p{{S}}]+|[\r\n]|\s+(?!\S)|\s+"
)
_CHINESE = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
_DEEPSEEK_CHINESE = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff" + r"&&[^\s]]+"
_DEEPSEEK_MARKS = r"\s?[!-/:-~" + "\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3001-\u3002]+"
_DEEPSEEK_LETTERS = (
    r"\s?[A-Za-z"
    "\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-\u02af"
    "\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-\u03a1"
    "\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5"
    "\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a"
    "\u1e00-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d"
    "\u1f5f-\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3"
    "\u1fd6-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115"
    "\u2119-\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f"
    "\u2145-\u2149\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3"
    "\ua640-\ua66d\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf"
    "\ufb00-\ufb06\ufb13-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f"
    "\U000104b0-\U000104d3\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2"
    "\U000118a0-\U000118df\U0001e900-\U0001e943]+"
)
_YOUTU_ASIAN = (
    "[\uac00-\ud7a3\u3131-\u318e]+"
    "|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+"
    f"|[\u3105-\u312f]+|{_CHINESE}"
)
_YOUTU = (
    rf"[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+{_SUFFIX}?|\p{{N}}"
    rf"| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_BLANKS}"
)
_BLOOM = r" ?[^(\s|.,!?" + "\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
_HAN = (
    "\u4e00-\u9fff\u3400-\u4dbf\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f"
    "\U0002b820-\U0002ceaf\U0002ceb0-\U0002ebef\uf900-\ufaff\U0002f800-\U0002fa1f"
)
_KIMI = (
    rf"[{_HAN}]+|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}&&[^{_HAN}]]+{_SUFFIX}?"
    rf"|\p{{N}}{{1,3}}|{_MARKS}|{_BLANKS}"
)
_BAILING = (
    r"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])"
    rf"|{_WORD}|\p{{N}}|{_MARKS}|\s*[\r\n]|\s+(?!\S)|\s+"
)
_EXAONE = (
    rf"{_SUFFIX}|[^\r\n\p{{L}}\p{{N}}]?(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+"
)
_CASCADE = "|".join(rf"\s{{{2**power}}}(?!\S)" for power in range(9, 1, -1))
_JAIS2 = rf"{_SUFFIX}|{_WORD}|\p{{N}}{{1,3}}|{_MARKS}|\s*[\r\n]+|{_CASCADE}|\s{{1,2}}(?!\S)|\s"


def _cased(letters: str, suffix: str, digits: str) -> str:
    """Words that end where a capital follows a small letter, as of GPT-4o."""
    not_small, not_capital = f"[[{letters}]&&[^a-z]]", f"[[{letters}]&&[^A-Z]]"
    lead = r"[^\r\n\p{L}\p{N}]?"
    return (
        f"{lead}{not_small}*{not_capital}+{suffix}|{lead}{not_small}+{not_capital}*{suffix}"
        rf"|{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_BLANKS}"
    )


def _alike(names: str, pretokenizer: Pretokenizer) -> dict[str, Pretokenizer]:
    """The same for several names."""
    return dict.fromkeys(names.split(), pretokenizer)


_THOUSANDS = r"\p{N}{1,3}"
_LINES = r"[^\n]+|\n+"

PRETOKENIZERS: Final[dict[str, Pretokenizer]] = {
    **_alike(
        "default",
        Pretokenizer(
            patterns=(r"[\p{P}\$\+<=>\^~\|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]"),
        ),
    ),
    **_alike(
        "gpt-2 phi-2 jina-es jina-de gigachat jina-v2-es jina-v2-de a.x-4.0 mellum modern-bert "
        "jina-v1-en jina-v2-code roberta-bpe exaone4 mpt olmo jais trillion granite-docling",
        Pretokenizer(patterns=(_GPT2,)),
    ),
    **_alike(
        "llama3 llama-v3 llama-bpe falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano",
        Pretokenizer(patterns=(_LLAMA3,), takes_whole_words=True, adds_bos=True),
    ),
    **_alike("dbrx smaug-bpe glm4 chatglm-bpe", Pretokenizer(patterns=(_LLAMA3,))),
    **_alike(
        "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2",
        Pretokenizer(patterns=(_QWEN2,)),
    ),
    "qwen35": Pretokenizer(patterns=(_QWEN35,)),
    "ufakzeka": Pretokenizer(patterns=(rf"{_WORD}|\p{{N}}|{_MARKS}|{_BLANKS}",)),
    "laguna": Pretokenizer(patterns=(_LINES, _QWEN2)),
    "minicpm5": Pretokenizer(
        patterns=(_THOUSANDS, rf"{_SUFFIX}|{_WORD}|\p{{N}}+|{_MARKS}|{_BLANKS}"),
        takes_whole_words=True,
    ),
    "jais-2": Pretokenizer(patterns=(_JAIS2,)),
    "deepseek-llm": Pretokenizer(
        patterns=(
            r"[\r\n]",
            _DEEPSEEK_LETTERS,
            _DEEPSEEK_MARKS,
            r"\s+\z",
            _DEEPSEEK_CHINESE,
            r"\p{N}+",
        )
    ),
    "deepseek-coder": Pretokenizer(
        patterns=(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _DEEPSEEK_CHINESE, r"\p{N}")
    ),
    **_alike(
        "deepseek-v3 hunyuan-dense joyai-llm hy_v4",
        Pretokenizer(patterns=(_THOUSANDS, _CHINESE, _DEEPSEEK3)),
    ),
    "spark2_5": Pretokenizer(patterns=(_THOUSANDS, _CHINESE, _SPARK, r"\p{N}")),
    "youtu": Pretokenizer(patterns=(_YOUTU_ASIAN, _YOUTU), takes_whole_words=True),
    "falcon": Pretokenizer(patterns=(r"[\p{P}\$\+<=>\^~\|`]+", _GPT2, "[0-9][0-9][0-9]")),
    **_alike(
        "starcoder refact command-r smollm codeshell exaone minerva-7b mellum2",
        Pretokenizer(patterns=(r"\p{N}", _GPT2)),
    ),
    **_alike("poro-chat bloom gpt3-finnish", Pretokenizer(patterns=(_BLOOM,))),
    "viking": Pretokenizer(patterns=(_BLOOM, r"\p{N}")),
    "tekken": Pretokenizer(
        patterns=(_cased(r"\p{L}", "", r"\p{N}"),), takes_whole_words=True, adds_bos=True
    ),
    **_alike(
        "gpt-4o llama4 kanana2 talkie minimax-m2",
        Pretokenizer(patterns=(_cased(r"\p{L}", f"{_SUFFIX}?", _THOUSANDS),)),
    ),
    "granite-embed-multi-97m": Pretokenizer(
        patterns=(_cased(r"\p{L}\p{M}", f"{_SUFFIX}?", _THOUSANDS),), takes_whole_words=True
    ),
    "kimi-k2": Pretokenizer(patterns=(_KIMI,)),
    **_alike(
        "bailingmoe bailingmoe2 llada-moe",
        Pretokenizer(patterns=(_BAILING,)),
    ),
    "seed-coder": Pretokenizer(
        patterns=(rf"{_SUFFIX}|{_WORD}|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|{_BLANKS}",)
    ),
    "exaone-moe": Pretokenizer(patterns=(_EXAONE,)),
    "chameleon": Pretokenizer(
        patterns=(
            "<sentinel:[0-9]+>",
            "(?:IMGIMG)[A-I]{1,4}Z",
            r"[\t\n]|    |  ",
            r"\p{N}",
            r"[\p{P}!-/:-@\[-`{-~]",
            _GPT2,
        ),
        adds_bos=True,
    ),
    **_alike(
        "gemma4 granite-embed-multi-311m",
        Pretokenizer(patterns=(_LINES,), always_adds_bos=True, is_raw=True, joins_newlines=True),
    ),
    "sarvam-moe": Pretokenizer(patterns=(_LINES,), is_raw=True),
}
"""By the ``tokenizer.ggml.pre`` of a model's file; a file without one has the default."""
