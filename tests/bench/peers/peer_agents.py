"""openai-agents: Runner.run_streamed over chat completions, tracing off."""

import turns
from agents import Agent, OpenAIChatCompletionsModel, Runner, function_tool, set_tracing_disabled
from openai import AsyncOpenAI

set_tracing_disabled(True)


def build(base_url: str, shape: str):
    client = AsyncOpenAI(base_url=base_url, api_key="none")
    model = OpenAIChatCompletionsModel(model=shape, openai_client=client)
    agent = Agent(
        name="coach",
        instructions="You are a coach.",
        model=model,
        tools=[function_tool(turns.quote)],
    )

    async def turn() -> int:
        calls = 0
        running = Runner.run_streamed(agent, turns.QUESTION)
        async for event in running.stream_events():
            if event.type == "run_item_stream_event" and event.item.type == "tool_call_output_item":
                calls += 1
        return calls

    return turn


if __name__ == "__main__":
    turns.main("openai-agents", build)
