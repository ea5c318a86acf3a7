"""Owns the verbs about API keys: make one, list them, end one."""

from __future__ import annotations

from typing import Annotated

import typer

key_app = typer.Typer(no_args_is_help=True, help="API keys for programs.")


@key_app.command("add")
def key_add(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, propose, confirm or admin; may be given again.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Days until it ends.")] = 90,
) -> None:
    """Make an API key and print it this once. Example: cornerman key add notebook --scope read."""
    from app.cli import desk_here
    from services.identity.key import issue_key

    with desk_here() as desk:
        _, text = desk.product.runtime.write(
            desk.principal,
            lambda ctx: issue_key(ctx, name, scopes=frozenset(scope or ["read"]), days=days),
        )
    typer.echo(text)


@key_app.command("list")
def key_list() -> None:
    """List the API keys. Example: cornerman key list."""
    from app.cli import desk_here
    from services.identity.key import list_keys

    with desk_here() as desk:
        for one in desk.product.runtime.read(desk.principal, list_keys):
            typer.echo(f"{one.id}  {one.name}  {','.join(one.scopes)}")


@key_app.command("revoke")
def key_revoke(key_id: Annotated[str, typer.Argument(help="Id from `key list`.")]) -> None:
    """End an API key at once. Example: cornerman key revoke ck_01j…."""
    from app.cli import desk_here
    from services.identity.key import revoke_key

    with desk_here() as desk:
        desk.product.runtime.write(desk.principal, lambda ctx: revoke_key(ctx, key_id))
    typer.echo(f"{key_id} is revoked.")
