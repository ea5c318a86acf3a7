"""Owns the verbs about freezes: what froze, and clearing one of them."""

from __future__ import annotations

from typing import Annotated

import typer


def unfreeze(
    freeze_id: Annotated[str, typer.Argument(help="Id from the refusal or from `freezes`.")],
    reason: Annotated[str, typer.Argument(help="Why book or data can be trusted again.")],
) -> None:
    """Clear one freeze for good. Example: cornerman unfreeze frz_01j… "checked the fills"."""
    from app.cli import desk_here
    from services.orders import freeze

    with desk_here() as desk:
        done = desk.product.runtime.write(
            desk.principal, lambda ctx: freeze.unfreeze(ctx, freeze_id, reason)
        )
    typer.echo(f"{done.id} is cleared: {reason}")


def freezes() -> None:
    """List what froze and who cleared it, newest first. Example: cornerman freezes."""
    from app.cli import desk_here
    from services.orders.freeze import list_freezes

    with desk_here() as desk:
        for one in desk.product.runtime.read(desk.principal, list_freezes):
            stands = f"cleared: {one.clear_reason}" if one.cleared_at else "STANDS"
            typer.echo(f"{one.id}  {one.scope}  {one.code}  {one.reason}  {stands}")
            if not one.cleared_at:
                typer.echo(f"    {one.unfreezes}")
