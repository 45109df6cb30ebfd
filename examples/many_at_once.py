"""Ask many questions at once of several servers; each answer is printed when it is whole.

Run: python examples/many_at_once.py MODEL [http://gpu-1:11434 http://gpu-2:11434 ...]
"""

import sys

import trio

import triollama

PLANETS = ["Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"]


async def main(model: str, *endpoints: str) -> None:
    """Leaving the blocks, also by Ctrl-C, stops what the servers still generate."""
    async with triollama.open_engine(*endpoints) as engine, trio.open_nursery() as nursery:

        async def ask(planet: str) -> None:
            question = f"Tell me one surprising thing about {planet}."
            async with engine.stream_chat(model, question) as stream:
                answer = await stream.collect()
            print(f"{planet} (by {stream.endpoint}): {answer.content}\n")

        for planet in PLANETS:
            nursery.start_soon(ask, planet)


if __name__ == "__main__":
    if len(sys.argv) < 2 or "://" in sys.argv[1]:
        print(__doc__.splitlines()[-1], file=sys.stderr)
        sys.exit(2)
    trio.run(main, *sys.argv[1:])
