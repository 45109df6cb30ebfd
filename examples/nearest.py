"""Find the sentence that is nearest in meaning, with embeddings.

Run: python examples/nearest.py MODEL TEXT, such as nomic-embed-text "something to drink"
"""

import sys

import trio

import triollama

SENTENCES = [
    "The kettle whistles on the stove.",
    "A train leaves the station in the rain.",
    "She tunes her guitar before the concert.",
    "The cat sleeps on the warm windowsill.",
]


async def main(model: str, wanted: str) -> None:
    """All texts travel in one request; the vectors have length 1, so a product is a likeness."""
    async with triollama.open_engine() as engine:
        answer = await engine.embed(model, [wanted, *SENTENCES])
    first, *others = answer.embeddings
    likeness = [sum(a * b for a, b in zip(first, other, strict=True)) for other in others]
    for value, sentence in sorted(zip(likeness, SENTENCES, strict=True), reverse=True):
        print(f"{value:6.3f}  {sentence}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__.splitlines()[-1], file=sys.stderr)
        sys.exit(2)
    trio.run(main, *sys.argv[1:])
