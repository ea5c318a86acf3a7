"""Owns the one table of what each route answers; the OpenAPI document takes its types from it."""

from __future__ import annotations

from typing import Any

from agent.conversation import Conversation, Posted
from agent.runs import Run
from app.http.account_models import (
    Balances,
    EquityHistory,
    FillAnswer,
    JournalAnswer,
    OrderAnswer,
    OrderDetail,
    ValuedPortfolio,
)
from app.http.alert_models import AlertAnswer, AlertRuleAnswer, AlertSet, TriggerAnswer, Unread
from app.http.answer_models import (
    Bars,
    ChainVerdict,
    ChallengeAnswer,
    ChatMessages,
    Configuration,
    Confirmation,
    Deleted,
    Health,
    Items,
    LabelledItems,
    LoggedIn,
    LoggedOut,
    NewKey,
    PlanAnswer,
    Price,
    ProposalAnswer,
    Ready,
    ReplayState,
    Revoked,
    SessionFacts,
    Ticket,
    ToolAnswer,
    ToolFacts,
)
from app.http.broker_models import BrokerAccount, BrokerActivity
from app.http.live_models import LiveState
from app.http.market_models import MarketStatus, MetricsList, TaskRunAnswer, TaskRuns
from app.http.pick_models import OptionPickList, PickList, WeekendAnswer
from app.http.plan_models import PlanLine, PlanSchema
from app.http.research_models import BacktestDetail, BacktestList, BacktestPage
from app.http.risk_models import RiskAnswer
from app.http.score_models import (
    DocumentAnswer,
    DocumentLine,
    DocumentList,
    ScoreAnswer,
    UntakenAnswer,
)
from app.http.watch_models import ChainAnswer, EarningsList, Expirations, NewsList, Watchlists
from services.alerts.notification import NotificationPage
from services.audit import AuditEvent
from services.identity.key import ApiKey
from services.identity.session import Session
from services.ledger.performance import Performance
from services.ledger.portfolio import Portfolio
from services.ledger.valuation import HeldValue
from services.market.action_record import CorporateAction
from services.market.instrument import Instrument
from services.market.last_good import LastGood
from services.orders.bust import Correction
from services.orders.freeze import Freeze
from services.orders.position_facts import PositionStop
from services.orders.switch import Switch
from services.preference import Setting
from services.research.backtests import Backtest
from services.watchlist import Watchlist

ANSWERS: dict[str, Any] = {
    "GET /diag/health": Health,
    "GET /diag/ready": Ready,
    "GET /diag/config": Configuration,
    "POST /auth/login": LoggedIn,
    "GET /auth/session": SessionFacts,
    "POST /auth/logout": LoggedOut,
    "GET /auth/sessions": Items[Session],
    "DELETE /auth/sessions/{id}": Revoked,
    "POST /auth/ws-token": Ticket,
    "GET /auth/keys": Items[ApiKey],
    "POST /auth/keys": NewKey,
    "DELETE /auth/keys/{id}": Revoked,
    "GET /coach/conversations": Items[Conversation],
    "POST /coach/conversations": Conversation,
    "GET /coach/conversations/{id}/messages": ChatMessages,
    "POST /coach/conversations/{id}/messages": Posted,
    "POST /coach/runs/{id}/cancel": Run,
    "GET /proposals": LabelledItems[ProposalAnswer],
    "GET /proposals/{id}": ProposalAnswer,
    "GET /proposals/{id}/challenge": ChallengeAnswer,
    "POST /proposals/{id}/confirm": Confirmation,
    "POST /proposals/{id}/decline": ProposalAnswer,
    "POST /proposals/{id}/edit": ProposalAnswer,
    "GET /tools": Items[ToolFacts],
    "POST /tools/{name}": ToolAnswer,
    "GET /broker/orders": LabelledItems[OrderAnswer],
    "GET /broker/orders/{id}": OrderDetail,
    "POST /broker/orders/{id}/cancel": OrderAnswer,
    "GET /broker/positions": LabelledItems[HeldValue],
    "GET /broker/stops": Items[PositionStop],
    "GET /broker/balances": Balances,
    "GET /broker/fills": LabelledItems[FillAnswer],
    "POST /broker/fills/{id}/correct": Correction,
    "GET /broker/account": BrokerAccount,
    "GET /broker/account/activity": BrokerActivity,
    "GET /market/status": MarketStatus,
    "GET /market/replay": ReplayState,
    "POST /market/replay": ReplayState,
    "GET /snapshots": LabelledItems[LastGood],
    "GET /instruments": LabelledItems[Instrument],
    "GET /instruments/{id}/actions": LabelledItems[CorporateAction],
    "POST /instruments/{id}/actions": CorporateAction,
    "GET /task-runs": TaskRuns,
    "POST /task-runs": TaskRunAnswer,
    "GET /symbols": LabelledItems[Instrument],
    "GET /symbols/metrics": MetricsList,
    "GET /symbols/{symbol}/price": Price,
    "GET /symbols/{symbol}/history": Bars,
    "GET /news": NewsList,
    "GET /earnings": EarningsList,
    "GET /options/chain": ChainAnswer,
    "GET /options/expirations": Expirations,
    "GET /alerts": LabelledItems[AlertAnswer],
    "POST /alerts": AlertSet,
    "POST /alerts/rules": AlertRuleAnswer,
    "PATCH /alerts/{id}": AlertSet,
    "DELETE /alerts/{id}": Deleted,
    "GET /alerts/{id}/triggers": LabelledItems[TriggerAnswer],
    "GET /notifications": NotificationPage,
    "POST /notifications/read": Unread,
    "GET /score": ScoreAnswer,
    "GET /score/untaken": UntakenAnswer,
    "GET /documents": DocumentList,
    "POST /documents": Items[DocumentLine],
    "GET /documents/{id}": DocumentAnswer,
    "POST /documents/{id}/approve": DocumentLine,
    "GET /backtests": BacktestList,
    "POST /backtests": Backtest,
    "GET /backtests/{id}": BacktestDetail,
    "GET /backtests/{id}/page": BacktestPage,
    "GET /watchlists": Watchlists,
    "POST /watchlists": Watchlist,
    "PATCH /watchlists/{id}": Watchlist,
    "DELETE /watchlists/{id}": Deleted,
    "GET /stream/state": LiveState,
    "GET /plans": LabelledItems[PlanLine],
    "POST /plans": PlanAnswer,
    "GET /plans/schema": PlanSchema,
    "GET /picks": PickList,
    "GET /options/picks": OptionPickList,
    "GET /plans/weekend": WeekendAnswer,
    "GET /plans/{id}": PlanAnswer,
    "POST /plan/validate": ToolAnswer,
    "POST /sizing/suggest": ToolAnswer,
    "GET /portfolios": Items[Portfolio],
    "POST /portfolios": Portfolio,
    "GET /portfolios/{id}": ValuedPortfolio,
    "PATCH /portfolios/{id}": Portfolio,
    "GET /portfolio": ValuedPortfolio,
    "POST /portfolio/init": Portfolio,
    "POST /portfolio/trade": ToolAnswer,
    "GET /portfolio/history": EquityHistory,
    "GET /portfolio/performance": Performance,
    "GET /journal": LabelledItems[JournalAnswer],
    "POST /journal": JournalAnswer,
    "GET /journal/{id}": JournalAnswer,
    "PATCH /journal/{id}": JournalAnswer,
    "DELETE /journal/{id}": Deleted,
    "GET /settings": Items[Setting],
    "PUT /settings": Items[Setting],
    "GET /settings/{name}": Setting,
    "GET /audit/events": Items[AuditEvent],
    "GET /audit/verify": ChainVerdict,
    "GET /risk": RiskAnswer,
    "GET /halt": Switch,
    "POST /halt": Switch,
    "POST /resume": Switch,
    "GET /freezes": Items[Freeze],
    "POST /freezes/{id}/clear": Freeze,
}
"""Success answers by method and path below `/api/v1`; a test compares real answers with them."""
