"""Owns the catalogue of refusal codes: kind, message template, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple


class CodeEntry(NamedTuple):
    """One refusal code. `message` and `hint` are `str.format` templates over the facts."""

    kind: str
    message: str
    hint: str


def _table(rows: str) -> dict[str, CodeEntry]:
    """Parse `CODE | kind | message | hint` lines; an indented line goes on, a code stands once."""
    table: dict[str, CodeEntry] = {}
    for line in rows.strip().replace("\n  ", " ").splitlines():
        code, kind, message, hint = (part.strip() for part in line.split(" | "))
        if code in table:
            raise RuntimeError(f"refusal code {code} stands twice in the catalogue")
        table[code] = CodeEntry(kind, message, hint)
    return table


RULES = """
INSUFFICIENT_BARS | input | {indicator} needs {need} complete bars, have {have}
  | Ask for a shorter period, or wait until more bars are complete.
PARAM_INVALID | input | {name}={value}: {rule} | Correct this value and send the request again.
TIMEFRAME_UNSUPPORTED | input | cannot build {to} from {from}
  | Use one of 1m, 5m, 15m, 30m, 60m, 240m, 1d, 1w, 1mo.
RESAMPLE_UP | input | cannot build {to} from {from}
  | Ask for a timeframe that is coarser than the source.
BAR_INVALID | data | bar {ts}: {check}
  | The provider sent a bar that cannot be true; it was not used.
CALENDAR_UNKNOWN | input | unknown {kind} {value}
  | Use an exchange calendar that is installed, such as XNYS or XLON.
SYMBOL_UNKNOWN | input | unknown {kind} {value}
  | Check the spelling, or ask which symbols are available.
OPENING_RANGE_INCOMPLETE | state | opening range {n}m completes at {ts}
  | Wait until the opening range is complete.
OPENING_RANGE_EMPTY | state | no trades in the first {n} minutes
  | Use another range, or another symbol.
ANCHOR_NOT_FOUND | input | anchor {anchor} not in data {first}..{last}
  | Choose an anchor inside the data.
ATR_ZERO | data | {name} undefined on this data
  | The prices do not move; choose another symbol or timeframe.
NUMERIC_DOMAIN | data | {name} undefined on this data
  | The inputs have no defined result; check them.
DATA_STALE | data | {what} is {age} old, limit {limit} | Wait for fresh data, then ask again.
CHAIN_STALE | data | {what} is {age} old, limit {limit} | Wait for a fresh chain, then ask again.
QUOTE_STALE | data | {what} is {age} old, limit {limit} | Wait for a fresh quote, then ask again.
DQ_BLOCK | state | data quality: {checks} | Nothing is advised on bad data; see the named finding.
CORPORATE_ACTION_PENDING | state | {symbol}: {action} on {date} not applied to bars
  | Wait until the corporate action is recorded.
FX_MISSING | data | FX {ccy}/{base} {reason} | A rate for this pair is needed first.
FX_STALE | data | FX {ccy}/{base} {reason} | Wait for a fresh rate, then ask again.
TICK_UNKNOWN | input | {symbol}: no {what} | The instrument record lacks it; an order needs it.
MULTIPLIER_UNKNOWN | input | {symbol}: no {what} | The contract record lacks it; an order needs it.
PRICE_OFF_TICK | input | {field}={px} is not on tick {tick}; nearest {lo} / {hi}
  | Use one of the two nearest valid prices.
STOP_WRONG_SIDE | input | stop {stop} is on the wrong side of entry {entry} for a {side}
  | Put the stop below the entry of a long, above it for a short.
TARGET_WRONG_SIDE | input | target {target} is on the wrong side of entry {entry} for a {side}
  | Put targets above the entry of a long, below it for a short.
TARGETS_NOT_MONOTONE | input | targets {targets} are not in order
  | List targets from the nearest to the farthest, each once.
NO_TARGET | input | a plan needs at least one target
  | Add a target, or leave targets out for 1, 2 and 3 R.
ENTRY_ZONE_INVERTED | input | entry zone {lo}..{hi} is upside down | Give the lower price first.
ENTRY_ZONE_WIDE | input | entry zone {lo}..{hi} is wider than {limit} | Narrow the entry zone.
FRACTIONS_SUM | input | fractions add up to {total}, not 1
  | Make the fractions and the runner add up to 1, each above 0.
PRICE_NON_POSITIVE | input | {field}={px} is not above 0 | Give a price above 0.
STOP_TOO_TIGHT | input | stop is {x} ATR from entry, allowed {lo}..{hi}
  | Widen the stop, or accept it as a warning.
STOP_TOO_WIDE | input | stop is {x} ATR from entry, allowed {lo}..{hi}
  | Tighten the stop, or accept it as a warning.
EARNINGS_IN_WINDOW | state | earnings {earnings} fall inside the plan
  | Weigh it before you trade.
NO_SETUP | state | no setup on {symbol}{side_words}: {why}
  | {nearest}
STOP_LOOSENED | state | stop may only move toward profit ({old} -> {new})
  | Keep the stop, or move it toward profit.
STOP_AT_MARKET | input | stop {stop} would trigger at once: the {side} leaves at {px}
  | Put the stop {where} the market, or close the position.
STOP_STANDS | state | a stop order at {stop} covers all of {symbol} already
  | Leave it, or give a price nearer to the market.
POSITION_NONE | state | you hold no {symbol} | Ask what you hold, and name one of that.
ROLL_UNAVAILABLE | state | {symbol} can not be rolled: {reason} | {todo}
RR_BELOW_MIN | input | RR {rr} below {min} | Choose a nearer stop or a farther target.
ENTRY_MISSED | state | price {px} is {r}R beyond the entry zone
  | Wait for a pullback, or make a new plan.
PLAN_EXPIRED | state | plan expired {ts} | Make a new plan.
SHORT_NOT_BORROWABLE | state | {symbol} {state} | This instrument cannot be sold short here.
HALTED | state | {symbol} {state} | Wait until trading resumes.
EQUITY_NON_POSITIVE | state | {what} | Fund the account before sizing a trade.
ACCOUNT_STALE | state | {what} | Wait for the next account sync.
CAP_INPUT_MISSING | state | {what} | An order needs this figure; a suggestion does not.
RISK_PCT_TOO_HIGH | input | risk {x} above maximum {max}
  | Risk less per trade, or change the policy first.
NEGATIVE_EDGE | state | confidence {p} <= break-even {pbe} at RR {rr}
  | Skip the trade, or find a better reward for the risk.
SIZE_BELOW_MIN_LOT | state | risk budget buys {x} units, minimum {lot}
  | Risk more, tighten the stop, or choose a cheaper instrument.
UNDEFINED_RISK | input | {strategy} has undefined risk
  | Only positions with defined risk can be proposed.
PDT_LIMIT | risk | {rule}: {numbers} | Wait until the day-trade count falls, or fund the account.
INTRADAY_MARGIN_DEFICIT | risk | {rule}: {numbers} | Reduce the order, or fund the account.
UNSETTLED_FUNDS | risk | {rule}: {numbers} | Wait until the sale settles.
RISK_BREACH | risk | {reason} | Reduce risk first; orders that reduce a position stay allowed.
FROZEN | risk | {reason}
  | Look into it, then cornerman unfreeze ID REASON; cancels stay allowed.
ALERT_LEVEL_INVALID | input | {rule} | Give a level above 0.
ALERT_THRESHOLD_RANGE | input | {rule} | Give a threshold of -20 to 20 percent.
ALERT_EXPIRED | input | expiry {expires_at} is in the past | Give a later time, or none.
ALERT_LEVEL_FAR | input | level {level} is more than 50 % from the last price {last}
  | Give a nearer level; with confirm_far it counts as it is.
ALERT_LIMIT | state | {count} alerts are active, at most {limit} may be
  | Delete an alert that is no longer needed.
ALERT_DUPLICATE | state | alert {id} says the same already | Change or delete that one.
ALERT_UNKNOWN | missing | no alert {id} | List your alerts.
ALERT_RULE_UNREAD | input | no alert in these words: {reason}
  | Say it like: AAPL > 200, or: notify when MSFT falls 2% below VWAP.
COOLDOWN | risk | {reason} | Wait until the cooldown ends.
START_CASH_INVALID | input | starting cash {cash} is not above 0 | Give a starting cash above 0.
INSUFFICIENT_CASH | state | needs {need}, available {have}
  | Reduce the quantity, or free cash first.
INSUFFICIENT_POSITION | state | needs {need}, holding {have}
  | Sell at most what is held; short selling is off for this account.
QTY_INVALID | input | quantity {qty}: {rule} | Give a whole positive quantity on the lot.
MARKET_CLOSED | state | {market} is {state}; next open {next_open}
  | Place a limit order good till cancelled, or wait for the open.
DUPLICATE_CLIENT_ID | state | client order id {id} was used before
  | The first order stands; look it up instead.
LOOKAHEAD | internal | {index} | A run asked for data later than its clock.
QUOTE_UNUSABLE | data | {contract}: {reason} | Wait for a two-sided market.
GREEKS_MISSING | data | {contract}: {reason} | Choose a contract whose quote gives a volatility.
IV_INVALID | input | {contract}: {reason} | Give a price or volatility that the model allows.
EMBARGO_TOO_SHORT | internal | {index} | Give an embargo of at least the longest time stop.
CANON_FLOAT | internal | float at {path} | Hashed documents hold text and whole numbers only.
"""

GATE = """
INPUTS_UNKNOWN | state | {ref} can not be made again: what it was made of was not stored with it
  | Its stored document stands; advice of today keeps its inputs.
PLAN_UNKNOWN | missing | no plan {id} | List your plans, or make a new one.
PROPOSAL_UNKNOWN | missing | no proposal {id} | List your proposals, or make a new one.
PROPOSAL_NOT_PENDING | state | proposal {id} is {status}: {reason} | Make a new proposal.
PROPOSAL_EXPIRED | state | proposal {id} expired at {ts}
  | Make a new proposal; prices have moved on.
PROPOSAL_VERSION | state | proposal {id} is at version {current}, you confirmed {given}
  | Open the new card; the old one is dead.
ORDER_HASH_MISMATCH | state | the order on the card is not the order on record
  | Open the card again and read it anew.
TOKEN_WRONG | forbidden | this confirmation token is not valid
  | Open the card again; after {left} more wrong tokens the proposal locks.
TOKEN_USED | state | this confirmation was already used: {outcome}
  | Nothing more happens; see the order.
TOKEN_EXPIRED | state | this confirmation expired at {ts} | Open the card again.
TOKEN_BINDING | forbidden | this confirmation belongs to another person, session or surface
  | Open the card on this surface.
CONFIRM_FRAMED | forbidden | a framed page can not confirm | Open the confirmation in its own page.
CONFIRM_TYPED_MISMATCH | input | typed {typed}, the order says {expected}
  | Type exactly what the card asks for.
CONFIRM_SERVICE_PRINCIPAL | forbidden | only a person can confirm
  | Confirm on the page, or in the terminal.
NO_TTY | state | no terminal to ask on | Run it in a terminal; a pipe can not confirm.
GUARD_REFUSED | risk | {guard}: {reason} | {todo}
KILL_SWITCH | risk | trading is halted: {reason}
  | Resume with a reason when it is safe: cornerman resume.
REDUCE_ONLY | risk | only orders that reduce a position are allowed: {reason}
  | Reduce a position, or resume.
POLICY_CHANGED | state | the policy changed since the proposal | Make a new proposal.
MODE_MISMATCH | state | the order is for {order_mode}, this process runs {mode}
  | Make a new proposal in this mode.
PRICE_DRIFT | state | price moved {drift_bps} bps since the proposal, limit {limit_bps}
  | Make a new proposal at the new price.
ORDER_UNKNOWN | missing | no order {id} | List your orders.
ORDER_FINAL | state | order {id} is {state}
  | It has ended; nothing of it can be cancelled or changed.
ORDER_BUSY | state | order {id} can not be changed now: {reason}
  | Wait until that is settled, or cancel the order, then ask again.
ORDER_CHANGED | state | order {id} has changed since this card was made
  | Ask for the change again; the new card shows the order as it stands.
FILL_UNKNOWN | missing | no fill {id} | List the fills.
FILL_CORRECTED | state | fill {id} is corrected already
  | A correction is final; post what is still missing by another one.
REPLACE_UNAVAILABLE | state | order {id} can not be changed in place: {reason}
  | Cancel it first; when it has ended, propose the new order.
ILLEGAL_TRANSITION | internal | order in {state} has no arrow for {event}
  | This is a defect; report it with the order id.
ORDER_IN_DOUBT | risk | an order on {symbol} is in doubt
  | Wait until it is looked up; nothing is sent twice.
BROKER_REJECTED | state | the broker refused the order: {reason}
  | Read the reason, then make a new proposal.
BROKER_ORDER_FINAL | state | order {id} has ended at the broker | Nothing can be cancelled.
BROKER_ACCOUNT | state | the broker refused the account, order or token: {reason}
  | Check account and token; the broker does not say which of them.
FREEZE_UNKNOWN | missing | no freeze {id} | List the freezes.
FREEZE_CLEARED | state | freeze {id} was cleared before | List the freezes.
RESUME_REASON | input | resuming needs a reason | Say why it is safe to trade again.
EDIT_EMPTY | input | the edit changes nothing | Change quantity, price or time in force.
"""

BOOK = """
BATCH_UNBALANCED | internal | batch {key} does not balance in {asset}: {sum}
  | This is a defect; nothing was posted.
BATCH_KEY_REUSED | state | key {key} was used for another batch | Use a new key for a new posting.
BATCH_UNKNOWN | missing | no batch {seq} in this portfolio | See the ledger for its batches.
REVERSAL_BLOCKED | state | batch {seq} can not be reversed: {reason}
  | Reverse the later batches first.
PORTFOLIO_UNKNOWN | missing | no portfolio {id} | List your portfolios, or open one.
PORTFOLIO_EXISTS | state | portfolio {name} exists with other terms
  | Use another name, or the same terms.
CURRENCY_MISMATCH | input | {given} given, {expected} expected | Use the currency of the portfolio.
AMOUNT_INEXACT | input | {field}={value} has more than {places} decimals
  | Give at most {places} decimals.
AMOUNT_RANGE | input | {field}={value} is out of range | Give a value inside {lo}..{hi}.
COST_METHOD_LOCKED | state | the cost method is fixed after the first sale
  | Open another portfolio for another method.
WATCHLIST_UNKNOWN | missing | no watchlist {id} | List your watchlists, or save one.
WATCHLIST_EXISTS | state | a watchlist named {name} exists | Change that one, or use another name.
BACKTEST_UNKNOWN | missing | no backtest {id} | List your backtests, or start one.
BACKTEST_LIMIT | state | there can be at most {limit} {what} | Wait, or ask for fewer.
WATCHLIST_LIMIT | input | there can be at most {limit} {what} | Remove some first.
DOCUMENT_UNKNOWN | missing | no document {hash} | List the documents.
DOCUMENT_REVOKED | state | document {hash} was revoked: {reason} | Fit a new one and approve that.
JOURNAL_UNKNOWN | missing | no journal entry {id} | List your journal.
JOURNAL_LOCKED | state | entry {id} records an execution and can not be changed
  | Edit the note beside it.
AUDIT_BROKEN | internal | audit chain breaks at {seq}: {reason}
  | Trading stays off until it is explained; see the runbook.
AUDIT_REF_UNKNOWN | missing | nothing is recorded about {ref}
  | Give the id of an order, proposal, plan or conversation.
LEDGER_DIFFERS | internal | snapshots differ from the entries in {count} places
  | Trading stays off until it is explained; see the runbook.
"""

DOORS = """
UNAUTHENTICATED | unauthenticated | no valid session or key
  | Open the login link that the server printed, or send an API key.
LOGIN_LINK_INVALID | unauthenticated | this login link is used or expired
  | Print a new one: cornerman login.
LOGIN_FAILED | unauthenticated | name or password is wrong | Try again.
SCOPE_MISSING | forbidden | this key lacks the scope {scope} | Use a key that has this scope.
ORIGIN_REFUSED | forbidden | origin {origin} is not allowed
  | Use the product's own page, or allow-list the origin.
HOST_REFUSED | forbidden | host {host} is not this server's name
  | Use the address that the server printed.
STEP_UP_NEEDED | forbidden | this needs a fresh login
  | Log in again, then repeat within five minutes.
NOT_FOUND | missing | nothing at {path} | See /docs for what exists.
METHOD_NOT_ALLOWED | missing | {method} is not allowed at {path} | See /docs for the method.
CONTENT_TYPE | input | body must be application/json, got {got}
  | Send Content-Type: application/json.
BODY_INVALID | input | {reason} | Correct the body and send it again.
BODY_TOO_LARGE | input | body is larger than {limit} | Send a smaller body.
RATE_LIMITED | limited | too many requests: {limit} | Wait {retry_after_s} s, then go on.
IDEMPOTENCY_KEY_MISSING | input | this route needs an Idempotency-Key header
  | Send 16 to 64 characters of A-Z a-z 0-9 _ -.
IDEMPOTENCY_KEY_INVALID | input | Idempotency-Key must be 16 to 64 characters of A-Z a-z 0-9 _ -
  | Send a valid key.
IDEMPOTENCY_KEY_REUSED | input | this Idempotency-Key was used with another body
  | Use a new key for a new request.
IDEMPOTENCY_IN_PROGRESS | state | the first request with this key is still running
  | Wait {retry_after_s} s, then repeat.
FEATURE_OFF | state | {feature} is off: {reason} | {todo}
SETTING_INVALID | input | {name}: {fault} | {todo}
SETTING_LOCKED | state | {name} is set by the environment
  | Remove it from the environment to edit it here.
SETTING_UNKNOWN | missing | no setting {name} | List the settings.
DATABASE_BUSY | data | the database is busy | Try again in a moment.
DATABASE_UNAVAILABLE | data | the database can not be reached or written
  | Check disk and connection, then try again.
SCHEMA_WRONG | internal | database is at {have}, this program needs {need} | Run: cornerman migrate.
GUARDS_MISSING | internal | database guards are missing: {names} | Run: cornerman migrate.
STREAM_LIMIT | limited | {limit} streams are open already | Close a tab, then go on.
CONVERSATION_UNKNOWN | missing | no conversation {id} | List your conversations, or start one.
RUN_UNKNOWN | missing | no run {id} | The run has ended or never was.
RUN_ACTIVE | state | a run is active in this conversation | Wait for it, or cancel it.
RUN_INTERRUPTED | data | the run was cut off by a restart
  | Send the message again; nothing was sent twice.
SESSION_UNKNOWN | missing | no session {id} | List your sessions.
API_KEY_UNKNOWN | missing | no API key {id} | List your keys.
INTERNAL_ERROR | internal | something went wrong inside
  | Try again; if it stays, report the request id.
EGRESS_TOKEN | internal | a confirmation token was about to leave
  | It was stopped; report this with the request id.
"""

COACH = """
TOOL_UNKNOWN | input | no tool {name}; there are {names} | Use one of the named tools.
TOOL_NOT_OFFERED | input | {name} is not offered for this request
  | Ask for it in your own words first.
ARGS_INVALID | input | {name}: {reason} | Correct the arguments and call again.
PROVENANCE_REFUSED | input | {field}={value} comes from nowhere you said
  | Say the {field} yourself, or size it first.
TOOL_TIMEOUT | data | {name} took too long | Answer without it, or try once more.
CALL_LIMIT | state | {what} | The run has used its calls; answer with what is known.
MODEL_BAD_REQUEST | data | the model endpoint refused the request: {reason}
  | Check model name and endpoint.
MODEL_UNAUTHORIZED | state | the model endpoint refused the key
  | Check the key of the model endpoint.
MODEL_NOT_FOUND | data | the model endpoint does not know {what} | Check base URL and model name.
MODEL_RATE_LIMITED | limited | the model endpoint is rate limited
  | Wait {retry_after_s} s, then ask again.
MODEL_UNAVAILABLE | data | the model endpoint does not answer: {reason}
  | The built-in rules answer meanwhile.
MODEL_TOOL_CALL_INVALID | data | the endpoint refused its model's tool call: {reason}
  | Ask again in other words.
MODEL_BODY_INVALID | data | the endpoint answered something that is no completion
  | Check that the base URL is a chat completions endpoint.
MODEL_STREAM_FAULT | data | the model's answer broke off: {reason} | Ask again.
PROVIDER_UNAUTHORIZED | state | {provider} refused the key | Check the key of this provider.
PROVIDER_NOT_ENTITLED | state | the plan at {provider} does not include {what}
  | Upgrade the plan, or do without.
PROVIDER_BAD_REQUEST | internal | {provider} refused the request: {reason}
  | This is a defect; report it.
PROVIDER_NOT_FOUND | input | {provider} has no {what} | Check the symbol or the dates.
PROVIDER_RATE_LIMITED | limited | {provider} is rate limited | Wait, then ask again.
PROVIDER_CONNECTION_LIMIT | limited | {provider} has no stream connection left for this account
  | Another process uses this key; stop it, or wait a minute.
PROVIDER_UNAVAILABLE | data | {provider} does not answer | Try again later.
PROVIDER_BODY_INVALID | data | {provider} sent a body that can not be read | Try again later.
PROVIDER_UNSUPPORTED | input | {what} is outside the product | Ask for stocks, options or indices.
NEWS_URL_INVALID | input | not an http(s) URL: {url} | Give a link that starts with https://.
"""

CATALOGUE: dict[str, CodeEntry] = _table(
    "\n".join(part.strip() for part in (RULES, GATE, BOOK, DOORS, COACH))
)
"""Every refusal code. Codes are stable and never reused; the order here is documentation order."""
