"""Owns the verb about the coach's own score."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def score(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the scoreboard as JSON.")] = False,
) -> None:
    """Show what became of every suggestion. Example: cornerman score --json."""
    from app.cli import desk_here
    from services.kit.canonical import document
    from services.research.score import read_score
    from tools.wording.score import score_words

    with desk_here() as desk:
        board = desk.product.runtime.read(desk.principal, read_score)
    if as_json:
        typer.echo(json.dumps({**document(board), "ended": board.ended}, indent=2))
    else:
        typer.echo(score_words(board))
