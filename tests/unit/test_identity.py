"""Users, sessions, one-time tickets and keys: what lets a person in, and what no longer does."""

from datetime import timedelta

import pytest

from services import audit
from services.identity import key, password, session, ticket, user
from services.kit.context import Surface, system_principal
from services.kit.environment import load_settings
from services.kit.errors import Refusal
from services.kit.work import Runtime
from tests.conftest import NOW


@pytest.fixture
def runtime(database, clock, settings):
    from services.kit.ids import CountedIds

    return Runtime(database, clock, CountedIds(), settings)


@pytest.fixture
def served(database, clock, tmp_path):
    from services.kit.ids import CountedIds

    given = load_settings(
        {
            "CORNERMAN_HOME": str(tmp_path),
            "CORNERMAN_MODE": "served",
            "CORNERMAN_SECRET": "s" * 40,
            "ADMIN_PASSWORD": "a long password",
            "PUBLIC_BASE_URL": "https://coach.example",
            "ALLOWED_HOSTS": "coach.example",
            "SERVED_SQLITE_OK": "true",
        }
    )
    return Runtime(database, clock, CountedIds("served"), given)


def opened(runtime, name="ada", tenant="ten_a"):
    def act(ctx):
        user.open_tenant(ctx, tenant)
        return user.open_user(ctx, name)

    return runtime.write(system_principal(tenant), act)


def as_web(one, **changes):
    from dataclasses import replace

    return replace(user.principal_of(one, Surface.WEB, "ses_x"), **changes)


def look_up(runtime, find, *args):
    with runtime.database.read(None) as db:
        return find(runtime.context(db, user.NOBODY), *args)


def logged_in(runtime, one, surface=Surface.WEB):
    return runtime.write(as_web(one), lambda ctx: session.open_session(ctx, one, surface=surface))


def code(act):
    with pytest.raises(Refusal) as refused:
        act()
    return refused.value.code


def test_a_session_is_found_by_its_secret_and_by_nothing_else(runtime):
    one = opened(runtime)
    session_id, secret = logged_in(runtime, one)
    found = look_up(runtime, session.find_session, secret)
    assert (found.principal.session_id, found.principal.tenant_id) == (session_id, "ten_a")
    assert found.principal.scopes == {"read", "propose", "confirm", "admin"}
    assert look_up(runtime, session.find_session, session_id) is None
    assert look_up(runtime, session.find_session, "") is None


def test_secrets_are_stored_as_hashes_only(runtime):
    one = opened(runtime)
    _, secret = logged_in(runtime, one)
    link = runtime.write(as_web(one), lambda ctx: ticket.issue_ticket(ctx, "login"))
    _, text = runtime.write(
        as_web(one), lambda ctx: key.issue_key(ctx, "cron", scopes=frozenset({"read"}))
    )
    with runtime.database.read(None) as db:
        dump = "".join(
            str(row)
            for table in ("sessions", "tickets", "api_keys")
            for row in db.connection.exec_driver_sql(f"SELECT * FROM {table}")
        )
    assert secret not in dump
    assert link not in dump
    assert text.rsplit("_", 1)[1] not in dump


@pytest.mark.fault("F122")
def test_a_revoked_session_is_dead_at_once(runtime):
    one = opened(runtime)
    session_id, secret = logged_in(runtime, one)
    runtime.write(as_web(one), lambda ctx: session.revoke_session(ctx, session_id))
    assert look_up(runtime, session.find_session, secret) is None


def test_nobody_revokes_the_session_of_another_user(runtime):
    ada, bob = opened(runtime), opened(runtime, "bob")
    session_id, secret = logged_in(runtime, ada)
    assert (
        code(
            lambda: runtime.write(as_web(bob), lambda ctx: session.revoke_session(ctx, session_id))
        )
        == "SESSION_UNKNOWN"
    )
    assert look_up(runtime, session.find_session, secret) is not None


def test_a_local_session_has_no_idle_end(runtime, clock):
    _, secret = logged_in(runtime, opened(runtime))
    clock.advance(days=40)
    assert look_up(runtime, session.find_session, secret) is not None


def test_a_served_session_ends_after_thirty_idle_minutes(served, clock):
    _, secret = logged_in(served, opened(served))
    clock.advance(minutes=29, seconds=59)
    assert look_up(served, session.find_session, secret) is not None
    clock.advance(seconds=1)
    assert look_up(served, session.find_session, secret) is None


def test_a_served_session_ends_after_twelve_hours_however_busy(served, clock):
    _, secret = logged_in(served, opened(served))
    for _ in range(25):
        clock.advance(minutes=28)
        found = look_up(served, session.find_session, secret)
        assert found is not None
        served.write(found.principal, session.touch_session)
    clock.set(NOW + timedelta(hours=12))
    assert look_up(served, session.find_session, secret) is None


def test_step_up_needs_a_login_of_the_last_five_minutes_when_served(served, clock):
    _, secret = logged_in(served, opened(served))
    found = look_up(served, session.find_session, secret)
    served.read(found.principal, session.require_fresh)
    clock.advance(minutes=5)
    assert code(lambda: served.read(found.principal, session.require_fresh)) == "STEP_UP_NEEDED"


def test_a_login_link_works_once_and_for_ten_minutes(runtime, clock):
    one = opened(runtime)
    secret = runtime.write(as_web(one), lambda ctx: ticket.issue_ticket(ctx, "login"))
    clock.advance(minutes=9, seconds=59)
    holder = look_up(runtime, ticket.find_ticket, "login", secret)
    assert holder.user_id == one.id
    _, first = runtime.write(holder, lambda ctx: ticket.log_in_by_link(ctx, secret))
    assert look_up(runtime, session.find_session, first) is not None
    assert look_up(runtime, ticket.find_ticket, "login", secret) is None
    assert (
        code(lambda: runtime.write(holder, lambda ctx: ticket.log_in_by_link(ctx, secret)))
        == "LOGIN_LINK_INVALID"
    )
    late = runtime.write(as_web(one), lambda ctx: ticket.issue_ticket(ctx, "login"))
    clock.advance(minutes=10)
    assert look_up(runtime, ticket.find_ticket, "login", late) is None


def test_a_websocket_ticket_is_no_login_link_and_lives_thirty_seconds(runtime, clock):
    secret = runtime.write(as_web(opened(runtime)), lambda ctx: ticket.issue_ticket(ctx, "ws"))
    assert look_up(runtime, ticket.find_ticket, "login", secret) is None
    assert look_up(runtime, ticket.find_ticket, "ws", secret) is not None
    clock.advance(seconds=30)
    assert look_up(runtime, ticket.find_ticket, "ws", secret) is None


def test_a_key_holds_its_scopes_and_ends_at_its_time(runtime, clock):
    one = opened(runtime)
    made, text = runtime.write(
        as_web(one), lambda ctx: key.issue_key(ctx, "cron", scopes=frozenset({"read"}), days=1)
    )
    found = look_up(runtime, key.find_key, text)
    assert found.principal.scopes == {"read"}
    assert found.principal.surface is Surface.API
    clock.advance(days=1)
    assert look_up(runtime, key.find_key, text) is None
    assert made.expires_at == NOW + timedelta(days=1)


@pytest.mark.fault("F125")
@pytest.mark.parametrize("text", ["", "ck_", "ck__", "null", "ck_" + "0" * 26 + "_" + "A" * 43])
def test_an_unset_or_unknown_key_is_denied(runtime, text):
    opened(runtime)
    assert look_up(runtime, key.find_key, text) is None


def test_a_key_with_one_changed_character_is_denied(runtime):
    _, text = runtime.write(
        as_web(opened(runtime)), lambda ctx: key.issue_key(ctx, "cron", scopes=frozenset({"read"}))
    )
    changed = text[:-1] + ("A" if text[-1] != "A" else "B")
    assert look_up(runtime, key.find_key, text) is not None
    assert look_up(runtime, key.find_key, changed) is None


def test_a_key_never_holds_more_than_its_maker(runtime):
    one = opened(runtime)
    reader = as_web(one, scopes=frozenset({"read"}))
    assert (
        code(
            lambda: runtime.write(
                reader, lambda ctx: key.issue_key(ctx, "x", scopes=frozenset({"confirm"}))
            )
        )
        == "SCOPE_MISSING"
    )


@pytest.mark.parametrize(
    ("scopes", "days"), [(set(), 1), ({"root"}, 1), ({"read"}, 0), ({"read"}, 366)]
)
def test_a_key_outside_its_bounds_is_refused(runtime, scopes, days):
    one = opened(runtime)
    assert (
        code(
            lambda: runtime.write(
                as_web(one),
                lambda ctx: key.issue_key(ctx, "x", scopes=frozenset(scopes), days=days),
            )
        )
        == "PARAM_INVALID"
    )


def test_a_revoked_key_is_dead_and_unlisted(runtime):
    one = opened(runtime)
    made, text = runtime.write(
        as_web(one), lambda ctx: key.issue_key(ctx, "cron", scopes=frozenset({"read"}))
    )
    runtime.write(as_web(one), lambda ctx: key.revoke_key(ctx, made.id))
    assert look_up(runtime, key.find_key, text) is None
    assert runtime.read(as_web(one), key.list_keys) == []
    assert (
        code(lambda: runtime.write(as_web(one), lambda ctx: key.revoke_key(ctx, made.id)))
        == "API_KEY_UNKNOWN"
    )


def test_lists_hold_nothing_of_other_tenants(runtime):
    ada, eve = opened(runtime), opened(runtime, "eve", "ten_b")
    logged_in(runtime, ada)
    runtime.write(as_web(ada), lambda ctx: key.issue_key(ctx, "k", scopes=frozenset({"read"})))
    assert runtime.read(as_web(eve), session.list_sessions) == []
    assert runtime.read(as_web(eve), key.list_keys) == []


@pytest.mark.fault("F123")
def test_a_wrong_password_and_an_unknown_name_are_both_refused_after_a_real_check():
    stored = password.hash_password("correct horse")
    assert password.password_matches(stored, "correct horse")
    assert not password.password_matches(stored, "correct house")
    assert not password.password_matches(None, "nobody has this password")
    assert not password.password_matches(stored, "x" * 257)


def test_opening_the_same_user_twice_changes_nothing_but_a_new_password(runtime):
    first = opened(runtime)
    again = runtime.write(
        system_principal("ten_a"), lambda ctx: user.open_user(ctx, "ada", password_hash="argon")
    )
    assert again.id == first.id
    assert look_up(runtime, user.find_login, "ada").password_hash == "argon"
    assert look_up(runtime, user.tenant_ids) == ["ten_a"]


def test_every_change_of_identity_is_in_the_audit_chain(runtime):
    one = opened(runtime)
    session_id, _ = logged_in(runtime, one)
    runtime.write(as_web(one), lambda ctx: session.revoke_session(ctx, session_id))
    kinds = [event.kind for event in runtime.read(as_web(one), audit.trail)]
    assert kinds == ["tenant.opened", "user.opened", "session.opened", "session.revoked"]
