"""Owns the command line: the verbs of `cornerman`, their help with examples, their exit codes."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import cli_audit, cli_backtest, cli_freeze, cli_jobs, cli_key, cli_plans, cli_score
from services.kit.environment import SettingsInvalid, load_settings
from services.kit.errors import Refusal, refuse
from services.kit.settings import Settings

if TYPE_CHECKING:
    from app.terminal import Desk

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The trading coach in your corner. It reads the market, plans and sizes with you, and "
    "prepares orders. Only you confirm them. Exit codes: 0 ok, 1 refused or failed, 2 usage.",
)
ledger_app = typer.Typer(no_args_is_help=True, help="The append-only book.")
app.add_typer(cli_audit.audit_app, name="audit")
app.add_typer(ledger_app, name="ledger")
app.add_typer(cli_key.key_app, name="key")
app.add_typer(cli_plans.plan_app, name="plan")
JsonFlag = Annotated[bool, typer.Option("--json", help="Print data as JSON.")]


def run() -> None:
    """Run the command line; refusals and wrong settings are told in words, with exit code 1."""
    try:
        app()
    except SettingsInvalid as invalid:
        say_error("The settings are wrong; nothing was started.", *invalid.faults)
        sys.exit(1)
    except Refusal as refusal:
        say_error(f"{refusal.message} ({refusal.code})", refusal.hint)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


@contextmanager
def importing() -> Iterator[None]:
    """Import much without looking for garbage meanwhile; what was imported stays for good.

    It saves a seventh of a cold start, and later collections no longer walk the modules.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def say_error(*lines: str) -> None:
    """Write lines to the error stream."""
    for line in filter(None, lines):
        typer.echo(line, err=True)


def settings_now() -> Settings:
    """Return the settings of the environment over those of `.env` in the working folder."""
    return load_settings(os.environ, Path(".env"))


@contextmanager
def desk_here() -> Iterator[Desk]:
    """Open the product for one verb; its log lines go to a file in the home folder."""
    from app.telemetry import release_logs
    from app.terminal import open_desk
    from app.wiring import build

    settings = settings_now()
    settings.cornerman_home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as ends:
        log = ends.enter_context(
            (settings.cornerman_home / "terminal.log").open("a", encoding="utf-8")
        )
        ends.callback(release_logs)
        desk = open_desk(build(settings, log_stream=log))
        ends.callback(desk.close)
        yield desk


@app.command()
def serve(
    roles: Annotated[
        str, typer.Option(help="Roles of this process; all run together.")
    ] = "api,worker",
) -> None:
    """Serve the page and the API, and run the loops. Example: cornerman serve."""
    with importing():
        from app.home_lock import hold_home
        from app.http.server import serve as serve_http
        from app.wiring import build

    if set(roles.split(",")) != {"api", "worker"}:
        raise refuse(
            "PARAM_INVALID",
            name="roles",
            value=roles,
            rule="this release runs api,worker in one process",
        )
    settings = settings_now()
    with hold_home(settings.cornerman_home) as mine:
        if not mine and settings.runtime_database_url.startswith("sqlite"):
            raise refuse(
                "FEATURE_OFF",
                feature="A second server",
                reason=f"one already runs on {settings.cornerman_home}",
                todo="Stop it, or use another CORNERMAN_HOME.",
            )
        product = build(settings)
        try:
            asyncio.run(serve_http(product, say=typer.echo))
        finally:
            product.close()


@app.command()
def chat(
    *,
    once: Annotated[
        str | None, typer.Option(help="Send one message, print the answer, end.")
    ] = None,
    as_json: JsonFlag = False,
    resume: Annotated[bool, typer.Option(help="Go on with the newest conversation.")] = False,
) -> None:
    """Talk to the coach. Example: cornerman chat --once "what's AAPL doing"."""
    from app.talk import talk

    with desk_here() as desk:
        raise typer.Exit(asyncio.run(talk(desk, once=once, as_json=as_json, go_on=resume)))


@app.command()
def tool(
    name: Annotated[str | None, typer.Argument(help="Name of the tool; none lists them.")] = None,
    arguments: Annotated[
        str,
        typer.Option("--json", help="Arguments as JSON, or - to read them from standard input."),
    ] = "{}",
) -> None:
    """Run one tool and print what it gives.

    Example: cornerman tool quote --json '{"symbols":["AAPL"]}'.
    """
    from app.tool_verb import use_tool
    from tools.registry import all_tools

    if name is None:
        for one in all_tools().values():
            typer.echo(f"{one.name:14} {one.effect:8} {one.description}")
        return
    text = sys.stdin.read() if arguments == "-" else arguments
    with desk_here() as desk:
        done = use_tool(desk, name, text)
    body = {
        "ok": done.ok,
        "ref": done.ref,
        **({"result": dict(done.result)} if done.ok else {"error": dict(done.error or {})}),
    }
    typer.echo(json.dumps(body, indent=2))
    if not done.ok:
        raise typer.Exit(1)


@app.command()
def confirm(proposal_id: Annotated[str, typer.Argument(help="Id of a pending proposal.")]) -> None:
    """Confirm one order at this terminal, never through a pipe.

    Example: cornerman confirm prop_01j….
    """
    from app.talk import confirm_and_settle
    from app.terminal import person

    with person() as terminal, desk_here() as desk:
        said = asyncio.run(confirm_and_settle(desk, proposal_id, terminal))
    typer.echo(said or "Not confirmed; nothing was sent.")
    if not said:
        raise typer.Exit(1)


@app.command()
def decline(
    proposal_id: Annotated[str, typer.Argument(help="Id of a pending proposal.")],
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Decline one proposal. Example: cornerman decline prop_01j… --reason "too late"."""
    from services.orders.proposal import decline as decline_proposal
    from services.orders.proposal import summary

    with desk_here() as desk:
        done = desk.product.runtime.write(
            desk.principal, lambda ctx: decline_proposal(ctx, proposal_id, reason)
        )
    typer.echo(f"{summary(done)}: declined.")


@app.command()
def halt(
    reason: Annotated[str, typer.Argument(help="Why.")] = "halted at the terminal",
    *,
    cancel_working: Annotated[bool, typer.Option(help="Cancel everything that works.")] = False,
) -> None:
    """Stop every order at once; cancels stay allowed. Example: cornerman halt "news"."""
    from services.orders import switch

    with desk_here() as desk:
        desk.product.runtime.write(
            desk.principal, lambda ctx: switch.halt(ctx, reason, cancel_working=cancel_working)
        )
    typer.echo(f"HALTED: {reason}")


@app.command()
def resume(reason: Annotated[str, typer.Argument(help="Why it is safe.")]) -> None:
    """Allow orders again. Example: cornerman resume "checked the book"."""
    from services.orders import switch

    with desk_here() as desk:
        now = desk.product.runtime.write(desk.principal, lambda ctx: switch.resume(ctx, reason))
    typer.echo(f"{now.state.value}: {reason}")


app.command()(cli_freeze.unfreeze)
app.command()(cli_freeze.freezes)
app.command()(cli_jobs.worker)
app.command()(cli_jobs.ingest)
app.command()(cli_backtest.backtest)
app.command()(cli_score.score)
app.command()(cli_plans.replay)


@app.command()
def migrate() -> None:
    """Bring the database to this release, as its owner. Example: cornerman migrate."""
    from services import schema

    settings = settings_now()
    settings.cornerman_home.mkdir(parents=True, exist_ok=True)
    owner, runtime = settings.owner_database_url, settings.runtime_database_url
    schema.upgrade(owner, runtime_role=schema.runtime_role_of(runtime, owner))
    typer.echo(f"The database is at revision {schema.head()}.")


@app.command()
def login() -> None:
    """Print a new one-time login link for the page. Example: cornerman login."""
    from app.http.server import login_link
    from services.identity.user import LOCAL_USER, find_user

    with desk_here() as desk:
        settings = desk.product.settings
        user = desk.product.runtime.read(desk.principal, lambda ctx: find_user(ctx, LOCAL_USER))
        address = settings.public_base_url or f"http://{settings.host}:{settings.port}"
        link = login_link(desk.product, user, address) if user else ""
    if not link:
        raise refuse(
            "FEATURE_OFF",
            feature="The login link",
            reason="a served installation logs in by name and password",
            todo=f"Open {address}.",
        )
    typer.echo(link)


@app.command()
def doctor(*, as_json: JsonFlag = False) -> None:
    """Examine this installation: schema, guards, invariants, chain. Example: cornerman doctor."""
    from app.doctor import examine

    with desk_here() as desk:
        findings = examine(desk)
    if as_json:
        typer.echo(json.dumps([finding.body() for finding in findings], indent=2))
    else:
        for finding in findings:
            typer.echo(f"{'ok  ' if finding.ok else 'FAIL'} {finding.name}: {finding.said}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


@ledger_app.command("rebuild")
def ledger_rebuild(
    *,
    check: Annotated[bool, typer.Option("--check", help="Compare only.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Fold all entries again and compare with the snapshots.

    Example: cornerman ledger rebuild --check.
    """
    from app.terminal import person
    from services.ledger import rebuild

    with desk_here() as desk:
        runtime, me = desk.product.runtime, desk.principal
        found = runtime.read(me, rebuild.check)
        if found and not check:
            with person() as terminal:
                terminal.write(f"{len(found)} differences. Write the snapshots anew? [y/N] ")
                if terminal.readline().strip().lower() in ("y", "yes"):
                    runtime.write(me, rebuild.rebuild)
                    found = runtime.read(me, rebuild.check)
    rows = [str(difference) for difference in found]
    typer.echo(
        json.dumps({"differences": rows})
        if as_json
        else "\n".join(rows) or "Snapshots equal the entries."
    )
    if rows:
        raise typer.Exit(1)
