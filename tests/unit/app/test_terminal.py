"""Proves what the terminal shows and hides, the help of every verb, and the lock of a home."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import click
import pytest
import structlog
import typer
from typer.testing import CliRunner

from agent.events import Envelope
from app.cli import app, desk_here
from app.home_lock import hold_home
from app.terminal import Drawing, card_text, json_line, plain
from services.orders.card import Card, Line, Typed

EVIL = "a\x1b[31mred\x1b]0;title\x07\x9b2J\u202egnp\u200b\x00\r\x08end"


def event(kind: str, **body) -> Envelope:
    return Envelope(
        stream="c_1",
        epoch="e1",
        seq=1,
        at=datetime(2027, 1, 12, tzinfo=UTC),
        run="r_1",
        type=kind,
        body=body,
    )


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    children = getattr(command, "commands", {})
    if not children:
        yield path
    for name, child in children.items():
        yield from commands(child, (*path, name))


VERBS = sorted(commands(typer.main.get_command(app)))


def test_the_verbs_are_those_of_the_product():
    assert {" ".join(verb) for verb in VERBS} >= {
        "serve",
        "chat",
        "tool",
        "confirm",
        "decline",
        "halt",
        "resume",
        "audit verify",
        "audit export",
        "ledger rebuild",
        "doctor",
        "migrate",
        "login",
        "key add",
        "key list",
        "key revoke",
    }


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_the_help_of_every_verb_has_an_example(verb):
    shown = CliRunner().invoke(app, [*verb, "--help"], terminal_width=200)
    assert shown.exit_code == 0
    assert f"Example: cornerman {' '.join(verb)}" in " ".join(shown.output.split())


def test_a_wrong_option_is_a_usage_error():
    assert CliRunner().invoke(app, ["chat", "--frobnicate"]).exit_code == 2
    assert CliRunner().invoke(app, ["confirm"]).exit_code == 2


def test_control_characters_never_reach_the_terminal():
    assert plain(EVIL) == "a[31mred]0;title2Jgnpend"
    assert plain("two\nlines\tand é 漢字 ✓") == "two\nlines\tand é 漢字 ✓"


def test_a_drawing_strips_what_data_holds_and_remembers_the_cards():
    said: list[str] = []
    drawing = Drawing(said.append)
    drawing.draw(event("tool.started", label=EVIL))
    drawing.draw(
        event(
            "tool.finished",
            ok=False,
            name=EVIL,
            source=[
                {
                    "provenance": "REPLAY",
                    "provider": EVIL,
                    "dataset": "quotes",
                    "as_of": "2012-01-03",
                }
            ],
        )
    )
    drawing.draw(event("text.done", text=EVIL, marks=[{"kind": "unverified", "text": EVIL}]))
    drawing.draw(event("run.error", message=EVIL, code="X"))
    drawing.draw(event("proposal.pending", proposal_id="prop_1"))
    drawing.draw(event("usage", prompt_tokens=1))
    assert drawing.pending == ["prop_1"]
    assert len(said) == 5
    assert not [text for text in said for letter in text if letter in "\x1b\x9b\u202e\x00\x07\r"]


def test_a_json_line_is_one_line_of_plain_ascii():
    line = json_line(event("text.done", text=EVIL + "\n漢", marks=[]))
    assert line.isascii()
    assert line.isprintable()
    assert "\n" not in line
    assert json.loads(line)["text"] == EVIL + "\n漢"


def test_the_card_is_drawn_in_the_services_words_without_control_characters():
    card = Card(
        title="Buy 5 IBM at market",
        account="Main",
        mode="paper",
        provenance="REPLAY",
        lines=(Line("Order", "Buy 5 IBM"), Line("Quote", "bid 1\x1b[2J", "REPLAY")),
        warnings=("prices are REPLAY, not live",),
        expires_at="2027-01-12T15:05:00.000Z",
        typed=Typed("Type symbol and quantity to confirm", "IBM 5"),
    )
    text = card_text(card)
    assert "Buy 5 IBM at market" in text
    assert "! prices are REPLAY, not live" in text
    assert "bid 1[2J  (REPLAY)" in text
    assert "\x1b" not in text


def test_one_process_at_a_time_runs_the_loops_of_a_home(tmp_path):
    home = tmp_path / "new" / "home"
    with hold_home(home) as mine, hold_home(home) as other:
        assert (mine, other) == (True, False)
    with hold_home(home) as again:
        assert again


def test_a_verb_lets_go_of_its_log_file(tmp_path, monkeypatch):
    monkeypatch.setenv("CORNERMAN_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert CliRunner().invoke(app, ["migrate"]).exit_code == 0
    with desk_here():
        structlog.get_logger().warning("inside.verb")
    structlog.get_logger().warning("after.verb")
    written = (tmp_path / "terminal.log").read_text()
    assert "inside.verb" in written
    assert "after.verb" not in written
