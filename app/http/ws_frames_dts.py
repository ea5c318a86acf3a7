"""Owns the TypeScript declaration of the `/ws` frames, generated from `app/http/ws_frames.py`."""

from __future__ import annotations

from pathlib import Path

from agent.events_dts import members
from app.http.ws_frames import CHANNELS, FRAMES, PROTOCOL, Trade

TARGET = Path(__file__).resolve().parents[1] / "web" / "frames.d.ts"


def declaration() -> str:
    """Return the whole text of `app/web/frames.d.ts`."""
    lines = ["// Generated from app/http/ws_frames.py by: python -m app.http.ws_frames_dts", ""]
    lines += [f"export interface {Trade.__name__} {{", *members(Trade), "}", ""]
    for frame in FRAMES:
        lines += [
            f"export interface {frame.__name__} {{",
            "  seq: number;",
            "  skipped?: number;",
            f'  type: "{frame.type}";',
            *members(frame),
            "}",
            "",
        ]
    names = " | ".join(frame.__name__ for frame in FRAMES)
    channels = " | ".join(f'"{name}"' for name in CHANNELS)
    lines += [
        f"export type SocketFrame = {names};",
        'export type SocketFrameType = SocketFrame["type"];',
        f"export type Channel = {channels};",
        "export type SocketRequest =",
        '  | { type: "auth"; ticket: string }',
        '  | { type: "subscribe" | "unsubscribe"; channels: Channel[]; symbols?: string[] }',
        '  | { type: "ping" };',
        f'export type SocketProtocol = "{PROTOCOL}";',
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    TARGET.write_text(declaration(), encoding="utf-8")
