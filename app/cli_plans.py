"""Owns the verbs about plans: the weekend plan, and making stored advice again."""

from __future__ import annotations

import json
from typing import Annotated

import typer

plan_app = typer.Typer(no_args_is_help=True, help="Plans that are made by a verb.")


@plan_app.command("weekend")
def plan_weekend(
    *, as_json: Annotated[bool, typer.Option("--json", help="Print data as JSON.")] = False
) -> None:
    """Plan the coming week from the last close and store it. Example: cornerman plan weekend."""
    from app.cli import desk_here
    from services.research.weekend import build_weekend, make_weekend
    from tools.wording.picks import watch_words, weekend_words

    with desk_here() as desk:
        runtime, me = desk.product.runtime, desk.principal
        runtime.read(me, build_weekend)
        made = runtime.write(me, make_weekend)
    whole = {"hash": made.hash, "generated_at": made.generated_at.isoformat(), "plan": made.body}
    if as_json:
        typer.echo(json.dumps(whole, indent=2))
        return
    typer.echo("\n".join([weekend_words(made.body), *watch_words(made.body), made.hash]))


def replay(
    ref: Annotated[str, typer.Argument(help="Id of a stored plan, or ref of a check or size.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print data as JSON.")] = False,
) -> None:
    """Make stored advice again and compare every byte; exit 1 when one differs.

    Example: cornerman replay plan_0123456789abcdef.
    """
    from app.cli import desk_here
    from services.kit.canonical import document
    from services.research.replay_advice import replay_advice

    with desk_here() as desk:
        found = desk.product.runtime.read(desk.principal, lambda ctx: replay_advice(ctx, ref))
    if as_json:
        typer.echo(json.dumps(document(found), indent=2))
    elif found.same:
        typer.echo(f"{ref} came out again: {found.bytes_compared} bytes and every hash.")
    else:
        typer.echo(f"{ref} came out otherwise:")
        for one in found.differences:
            typer.echo(f"  {one.path}: {one.stored} then, {one.made} now")
    if not found.same:
        raise typer.Exit(1)
