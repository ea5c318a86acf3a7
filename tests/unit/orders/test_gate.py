"""Owns the proof of the confirm gate: who, which token, once, fresh, and what refusals leave."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import select

from services.kit.context import Actor, Surface
from services.kit.errors import InvariantBroken, Refusal
from services.kit.policy import OrderPolicy, Policy
from services.kit.work import Runtime
from services.orders import confirm as gate
from services.orders import proposal, propose, switch
from services.orders.paper_tables import paper_orders
from services.orders.tables import confirm_tokens, order_intents, proposals

MADE_UP = "ct_" + "A" * 43


@pytest.fixture
def card(desk):
    return desk.propose()


def test_only_the_gate_can_make_a_confirmation(clock):
    with pytest.raises(InvariantBroken):
        gate.Confirmed(
            value=None,
            proposal_id="p",
            order_id="o",
            confirmed_by="u",
            confirmed_at=clock.now(),
            seal=object(),
        )


def test_the_clear_token_is_stored_nowhere(desk, card, database):
    token = desk.issue(card.id).token
    dump = "".join(str(row) for table in (confirm_tokens, proposals) for row in desk.rows(table))
    assert token not in dump
    assert not desk.read(
        lambda ctx: ctx.db.rows(
            select(confirm_tokens).where(confirm_tokens.c.token_sha256 == token)
        )
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"actor": Actor.AGENT}, "CONFIRM_SERVICE_PRINCIPAL"),
        ({"actor": Actor.SYSTEM}, "CONFIRM_SERVICE_PRINCIPAL"),
        ({"surface": Surface.FRAME}, "CONFIRM_FRAMED"),
        ({"scopes": frozenset({"read", "propose"})}, "SCOPE_MISSING"),
        ({"session_id": "s_other"}, "TOKEN_BINDING"),
        ({"surface": Surface.CLI}, "TOKEN_BINDING"),
        ({"user_id": "u_other"}, "TOKEN_BINDING"),
    ],
)
@pytest.mark.fault("F062")
def test_a_token_in_other_hands_is_refused_and_changes_nothing(desk, card, changes, code):
    challenge = desk.issue(card.id)
    thief = desk.as_user(**changes)
    assert desk.refused(lambda: thief.confirm(card.id, challenge)).code == code
    assert desk.status(card.id) == "pending"
    assert desk.audited("confirm_attempt")[-1]["facts"]["refused"] == code
    assert desk.confirm(card.id, challenge)["order_state"] == "QUEUED"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"actor": Actor.AGENT}, "CONFIRM_SERVICE_PRINCIPAL"),
        ({"surface": Surface.FRAME}, "CONFIRM_FRAMED"),
        ({"scopes": frozenset({"read"})}, "SCOPE_MISSING"),
        ({"user_id": "u_other"}, "TOKEN_BINDING"),
    ],
)
def test_no_challenge_for_the_wrong_principal(desk, card, changes, code):
    assert desk.refused(lambda: desk.as_user(**changes).issue(card.id)).code == code
    assert desk.count(confirm_tokens) == 0


def test_another_tenant_does_not_even_see_the_proposal(desk, card):
    challenge = desk.issue(card.id)
    stranger = desk.as_user(tenant_id="t_other")
    assert desk.refused(lambda: stranger.issue(card.id)).code == "PROPOSAL_UNKNOWN"
    assert desk.refused(lambda: stranger.confirm(card.id, challenge)).code == "PROPOSAL_UNKNOWN"


def test_a_used_token_is_answered_with_its_outcome(desk, card):
    challenge = desk.issue(card.id)
    desk.confirm(card.id, challenge)
    refusal = desk.refused(lambda: desk.confirm(card.id, challenge))
    assert (refusal.code, refusal.facts["outcome"]) == ("TOKEN_USED", "confirmed")
    assert desk.count(order_intents) == 1


def test_the_same_idempotency_key_gives_the_same_answer(desk, card):
    challenge, key = desk.issue(card.id), "k" * 20
    first = desk.confirm(card.id, challenge, key=key)
    assert desk.confirm(card.id, challenge, key=key) == first
    assert desk.count(order_intents) == 1


def test_a_refusal_under_a_key_is_answered_again_and_counted_once(desk, card):
    challenge, key = desk.issue(card.id), "k" * 20
    for _ in range(7):
        refusal = desk.refused(lambda: desk.confirm(card.id, challenge, key=key, token=MADE_UP))
        assert (refusal.code, refusal.facts["left"]) == ("TOKEN_WRONG", "4")
    assert desk.status(card.id) == "pending"


@pytest.mark.fault("F064")
@pytest.mark.parametrize("wrong", [MADE_UP, "ct_", "", "ct_" + "é" * 43, "x" * 5000])
def test_five_wrong_tokens_lock_the_proposal(desk, card, wrong):
    challenge = desk.issue(card.id)
    for left in (4, 3, 2, 1, 0):
        refusal = desk.refused(lambda: desk.confirm(card.id, challenge, token=wrong))
        assert (refusal.code, refusal.facts["left"]) == ("TOKEN_WRONG", str(left))
    assert desk.status(card.id) == "invalidated"
    assert desk.refused(lambda: desk.confirm(card.id, challenge)).code == "PROPOSAL_NOT_PENDING"
    desk.refused(lambda: desk.confirm(card.id, challenge, token=wrong))
    assert desk.rows(proposals)[0].misses == 5
    assert desk.audited("alarm")


def test_a_token_of_another_proposal_is_a_wrong_token(desk, card):
    other = desk.propose("MSFT")
    refusal = desk.refused(
        lambda: desk.confirm(card.id, desk.issue(other.id), order_hash=card.order_hash)
    )
    assert refusal.code == "TOKEN_WRONG"


def test_opening_the_card_again_kills_the_older_token(desk, card):
    old, new = desk.issue(card.id), desk.issue(card.id)
    assert desk.refused(lambda: desk.confirm(card.id, old)).code == "TOKEN_EXPIRED"
    assert desk.confirm(card.id, new)["status"] == "confirmed"


def test_two_surfaces_may_open_the_card_and_one_wins(desk, card):
    phone = desk.as_user(session_id="s_phone")
    first, second = desk.issue(card.id), phone.issue(card.id)
    desk.confirm(card.id, first)
    refusal = desk.refused(lambda: phone.confirm(card.id, second))
    assert (refusal.code, refusal.facts["decided_by"]) == ("PROPOSAL_NOT_PENDING", "u_owner")
    assert desk.count(order_intents) == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"version": 2}, "PROPOSAL_VERSION"),
        ({"order_hash": "sha256:" + "0" * 64}, "ORDER_HASH_MISMATCH"),
        ({"order_hash": "ü"}, "ORDER_HASH_MISMATCH"),
    ],
)
def test_a_card_that_shows_something_else_is_refused(desk, card, changes, code):
    challenge = desk.issue(card.id)
    assert desk.refused(lambda: desk.confirm(card.id, challenge, **changes)).code == code
    assert desk.status(card.id) == "pending"


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"quantity":"10"', '"quantity":"99"'),
        ('"side":"buy"', '"side":"sell"'),
        ('"symbol":"AAPL"', '"symbol":"MSFT"'),
        ('"mode":"paper"', '"mode":"live"'),
        ('"type":"market"', '"type":"limit"'),
        ('"tif":"day"', '"tif":"gtc"'),
        ('"provenance":"SIMULATED"', '"provenance":"LIVE"'),
        ('"worst_price":"192.01"', '"worst_price":"999.01"'),
    ],
)
@pytest.mark.fault("F063")
def test_a_row_edited_by_hand_is_refused_with_an_alarm(desk, card, was, becomes):
    challenge = desk.issue(card.id)
    desk.sql(f"UPDATE proposals SET order_json = replace(order_json, '{was}', '{becomes}')")
    assert desk.refused(lambda: desk.confirm(card.id, challenge)).code == "ORDER_HASH_MISMATCH"
    assert desk.status(card.id) == "invalidated"
    assert desk.audited("alarm")
    assert desk.count(order_intents) == 0


def test_an_order_edited_after_its_confirmation_is_never_sent(desk):
    desk.buy()
    desk.sql("UPDATE order_intents SET order_json = replace(order_json, '\"10\"', '\"99\"')")
    desk.work()
    assert desk.rows(order_intents)[0].state == "DENIED"
    assert desk.count(paper_orders) == 0
    assert desk.read(switch.state).state == "HALTED"
    assert desk.cash().reserved.amount == 0


def test_an_order_without_a_burned_token_is_never_sent(desk):
    desk.buy()
    desk.sql("UPDATE confirm_tokens SET used_at = NULL")
    desk.work()
    assert desk.rows(order_intents)[0].state == "DENIED"
    assert desk.count(paper_orders) == 0
    assert desk.read(switch.state).state == "HALTED"
    assert desk.cash().reserved.amount == 0


def test_an_expired_card_is_refused_and_closed(desk, card, clock):
    challenge = desk.issue(card.id)
    clock.advance(seconds=600)
    assert desk.refused(lambda: desk.confirm(card.id, challenge)).code == "PROPOSAL_EXPIRED"
    assert desk.status(card.id) == "expired"


def test_the_last_moment_before_the_expiry_still_counts(desk, card, clock):
    challenge = desk.issue(card.id)
    clock.advance(seconds=599, milliseconds=999)
    assert desk.confirm(card.id, challenge)["status"] == "confirmed"


@pytest.mark.fault("F129")
def test_a_clock_that_jumps_back_revives_nothing(desk, card, clock):
    challenge, start = desk.issue(card.id), clock.now()
    clock.advance(seconds=601)
    desk.propose("MSFT")
    clock.set(start)
    assert desk.refused(lambda: desk.confirm(card.id, challenge)).code in (
        "PROPOSAL_EXPIRED",
        "PROPOSAL_NOT_PENDING",
    )
    assert desk.count(order_intents) == 0


def test_another_policy_invalidates_what_was_proposed(desk, card, runtime):
    challenge = desk.issue(card.id)
    stricter = Runtime(
        runtime.database,
        runtime.clock,
        runtime.ids,
        runtime.settings,
        Policy(orders=OrderPolicy(max_drift_bps=desk.feed.quotes["AAPL"].bid)),
        ports=runtime.ports,
    )
    desk.runtime = stricter
    assert desk.refused(lambda: desk.confirm(card.id, challenge)).code == "POLICY_CHANGED"
    assert desk.status(card.id) == "invalidated"


def _drift(desk):
    desk.feed.set("AAPL", "191.00", "191.10")


def _stale(desk):
    desk.feed.time = desk.feed.time.replace(minute=5)


def _crossed(desk):
    desk.feed.set("AAPL", "190.30", "190.10")


def _closed(desk):
    desk.feed.advance(hours=7)


def _no_feed(desk):
    desk.feed.broken = True


def _halted(desk):
    desk.write(lambda ctx: switch.halt(ctx, "lunch"))


def _killed(desk):
    (desk.runtime.settings.cornerman_home / "KILL").touch()


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        pytest.param(_drift, "PRICE_DRIFT", marks=pytest.mark.fault("F056")),
        pytest.param(_stale, "", marks=pytest.mark.fault("F016")),
        (_crossed, "DQ_BLOCK"),
        pytest.param(_closed, "MARKET_CLOSED", marks=pytest.mark.fault("F065")),
        (_no_feed, "PROVIDER_UNAVAILABLE"),
        (_halted, "KILL_SWITCH"),
        (_killed, "KILL_SWITCH"),
    ],
)
def test_what_changed_since_the_card_invalidates_it_and_burns_the_token(desk, card, spoil, code):
    challenge = desk.issue(card.id)
    spoil(desk)
    refusal = desk.refused(lambda: desk.confirm(card.id, challenge))
    assert refusal.code == code or (code == "" and refusal.code in ("DQ_BLOCK", "QUOTE_STALE"))
    assert desk.status(card.id) == "invalidated"
    assert desk.refused(lambda: desk.confirm(card.id, challenge)).code == "TOKEN_USED"
    assert desk.count(order_intents) == 0
    assert desk.cash().reserved.amount == 0


def test_drift_below_the_limit_is_accepted(desk, card):
    challenge = desk.issue(card.id)
    desk.feed.set("AAPL", "190.57", "190.67")  # 57 cents on 190.05 is 29.99 bps
    assert desk.confirm(card.id, challenge)["status"] == "confirmed"


def test_cash_that_another_order_took_is_not_there_any_more(desk):
    first, second = desk.propose(quantity="300"), desk.propose("MSFT", quantity="200")
    desk.confirm(first.id)
    assert desk.refused(lambda: desk.confirm(second.id)).code == "INSUFFICIENT_CASH"
    assert desk.status(second.id) == "invalidated"


def test_the_same_order_again_needs_to_be_typed(desk):
    desk.buy()
    again = desk.propose()
    challenge = desk.issue(again.id)
    assert challenge.card.typed.expected_hint == "AAPL 10"
    refusal = desk.refused(lambda: desk.confirm(again.id, challenge))
    assert refusal.code == "CONFIRM_TYPED_MISMATCH"
    assert desk.refused(lambda: desk.confirm(again.id, challenge, typed="AAPL 11")).code == (
        "CONFIRM_TYPED_MISMATCH"
    )
    assert desk.confirm(again.id, challenge, typed=" aapl  10 ")["status"] == "confirmed"


def test_an_edit_makes_a_new_version_and_kills_the_old_card(desk, card):
    challenge = desk.issue(card.id)
    new = desk.write(lambda ctx: propose.edit(ctx, card.id, {"quantity": card.order.quantity * 2}))
    assert (new.version, new.supersedes, new.order.quantity) == (2, card.id, 20)
    assert desk.status(card.id) == "superseded"
    assert desk.refused(lambda: desk.confirm(card.id, challenge)).code == "PROPOSAL_NOT_PENDING"
    assert desk.refused(lambda: desk.confirm(new.id, challenge)).code == "TOKEN_WRONG"
    order_id = desk.confirm(new.id)["order_id"]
    assert desk.order(order_id).quantity == 20


def test_an_edit_that_is_refused_leaves_the_old_card_alive(desk, card):
    refusal = desk.refused(
        lambda: desk.write(
            lambda ctx: propose.edit(ctx, card.id, {"quantity": card.order.quantity * 100_000})
        )
    )
    assert refusal.code in ("INSUFFICIENT_CASH", "QTY_INVALID")
    assert desk.confirm(card.id)["status"] == "confirmed"


def test_an_edit_that_changes_nothing_is_refused(desk, card):
    same = {"quantity": card.order.quantity}
    assert (
        desk.refused(lambda: desk.write(lambda ctx: propose.edit(ctx, card.id, same))).code
        == "EDIT_EMPTY"
    )


def test_an_edit_into_an_order_that_is_pending_already_returns_that_one(desk, card):
    other = desk.propose(quantity="20")
    same = desk.write(lambda ctx: propose.edit(ctx, card.id, {"quantity": other.order.quantity}))
    assert same.id == other.id
    assert desk.status(card.id) == "superseded"


def test_a_declined_card_is_final(desk, card):
    challenge = desk.issue(card.id)
    for _ in range(2):
        desk.write(lambda ctx: proposal.decline(ctx, card.id, "changed my mind"))
    assert desk.refused(lambda: desk.confirm(card.id, challenge)).code == "PROPOSAL_NOT_PENDING"


@pytest.mark.fault("F061")
def test_sixty_four_confirms_at_once_make_one_order(desk, card):
    challenge = desk.issue(card.id)

    def press(number: int) -> str:
        try:
            return desk.confirm(card.id, challenge)["status"]
        except Refusal as refusal:
            return refusal.code

    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(press, range(64)))
    assert sorted(set(answers)) == ["TOKEN_USED", "confirmed"]
    assert answers.count("confirmed") == desk.count(order_intents) == 1


def test_the_card_says_what_is_bought_and_what_it_risks(desk):
    made = desk.propose(quantity="100", protective_stop="187.10")
    card = desk.issue(made.id).card
    said = {line.label: line.value for line in card.lines}
    assert said["Order"] == "Buy 100 AAPL at market"
    assert said["Risk to the stop"] == "304.80 USD, 0.3 R"
    assert said["Price band"] == "at most 192.01 USD each"
    assert said["Estimated cost"] == "19,011.00 USD"
    assert said["Account"].endswith(f" …{made.order.account_id[-4:]}")
    assert made.order.account_id in card.account
    assert card.provenance == "SIMULATED"
    assert card.hash == replace(card).hash
    assert desk.audited("token_issued")[0]["facts"]["card_hash"] == card.hash
