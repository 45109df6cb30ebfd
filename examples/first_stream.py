"""Print an answer while it comes.

Run: python examples/first_stream.py [MODEL] [QUESTION]
"""

import sys

import trio

import triollama


async def main(model: str = "llama3.2", question: str = "Why is the sky blue?") -> None:
    """Ask one question of the server that OLLAMA_HOST names, or of this machine."""
    async with (
        triollama.open_engine() as engine,
        engine.stream_chat(model, question) as stream,
    ):
        async for chunk in stream:
            print(chunk.content, end="", flush=True)
        print(f"\n\n{stream.usage}")


if __name__ == "__main__":
    if len(sys.argv) > 3:
        print(__doc__.splitlines()[-1], file=sys.stderr)
        sys.exit(2)
    trio.run(main, *sys.argv[1:])
