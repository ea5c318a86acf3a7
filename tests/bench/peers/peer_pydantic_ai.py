"""pydantic-ai: Agent.run with an event handler that reads the stream."""

import turns
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider


def build(base_url: str, shape: str):
    model = OpenAIChatModel(shape, provider=OpenAIProvider(base_url=base_url, api_key="none"))
    agent = Agent(model, instructions="You are a coach.", tools=[turns.quote])

    async def turn() -> int:
        calls = 0

        async def seen(_context, events) -> None:
            nonlocal calls
            async for event in events:
                calls += event.event_kind == "function_tool_result"

        await agent.run(turns.QUESTION, event_stream_handler=seen)
        return calls

    return turn


if __name__ == "__main__":
    turns.main("pydantic-ai", build)
