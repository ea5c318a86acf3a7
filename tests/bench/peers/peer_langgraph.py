"""langgraph: create_react_agent, streamed by message; no checkpointer."""

import warnings

import turns
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent

warnings.simplefilter("ignore")


def build(base_url: str, shape: str):
    model = ChatOpenAI(model=shape, base_url=base_url, api_key="none", streaming=True)
    graph = create_react_agent(model, [turns.quote], prompt="You are a coach.")

    async def turn() -> int:
        calls = 0
        asked = {"messages": [("user", turns.QUESTION)]}
        async for message, _about in graph.astream(asked, stream_mode="messages"):
            calls += message.type == "tool"
        return calls

    return turn


if __name__ == "__main__":
    turns.main("langgraph", build)
