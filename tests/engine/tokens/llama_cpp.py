"""A real llama.cpp that tokenizes: a model file of a few kilobytes with the vocabulary wanted.

The weights are noise; only the vocabulary is looked at. Needs the packages ``gguf`` and
``xllamacpp``; import this module through `pytest.importorskip` of both.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gguf
import numpy as np
import xllamacpp

_PREFIX = "tokenizer.ggml."
_CONTEXT = 2_048
_EMBEDDING, _HEADS, _FEED_FORWARD = 32, 2, 32

_TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
)


class LlamaCpp:
    """The ``/tokenize`` of one running server."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=60)

    def tokenize(
        self, text: str, *, add_special: bool = False, parse_special: bool = True
    ) -> list[int]:
        """The tokens of a text, as llama.cpp finds them."""
        asked = {"content": text, "add_special": add_special, "parse_special": parse_special}
        ids: list[int] = self._ask("/tokenize", asked)["tokens"]
        return ids

    def evaluated(self, prompt: str) -> int:
        """The tokens of a prompt that was run: what Ollama gives as ``prompt_eval_count``."""
        asked = {"prompt": prompt, "n_predict": 1, "cache_prompt": False}
        count: int = self._ask("/completion", asked)["tokens_evaluated"]
        return count

    def chat(self, messages: Sequence[Mapping[str, str]]) -> tuple[str, int]:
        """A chat as it is rendered, and how many tokens it had when it was run."""
        rendered: str = self._ask("/apply-template", {"messages": messages})["prompt"]
        answer = self._ask("/v1/chat/completions", {"messages": messages, "max_tokens": 1})
        return rendered, answer["usage"]["prompt_tokens"]

    def _ask(self, path: str, asked: Mapping[str, Any]) -> Any:
        body = json.dumps(asked).encode()
        self._connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        told = json.loads(response.read())
        assert response.status == 200, told
        return told

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


@contextmanager
def open_llama_cpp(info: Mapping[str, Any], folder: Path) -> Iterator[LlamaCpp]:
    """Run llama.cpp with the vocabulary that a ``model_info`` tells of, for the time of a block.

    Args:
        info: as ``show`` with ``verbose`` gives it.
        folder: for the model's file.
    """
    path = folder / "model.gguf"
    write_model(info, path)
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx, parameters.n_parallel = _CONTEXT, 1
    parameters.hostnames, parameters.port = ["127.0.0.1"], 0
    parameters.warmup, parameters.cpuparams.n_threads = False, 1
    parameters.verbosity = -1
    server = xllamacpp.Server(parameters)
    client = LlamaCpp(server.listening_address)
    try:
        yield client
    finally:
        client.close()
        del server


def write_model(info: Mapping[str, Any], path: Path) -> None:
    """Write a model's file: the vocabulary wanted, and the smallest weights that load."""
    tokens: Sequence[str] = info[f"{_PREFIX}tokens"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_EMBEDDING)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_FEED_FORWARD)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_EMBEDDING // _HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for key, value in info.items():
        if key.startswith(_PREFIX):
            _add(writer, key, value)
    writer.add_chat_template(_TEMPLATE)
    for name, shape in _shapes(len(tokens)).items():
        writer.add_tensor(name, np.full(shape, 0.01, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add(writer: gguf.GGUFWriter, key: str, value: Any) -> None:
    name = key.removeprefix(_PREFIX)
    if name == "precompiled_charsmap":
        writer.add_precompiled_charsmap(bytes(value))
    elif name == "scores":
        writer.add_token_scores([float(score) for score in value])
    elif isinstance(value, list):
        writer.add_array(key, value)
    elif isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    else:
        writer.add_string(key, value)


def _shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    square, wide = (_EMBEDDING, _EMBEDDING), (_FEED_FORWARD, _EMBEDDING)
    return {
        "token_embd.weight": (vocabulary, _EMBEDDING),
        "output_norm.weight": (_EMBEDDING,),
        "output.weight": (vocabulary, _EMBEDDING),
        "blk.0.attn_norm.weight": (_EMBEDDING,),
        "blk.0.attn_q.weight": square,
        "blk.0.attn_k.weight": square,
        "blk.0.attn_v.weight": square,
        "blk.0.attn_output.weight": square,
        "blk.0.ffn_norm.weight": (_EMBEDDING,),
        "blk.0.ffn_gate.weight": wide,
        "blk.0.ffn_up.weight": wide,
        "blk.0.ffn_down.weight": (_EMBEDDING, _FEED_FORWARD),
    }
