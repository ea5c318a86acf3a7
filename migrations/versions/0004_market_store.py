"""Store instruments, bars, prices, rates, snapshots and the runs of jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "bars",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("timeframe", sa.Text(), nullable=False),
        sa.Column("t_open", sa.BigInteger(), nullable=False),
        sa.Column("t_close", sa.BigInteger(), nullable=False),
        sa.Column("o", sa.BigInteger(), nullable=False),
        sa.Column("h", sa.BigInteger(), nullable=False),
        sa.Column("l", sa.BigInteger(), nullable=False),
        sa.Column("c", sa.BigInteger(), nullable=False),
        sa.Column("v", sa.BigInteger(), nullable=False),
        sa.Column("vw", sa.BigInteger(), nullable=True),
        sa.Column("n", sa.Integer(), nullable=True),
        sa.Column("adj", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint("adj IN ('split', 'none')", name=op.f("ck_bars_adj")),
        sa.CheckConstraint("l > 0 AND h >= l AND v >= 0", name=op.f("ck_bars_sane")),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "instrument_id",
            "timeframe",
            "round",
            "t_open",
            "version",
            name=op.f("pk_bars"),
        ),
        info={"tenant": True, "append_only": True, "lookup": False},
    )
    op.create_index(op.f("ix_bars_tenant_id"), "bars", ["tenant_id"], unique=False)
    op.create_table(
        "fx_rates",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint("rate > 0", name=op.f("ck_fx_rates_rate")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "currency", "base", "round", "ts", "version", name=op.f("pk_fx_rates")
        ),
        info={"tenant": True, "append_only": True, "lookup": False},
    )
    op.create_index(op.f("ix_fx_rates_tenant_id"), "fx_rates", ["tenant_id"], unique=False)
    op.create_table(
        "instruments",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("mic", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asset_class", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("quote_unit", sa.Text(), nullable=False),
        sa.Column("price_scale", sa.BigInteger(), nullable=False),
        sa.Column("tick_rule", sa.Text(), nullable=False),
        sa.Column("lot_step", sa.BigInteger(), nullable=False),
        sa.Column("min_quantity", sa.BigInteger(), nullable=False),
        sa.Column("multiplier", sa.BigInteger(), nullable=False),
        sa.Column("calendar", sa.Text(), nullable=False),
        sa.Column("shortable", sa.Integer(), nullable=False),
        sa.Column("flags", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("valid_from", sa.BigInteger(), nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "price_scale > 0 AND lot_step > 0 AND multiplier > 0", name=op.f("ck_instruments_steps")
        ),
        sa.CheckConstraint("shortable IN (0, 1)", name=op.f("ck_instruments_shortable")),
        sa.PrimaryKeyConstraint("tenant_id", "id", "valid_from", name=op.f("pk_instruments")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index("ix_instruments_symbol", "instruments", ["tenant_id", "symbol"], unique=False)
    op.create_index(op.f("ix_instruments_tenant_id"), "instruments", ["tenant_id"], unique=False)
    op.create_table(
        "market_snapshots",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("bid", sa.BigInteger(), nullable=False),
        sa.Column("ask", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.BigInteger(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "bid > 0 AND ask >= bid AND last > 0", name=op.f("ck_market_snapshots_sane")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "instrument_id", name=op.f("pk_market_snapshots")),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(
        op.f("ix_market_snapshots_tenant_id"), "market_snapshots", ["tenant_id"], unique=False
    )
    op.create_table(
        "market_trades",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint("price > 0 AND size >= 0", name=op.f("ck_market_trades_sane")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "instrument_id", "round", "ts", "seq", name=op.f("pk_market_trades")
        ),
        info={"tenant": True, "append_only": True, "lookup": False},
    )
    op.create_index(
        op.f("ix_market_trades_tenant_id"), "market_trades", ["tenant_id"], unique=False
    )
    op.create_table(
        "price_points",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("ts", sa.BigInteger(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("volume", sa.BigInteger(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("known_at", sa.BigInteger(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('intraday', 'day')", name=op.f("ck_price_points_kind")),
        sa.CheckConstraint("price > 0", name=op.f("ck_price_points_price")),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "instrument_id",
            "kind",
            "round",
            "ts",
            "version",
            name=op.f("pk_price_points"),
        ),
        info={"tenant": True, "append_only": True, "lookup": False},
    )
    op.create_index(op.f("ix_price_points_tenant_id"), "price_points", ["tenant_id"], unique=False)
    op.create_table(
        "session_metrics",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("instrument_id", sa.Text(), nullable=False),
        sa.Column("symbol", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("session", sa.Text(), nullable=False),
        sa.Column("vwap", sa.BigInteger(), nullable=True),
        sa.Column("volume", sa.BigInteger(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("low", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.Column("bars", sa.Integer(), nullable=False),
        sa.Column("as_of", sa.BigInteger(), nullable=False),
        sa.Column("provenance", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint("volume >= 0 AND high >= low", name=op.f("ck_session_metrics_sane")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "instrument_id", "round", "session", name=op.f("pk_session_metrics")
        ),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index(
        op.f("ix_session_metrics_tenant_id"), "session_metrics", ["tenant_id"], unique=False
    )
    op.create_table(
        "task_runs",
        sa.Column("tenant_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("summary_json", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("missed", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("finished_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("origin IN ('schedule', 'manual')", name=op.f("ck_task_runs_origin")),
        sa.CheckConstraint(
            "status IN ('running', 'ok', 'failed', 'skipped', 'dead')",
            name=op.f("ck_task_runs_status"),
        ),
        sa.CheckConstraint("attempts >= 1 AND missed >= 0", name=op.f("ck_task_runs_counts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_runs")),
        sa.UniqueConstraint("tenant_id", "job", "round", "scheduled_at", name="uq_task_runs_tick"),
        info={"tenant": True, "append_only": False, "lookup": False},
    )
    op.create_index("ix_task_runs_recent", "task_runs", ["tenant_id", "started_at"], unique=False)
    op.create_index(op.f("ix_task_runs_tenant_id"), "task_runs", ["tenant_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_task_runs_tenant_id"), table_name="task_runs")
    op.drop_index("ix_task_runs_recent", table_name="task_runs")
    op.drop_table("task_runs")
    op.drop_index(op.f("ix_session_metrics_tenant_id"), table_name="session_metrics")
    op.drop_table("session_metrics")
    op.drop_index(op.f("ix_price_points_tenant_id"), table_name="price_points")
    op.drop_table("price_points")
    op.drop_index(op.f("ix_market_trades_tenant_id"), table_name="market_trades")
    op.drop_table("market_trades")
    op.drop_index(op.f("ix_market_snapshots_tenant_id"), table_name="market_snapshots")
    op.drop_table("market_snapshots")
    op.drop_index(op.f("ix_instruments_tenant_id"), table_name="instruments")
    op.drop_index("ix_instruments_symbol", table_name="instruments")
    op.drop_table("instruments")
    op.drop_index(op.f("ix_fx_rates_tenant_id"), table_name="fx_rates")
    op.drop_table("fx_rates")
    op.drop_index(op.f("ix_bars_tenant_id"), table_name="bars")
    op.drop_table("bars")
