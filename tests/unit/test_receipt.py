"""Receipts: every decision is signed, and an export proves itself by a public key alone."""

import os
import random

import pytest
from typer.testing import CliRunner

from app.cli import app, desk_here
from services import audit, receipt
from services.audit_export import export_lines, verify_export
from services.kit.bus.memory import MemoryBus
from services.kit.bus.port import Bus
from services.kit.canonical import tagged_hash
from services.kit.context import system_principal
from services.kit.db import Database
from services.kit.errors import Refusal
from services.kit.ids import CountedIds
from services.kit.work import Runtime
from services.market.feed import Feed
from services.orders.proposal import decline
from tests.fakes.hand_feed import HandFeed
from tests.fakes.order_desk import OrderDesk

ME = system_principal("t_a")
MUTATIONS = 50_000 if os.environ.get("CORNERMAN_PROVE") == "1" else 1_000
OTHER_KEY = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
"""A true public key, of the all-zero secret, and nobody's here."""


@pytest.fixture
def runtime(database_url, clock, settings):
    database = Database(database_url)
    yield Runtime(database, clock, CountedIds(), settings)
    database.close()


@pytest.fixture
def traded(runtime):
    """A desk where one card was confirmed and filled and another declined."""
    feed = HandFeed()
    runtime.ports.update({Bus: MemoryBus(), Feed: feed})
    desk = OrderDesk(runtime, feed)
    desk.buy()
    desk.work()
    card = desk.propose(quantity="7")
    desk.write(lambda ctx: decline(ctx, card.id))
    return desk


@pytest.fixture
def made(runtime):
    """Thirty events, half of them decisions: their export and the public key."""
    for number in range(30):
        kind = ("proposed", "message.posted")[number % 2]
        runtime.write(
            ME, lambda ctx, kind=kind, number=number: audit.record(ctx, kind, f"x{number}")
        )
    lines = runtime.read(ME, lambda ctx: list(export_lines(ctx)))
    return lines, receipt.public_key(runtime.settings.cornerman_home)


def _mutated(lines: list[str], dice: random.Random) -> list[str]:
    """Return the export with one thing changed, whatever it is."""
    out, at = list(lines), dice.randrange(len(lines))
    match dice.choice(["byte", "drop", "repeat", "swap", "cut", "grow"]):
        case "byte":
            where = dice.randrange(len(out[at]))
            byte = chr(dice.choice([code for code in range(9, 127) if chr(code) != out[at][where]]))
            out[at] = out[at][:where] + byte + out[at][where + 1 :]
        case "drop":
            del out[at]
        case "repeat":
            out.insert(at, out[at])
        case "swap":
            other = (at + dice.randrange(1, len(out))) % len(out)
            out[at], out[other] = out[other], out[at]
        case "cut":
            del out[at:]
        case "grow":
            out.insert(
                at, dice.choice(["", "{}", "null", '{"hash": "", "payload": "{}"}', "[" * 99])
            )
    return out


def test_an_untouched_export_holds_and_counts_its_receipts(made):
    lines, key = made
    proof = verify_export(lines, key)
    assert (proof.ok, proof.events, proof.receipts, proof.reason) == (True, 30, 15, "")


@pytest.mark.fault("F089")
def test_every_mutation_of_an_export_is_found(made):
    lines, key = made
    dice = random.Random(20261121)
    missed = []
    for _ in range(MUTATIONS):
        changed = _mutated(lines, dice)
        if changed != lines and verify_export(changed, key).ok:
            missed.append(changed)
    assert missed == []


def test_another_key_proves_nothing_and_a_wrong_one_is_refused(made):
    lines, _ = made
    proof = verify_export(lines, OTHER_KEY)
    assert (proof.line, proof.reason) == (1, "the receipt does not hold")
    for bad in ("", "00", "zz" * 32, OTHER_KEY + "00", "\x00" * 64):
        with pytest.raises(Refusal, match="PARAM_INVALID"):
            verify_export(lines, bad)


def test_an_honest_chain_without_the_marks_of_its_decisions_is_no_way_around(made, runtime):
    """Who rewrites the events can leave the mark out, but can not sign the new end."""
    lines, key = made
    body = {"chain": "t_a", "events": 0, "head": audit.GENESIS, "key": OTHER_KEY}
    forged = '{"end": ' + str(body).replace("'", '"') + ', "signature": "' + "00" * 64 + '"}'
    assert verify_export([forged], key).reason == "the end is not signed with this key"
    assert verify_export(lines[:-1], key).reason.startswith("the signed end is missing")
    assert verify_export([], key).reason == "the export is empty"


def test_every_step_of_an_order_and_every_end_of_a_card_has_its_receipt(traded):
    rows = traded.rows(audit.audit_events, audit.audit_events.c.seq)
    kinds = {row.kind for row in rows if row.receipt}
    assert kinds >= {"proposed", "confirmed", "declined", "order.confirmed", "order.fill"}
    assert all(bool(row.receipt) == receipt.is_decision(row.kind) for row in rows)


def test_one_kind_of_signature_never_passes_for_another(tmp_path):
    digest = tagged_hash("x/v1", {"a": "1"})
    signature = receipt.sign(tmp_path, receipt.EVENT, digest)
    key = receipt.public_key(tmp_path)
    assert receipt.holds(key, receipt.EVENT, digest, signature)
    assert not receipt.holds(key, receipt.EXPORT, digest, signature)
    assert not receipt.holds(key, receipt.EVENT, digest, signature.upper())
    assert not receipt.holds(key, receipt.EVENT, digest, None)
    assert (tmp_path / receipt.KEY_FILE).stat().st_mode & 0o077 == 0


def test_the_verbs_export_and_prove_anywhere(tmp_path, monkeypatch):
    monkeypatch.setenv("CORNERMAN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    verb = lambda *words: CliRunner().invoke(app, list(words))  # noqa: E731
    assert verb("migrate").exit_code == 0
    with desk_here() as desk:
        desk.product.runtime.write(
            desk.principal, lambda ctx: audit.record(ctx, "proposal_refused", "x")
        )
    file = tmp_path / "a.jsonl"
    file.write_text(verb("audit", "export").stdout)
    key = verb("audit", "key").stdout.strip()
    monkeypatch.setenv("CORNERMAN_HOME", str(tmp_path / "elsewhere"))
    proved = verb("audit", "verify", "--file", str(file), "--key", key)
    assert proved.exit_code == 0, proved.output
    assert "every one holds; the end is signed" in proved.stdout
    assert not (tmp_path / "elsewhere").exists()
    file.write_text(file.read_text().replace("proposal_refused", "proposal_retused", 1))
    broken = verb("audit", "verify", "--json", "--file", str(file), "--key", key)
    assert broken.exit_code == 1
    assert '"ok": false' in broken.stdout
