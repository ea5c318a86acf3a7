"""Owns reading ordinary phrases: what a sentence asks for, as an errand; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from agent.model.book_errands import BALANCES_SHAPE, FILLS_SHAPE, RISK_SHAPE
from agent.model.bracket_errands import BRACKET_SHAPE
from agent.model.change_errands import CHANGE_SHAPE
from agent.model.position_errands import MANAGE_SHAPE
from agent.model.record_errands import BACKTEST, SCORE
from agent.model.spoken import sells, side_of, symbols_of, timeframe_of, values_of


class Errand(StrEnum):
    """What the rule model can be asked to do."""

    QUOTE = "quote"
    BARS = "bars"
    PLAN = "plan"
    SIZE = "size"
    ORDER = "order"
    CANCEL = "cancel"
    CHANGE = "change"
    MANAGE = "manage"
    BRACKET = "bracket"
    ORDERS = "orders"
    FILLS = "fills"
    BALANCES = "balances"
    RISK = "risk"
    HOLDINGS = "holdings"
    PORTFOLIO = "portfolio"
    NOTE = "note"
    JOURNAL = "journal"
    WHY = "why"
    NEWS = "news"
    EARNINGS = "earnings"
    CHAIN = "chain"
    MARKET = "market"
    HEALTH = "health"
    FREEZES = "freezes"
    WATCH = "watch"
    ALERT = "alert"
    ALERT_LIST = "alert_list"
    ALERT_CHANGE = "alert_change"
    ALERT_DROP = "alert_drop"
    PICKS = "picks"
    OPTION_PICKS = "option_picks"
    WEEKEND = "weekend"
    REPLAY = "replay"
    SCORE = "score"
    BACKTEST = "backtest"
    HELP = "help"
    CONFIRM = "confirm"
    EDIT = "edit"
    HALT = "halt"
    PASTE = "paste"
    NOTHING = "nothing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One read sentence: the errand and every value that the person named, as they wrote it.

    `sells` is true for selling what is held; `side` is then `short` as well. `unread` is a number
    or a condition without a role: an order with one is not prepared.
    """

    errand: Errand
    symbols: tuple[str, ...] = ()
    side: str | None = None
    sells: bool = False
    quantity: str | None = None
    entry: str | None = None
    stop: str | None = None
    targets: tuple[str, ...] = ()
    risk: str | None = None
    limit: str | None = None
    stop_order: bool = False
    unread: str | None = None
    tif: str | None = None
    timeframe: str | None = None
    days: int | None = None
    refers_back: bool = False
    everything: bool = False
    half: bool = False
    ref: str | None = None
    text: str = ""

    @property
    def symbol(self) -> str | None:
        """Return the first symbol named, or None."""
        return self.symbols[0] if self.symbols else None


_FLAGS = re.IGNORECASE | re.ASCII
_REF = re.compile(r"\b((?:ord|prop|plan|res|r|c|jr|fill)_[a-z0-9]{6,40})\b", re.ASCII)
_BACK = re.compile(
    r"\b(?:it|that|this|them|same|the (?:trade|plan|setup|idea|position|card))\b", _FLAGS
)
_ALL = re.compile(
    r"\ball\b|\bclose\b|\bexit\b|\beverything\b|\bliquidate\b|\bout of\b"
    r"|\b(?:whole|entire|full) (?:position|holding)",
    _FLAGS,
)
_DAYS = re.compile(r"\b(?:last|past) (\d{1,3}) days?\b", _FLAGS)
_SPANS = {"today": 1, "this week": 7, "last week": 7, "this month": 31, "last month": 31}
_POLITE = (
    r"^\W*(?:(?:please|ok|okay|now|then|and|just|let'?s|let us|go ahead and|i'd like to"
    r"|i would like to|i want to|i wanna|can you|could you|would you|can we)[\s,]+)*"
)
_DO = (
    r"(?:buy|sell|short|close|exit|trim|dump|reduce|liquidate|purchase|get me|get out|go (?:long"
    r"|short)|pick up|add \d|take (?:it|that|this|the trade)|do (?:it|that|the trade)|go for it"
    r"|place|pull the trigger)\b(?! prices?\b)"
)
_NOT = (
    r"\b(?:don'?t|do not|never|no need to)\s+(?:\w+\s+){0,2}?"
    r"(?:buy|sell|short|order|place|prepare|cancel|do)\b"
)

_SHAPES: tuple[tuple[Errand, re.Pattern[str]], ...] = tuple(
    (errand, re.compile(pattern, _FLAGS))
    for errand, pattern in (
        (Errand.PASTE, r"\[confirmation token removed\]"),
        (Errand.HALT, r"^\W*(?:please )?(?:halt|kill switch|panic|stop (?:all )?trading|resume)\b"),
        (
            Errand.CONFIRM,
            (
                r"^\W*(?:yes|y|yep|sure|ok go|confirm(?:ed)?|approved?|execute)"
                r"(?: it| that| the (?:order|card))?\W*$"
            ),
        ),
        (
            Errand.NOTE,
            (
                r"^\W*(?:note|journal|remember|log)"
                r"(?: that| to)?\s*[:,]?\s+(?!list|entries|notes)[^\s:,]"
                r"|\b(?:add|write|put|save)\b.{0,60}\b(?:journal|diary)\b"
            ),
        ),
        (Errand.JOURNAL, r"\b(?:journal|diary|my notes)\b"),
        (Errand.NOTHING, _NOT),
        (
            Errand.REPLAY,
            (
                r"^\W*(?:please )?(?:replay|re-?make)\b"
                r"(?=.*\b(?:plan|check|size|it|that)\b|.*\b(?:plan|res)_)"
            ),
        ),
        (Errand.BACKTEST, BACKTEST),
        (Errand.SCORE, SCORE),
        (
            Errand.WEEKEND,
            (
                r"\bweek-?end (?:plan|planner|ideas?|picks?)\b|\bplan (?:for )?(?:the|my|this|next)"
                r" (?:coming |next )?week(?:end)?\b"
            ),
        ),
        (
            Errand.OPTION_PICKS,
            (
                r"\b(?:options?|contracts?|leaps|calls?|puts?) picks?\b"
                r"|\bpick (?:me )?(?:an? |some )?(?:options?|contracts?|leaps|calls?|puts?)\b"
                r"|\bbest (?:options?|contracts?|leaps|calls?|puts?)\b"
            ),
        ),
        (
            Errand.PICKS,
            (
                r"^\W*(?:\w+ )?picks?\W*$|\bscan\b.{0,30}\b(?:watch ?lists?|list|market|holdings)"
                r"|\b(?:any|what|which|find|show|best)\b.{0,24}\b(?:set ?ups|ideas|picks)\b"
                r"|\bset ?ups?\b.{0,16}\b(?:in|on|from) (?:my|the) (?:\w+ )?list\b"
            ),
        ),
        (Errand.WATCH, r"\bwatch ?lists?\b"),
        (Errand.ALERT_DROP, r"\b(?:delete|remove|cancel|drop|clear)\b.{0,40}\balerts?\b"),
        (
            Errand.ALERT_CHANGE,
            r"\b(?:change|move|update|raise|lower)\b.{0,40}\balerts?\b.{0,20}\bto\b",
        ),
        (
            Errand.ALERT,
            (
                r"\b(?:alert|notify|warn|ping) (?:me|us|when|if|once)\b"
                r"|\b(?:tell me|let me know) (?:when|if|once|as soon as)\b"
                r"|\b(?:set|create|add|make)\b.{0,20}\balerts?\b"
                r"|^\s*\$?[A-Za-z][A-Za-z.]{0,14}\s*[<>]=?\s*\$?\d[\d,.]*\W*$"
            ),
        ),
        (
            Errand.ALERT_LIST,
            r"\b(?:my|list|show|what|which|any|all|the)\b.{0,24}\balerts?\b|^\W*alerts?\W*$",
        ),
        (Errand.CANCEL, r"^(?!\W*(?:why|buy|sell)\b).*\bcancel\b"),
        (Errand.BRACKET, BRACKET_SHAPE),
        (Errand.CHANGE, CHANGE_SHAPE),
        (Errand.MANAGE, MANAGE_SHAPE),
        (Errand.ORDER, _POLITE + _DO),
        (
            Errand.SIZE,
            (
                _POLITE + r"(?:(?:make|change|set|raise|lower|do|use|try|keep) )?(?:it|that)?\s*"
                r"(?:(?:the |my )?risk(?:ing)?\s*)?(?:at|to|with|only)?\s*\d+(?:\.\d+)?\s*"
                r"(?:%|percent)(?: of risk| risk)?(?: instead| please| now| then)*\W*$"
            ),
        ),
        (
            Errand.EDIT,
            (
                r"^\W*(?:make (?:it|that)|change|edit|modify|raise|lower)\b(?!.{0,30}\bstop\b)"
                r".{0,30}(?:\d|order|card|limit|quantity)"
            ),
        ),
        (
            Errand.FREEZES,
            (
                r"\b(?:what|which|what's|anything|something|nothing)\b.{0,24}\bfrozen\b"
                r"|\b(?:list|show|my|any|which|the|current)\b.{0,16}\bfreezes?\b|^\W*freezes?\W*$"
            ),
        ),
        (
            Errand.HEALTH,
            (
                r"\bdata (?:health|quality)\b"
                r"|\b(?:is|are|how(?:'s| is| are)|trust|check|wrong with)\b.{0,40}\bdata\b"
                r"|\b(?:is|are)\b.{0,30}\b(?:frozen|blocked|quarantined)\b"
                r"|\bwhy (?:can(?:'?t|not)|won'?t|don'?t|do(?:es)? not|will not|did)\b.{0,12}"
                r"\b(?:refuse(?: to)? |not )?(?:plan|size|advise|check|trade)\b"
                r"|\bwhy (?:do|did|are) you\b.{0,16}\bnothing\b.{0,8}\b(?:on|about|for)\b"
            ),
        ),
        (Errand.NEWS, r"\b(?:news|headlines?)\b"),
        (
            Errand.EARNINGS,
            r"\bearnings\b|^\W*when (?:do|does|will|is|are)\b.{0,40}\breport(?:s|ing)?\b",
        ),
        (
            Errand.CHAIN,
            (
                r"\boptions? chain\b|^\W*(?:show (?:me )?|list )?(?:the )?(?:options|calls|puts)\b"
                r"|\b(?:options|calls|puts|expirations?|expir(?:y|ies)) (?:for|of|on)\b"
                r"|^\W*[A-Za-z.]{1,6} (?:options|calls|puts|chain|expirations?)\b"
            ),
        ),
        (
            Errand.MARKET,
            (
                r"^(?!.*\b(?:plan|stop|size|target)\b).*(?:\bmarket (?:status|hours)\b|\bhalf day\b"
                r"|\b(?:markets?|exchanges?)\b.{0,20}\b(?:open(?:s|ing)?|clos(?:e|ed|es|ing)|holiday)\b"
                r"|\b(?:open|closed)\b.{0,12}\bmarkets?\b)"
            ),
        ),
        (
            Errand.QUOTE,
            (
                r"^\W*why (?:is|are|did|has)\b.*\b(?:up|down|fall(?:en|ing)?|fell|ris(?:e|en|ing)"
                r"|rose"
                r"|drop(?:ped|ping)?|mov(?:e|ed|ing))\b"
            ),
        ),
        (
            Errand.HOLDINGS,
            (
                r"\b(?:what|which).{0,20}\b(?:hold|own|holding|held)\b"
                r"|\bmy (?:positions?|holdings?)\b"
                r"|^\W*(?:show |list )?(?:open )?(?:positions?|holdings?)\W*$"
                r"|\bdo i (?:hold|own|have)\b"
            ),
        ),
        (
            Errand.WHY,
            (
                r"^\W*why\b|\bwhy did\b|\bexplain "
                r"(?:that|this|it|the (?:order|trade|proposal|card))"
                r"|\baudit\b|\bwhat happened\b|\bhistory of (?:order|card)"
            ),
        ),
        (Errand.FILLS, FILLS_SHAPE),
        (Errand.BALANCES, BALANCES_SHAPE),
        (Errand.RISK, RISK_SHAPE),
        (
            Errand.PORTFOLIO,
            (
                r"\b(?:portfolio|account|balance|cash|equity|p&l|pnl|how am i doing|how much did i"
                r"|buying power|performance)\b"
            ),
        ),
        (
            Errand.ORDERS,
            (
                r"\b(?:my|open|working|list|show|recent)\b.{0,12}\b(?:orders?|fills|trades)\b"
                r"|^\W*(?:orders?|fills|trades)\W*$|\border.{0,20}\b(?:filled|status|done)\b"
                r"|\bstatus of\b|\bdid it fill\b"
            ),
        ),
        (
            Errand.BARS,
            r"^\W*(?:what|where|how|when)(?:'?s| is| was| did)\b.{0,40}\bclos(?:e|ed|ing)\b",
        ),
        (
            Errand.HELP,
            (
                r"^\W*(?:help|what can you do|commands?|hello|hi|hey|who are you"
                r"|good (?:morning|evening"
                r"|afternoon))\b|\bhow do(?:es)? (?:i|this|it)\b"
            ),
        ),
        (
            Errand.WHY,
            (
                r"^\W*how (?:sure|confident) are you\b"
                r"|\bchange (?:your|my) mind\b|\bwhat would (?:make|prove) you wrong\b"
            ),
        ),
        (Errand.SIZE, r"\brisk\w*\s+(?:only )?(?:a )?half\b|\bhalf (?:of )?(?:the|my) risk\b"),
        (Errand.SIZE, r"\b(?:size|sizing|how many|how much should)\b|^\W*(?:and )?risk\w* \d"),
        (Errand.PLAN, r"\b(?:plan|check)\b|\bset ?up\b"),
        (Errand.ORDER, r"\b(?:buy|sell|short|close|exit|trim|order)\b(?! (?:price|at the))"),
        (Errand.BARS, r"\b(?:bars?|candles?|chart|history)\b"),
        (
            Errand.QUOTE,
            (
                r"\b(?:quote|prices?|doing|trading|trade at|worth|look(?:s|ing)?|how(?:'s| is)"
                r"|compare"
                r"|what(?:'s| is| about|s)|how about)\b"
            ),
        ),
        (Errand.PLAN, r"\b(?:stop|targets?)\b\D{0,20}\d|\blong\b|\d\s*% stop"),
    )
)
_NEED_SYMBOL = (Errand.PLAN, Errand.QUOTE, Errand.BARS)


def read(text: str, names: Mapping[str, str]) -> Wish:
    """Return what `text` asks for. `names` maps lower-case symbols and words to symbols.

    Worked: `buy 50 msft stop 26.10` is an order of 50 MSFT, side long, protective stop 26.10.
    """
    said = text.replace("\u2019", "'")[:2000]
    symbols = symbols_of(said, names)
    errand = next((kind for kind, shape in _SHAPES if shape.search(said)), None)
    if errand is None:
        errand = Errand.QUOTE if symbols and len(said.split()) <= 4 else Errand.UNKNOWN
    if errand in _NEED_SYMBOL and not symbols and not _leads_back(errand, said):
        errand = Errand.UNKNOWN
    if errand is Errand.PICKS:
        symbols = tuple(one for one in symbols if one in names.values())
        errand = Errand.PLAN if symbols else errand
    return _with_values(errand, said, symbols)


def _leads_back(errand: Errand, text: str) -> bool:
    """Return True when a sentence without a symbol goes on about the one before."""
    if errand is Errand.PLAN and re.search(r"\d", text):
        return True
    return _BACK.search(text) is not None or bool(re.match(r"\W*(?:bars|chart)\W*$", text, _FLAGS))


def _with_values(errand: Errand, text: str, symbols: tuple[str, ...]) -> Wish:
    selling, ref = sells(text), _REF.search(text)
    bare = text.replace(ref[0], " ") if ref else text
    values = values_of(bare, orders=errand in (Errand.ORDER, Errand.BRACKET), sells=selling)
    return Wish(
        errand=errand,
        symbols=symbols,
        side=side_of(text),
        sells=selling,
        quantity=values.quantity,
        entry=values.entry,
        stop=values.stop,
        targets=values.targets,
        risk=values.risk,
        limit=values.limit,
        stop_order=values.stop_order,
        unread=values.unread,
        tif="gtc" if re.search(r"\bgtc\b|good till cancel", text, _FLAGS) else None,
        timeframe=timeframe_of(text),
        days=_days(text),
        refers_back=_BACK.search(text) is not None,
        everything=_ALL.search(text) is not None,
        half=re.search(r"\bhalf\b", text, _FLAGS) is not None,
        ref=ref[1] if ref else None,
        text=text,
    )


def _days(text: str) -> int | None:
    found = _DAYS.search(text)
    if found is not None:
        return max(1, int(found[1]))
    return next((days for span, days in _SPANS.items() if span in text.lower()), None)
