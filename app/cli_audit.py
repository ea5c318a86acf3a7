"""Owns the verbs about the record: verify it, export it, and prove an export anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

audit_app = typer.Typer(no_args_is_help=True, help="The hash-chained, signed record of everything.")


@audit_app.command("verify")
def audit_verify(
    *,
    file: Annotated[
        Path | None, typer.Option(help="An export; without it, this installation's own record.")
    ] = None,
    key: Annotated[str, typer.Option(help="Public key of the export's maker: `audit key`.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Prove the record, or an export of it by its public key and nothing else.

    Example: cornerman audit verify --file a.jsonl --key 3b6a27bc....
    """
    body, said = _own() if file is None else _exported(file, key)
    typer.echo(json.dumps(body) if as_json else said)
    if not body["ok"]:
        raise typer.Exit(1)


def _own() -> tuple[dict[str, Any], str]:
    from app.cli import desk_here
    from services import audit

    with desk_here() as desk:
        verdict = desk.product.runtime.read(desk.principal, audit.verify)
    body: dict[str, Any] = {
        "ok": verdict.ok,
        "events": verdict.count,
        "head": verdict.last_hash,
        "broken_at": verdict.broken_at,
        "reason": verdict.reason,
    }
    if verdict.ok:
        return body, f"{verdict.count} events, every link holds. Head {verdict.last_hash}"
    return body, f"The chain breaks at {verdict.broken_at}: {verdict.reason}"


def _exported(file: Path, key: str) -> tuple[dict[str, Any], str]:
    from services.audit_export import verify_export
    from services.kit.errors import refuse

    try:
        lines = file.read_bytes().decode("ascii").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise refuse(
            "PARAM_INVALID", name="file", value=str(file), rule="an export can be read as ASCII"
        ) from error
    proof = verify_export(lines, key)
    body: dict[str, Any] = {
        "ok": proof.ok,
        "events": proof.events,
        "receipts": proof.receipts,
        "line": proof.line,
        "reason": proof.reason,
    }
    if proof.ok:
        counted = f"{proof.events} events and {proof.receipts} receipts"
        return body, f"{counted}, every one holds; the end is signed"
    return body, f"The export breaks at line {proof.line}: {proof.reason}"


@audit_app.command("export")
def audit_export() -> None:
    """Print every event as one JSON line and a signed end; it verifies offline.

    Example: cornerman audit export > a.jsonl.
    """
    from app.cli import desk_here
    from services.audit_export import export_lines

    with desk_here() as desk:
        lines = desk.product.runtime.read(desk.principal, lambda ctx: list(export_lines(ctx)))
    for line in lines:
        typer.echo(line)


@audit_app.command("key")
def audit_key() -> None:
    """Print the public key that proves this installation's receipts. Example: cornerman audit key.

    Keep it apart from the database: with an export it is all that a verifier needs.
    """
    from app.cli import settings_now
    from services.receipt import public_key

    typer.echo(public_key(settings_now().cornerman_home))
