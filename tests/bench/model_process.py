"""Owns the scripted model as a process: a model name `<shape>` chooses what it answers."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from tests.fakes.model_server import Answer, ModelServer, chunk, end_frames, event, text_answer

SYMBOLS = ("AAPL", "MSFT", "IBM")
TEXT = (
    "I looked at three names for you. A plan names its stop before its entry, and it says what "
    "would prove it wrong. A risk of 1% on an account of $100,000 is $1,000, so the stop decides "
    "the size. Wait for the pullback, then ask me to check the plan. I can size it once you tell "
    "me the entry. The decision stays with you, and so does the confirmation of every order."
)
ANSWER = text_answer(TEXT)


def calls_of(step: int, symbols: tuple[str, ...]) -> Answer:
    """Return one step's calls of `quote`, with ids that are new in the turn."""
    frames = []
    for at, symbol in enumerate(symbols):
        text = json.dumps({"symbols": [symbol]})
        named = {"name": "quote", "arguments": ""}
        call = {"index": at, "id": f"call_{step}_{at}", "type": "function", "function": named}
        frames.append(event(chunk({"role": "assistant", "tool_calls": [call]})))
        frames += [
            event(
                chunk({"tool_calls": [{"index": at, "function": {"arguments": text[a : a + 8]}}]})
            )
            for a in range(0, len(text), 8)
        ]
    return Answer([*frames, *end_frames("tool_calls")])


SHAPES = {
    "par3": [calls_of(0, SYMBOLS)],
    "seq3": [calls_of(step, (symbol,)) for step, symbol in enumerate(SYMBOLS)],
}


def script(request: dict[str, Any]) -> Answer:
    """Answer by the shape and by how many answers with calls stand behind the last question."""
    steps = 0
    for message in request["messages"]:
        if message["role"] == "user":
            steps = 0
        elif message.get("tool_calls"):
            steps += 1
    planned = SHAPES[request["model"]]
    return planned[steps] if steps < len(planned) else ANSWER


async def main() -> None:
    async with ModelServer(script) as server:
        print(server.base_url, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
