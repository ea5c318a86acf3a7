"""Owns the canonical form of a news link: equal stories get equal text, nothing is fetched."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from services.kit.errors import Refusal, refuse

_DROPPED = frozenset(
    {
        *("gclid", "fbclid", "dclid", "gbraid", "wbraid", "msclkid", "mc_cid", "mc_eid"),
        *("igshid", "yclid", "ref", "ref_src", "cmpid", "ncid", "guccounter", "src", "sh"),
    }
)
_DROPPED_STARTS = ("utm_", "guce_", "soc_")
_LAST_SEGMENTS = ("amp", "index.html", "index.htm")
_SAFE = "!$&'()*+,;=:@-._~"
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_LONE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")


def canonical_url(url: str) -> str:
    """Return the https form of a link by the six steps of news deduplication.

    Trackers, user info, default ports, `www.`, `m.` and `amp.`, the fragment and a trailing slash
    go; escapes are rewritten and the query sorted. Raises `NEWS_URL_INVALID`.
    Worked: `HTTPS://www.Example.com:443/news/apple-beats/?utm_source=x&b=2&a=1#top` is
    `https://example.com/news/apple-beats?a=1&b=2`.
    """
    trimmed = url.strip()
    try:
        parts = urlsplit(trimmed)
        port = parts.port
    except ValueError as error:
        raise _invalid(url) from error
    if parts.scheme not in ("http", "https") or _CONTROL.search(trimmed) or not parts.hostname:
        raise _invalid(url)
    host = _host(parts.hostname, url)
    shown_port = "" if port in (None, 80, 443) else f":{port}"
    query = _query(parts.query)
    return f"https://{host}{shown_port}{_path(parts.path)}" + (f"?{query}" if query else "")


def _invalid(url: str) -> Refusal:
    return refuse("NEWS_URL_INVALID", url=url[:200])


def _host(name: str, url: str) -> str:
    host = name.lower().rstrip(".")
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError as error:
            raise _invalid(url) from error
    host = host.removeprefix("www.")
    for prefix in ("m.", "amp."):
        if host.count(".") >= 2:
            host = host.removeprefix(prefix)
    if not host:
        raise _invalid(url)
    return f"[{host}]" if ":" in host else host


def _path(path: str) -> str:
    kept: list[str] = []
    for segment in path.split("/"):
        plain = _encoded(segment)
        if plain == "..":
            kept = kept[:-1]
        elif plain not in ("", "."):
            kept.append(plain)
    if kept and kept[-1].lower() in _LAST_SEGMENTS:
        kept.pop()
    return "/" + "/".join(kept)


def _encoded(segment: str) -> str:
    """Return a segment with unreserved escapes decoded and every other one in capitals."""
    escaped = quote(_LONE_PERCENT.sub("%25", segment), safe=_SAFE + "%")
    return _ESCAPE.sub(_unescaped, escaped)


def _unescaped(escape: re.Match[str]) -> str:
    letter = chr(int(escape.group(1), 16))
    plain = letter.isascii() and (letter.isalnum() or letter in "-._~")
    return letter if plain else escape.group(0).upper()


def _query(query: str) -> str:
    pairs = [
        (name, value)
        for name, value in parse_qsl(query, keep_blank_values=True)
        if name.lower() not in _DROPPED and not name.lower().startswith(_DROPPED_STARTS)
    ]
    return urlencode(sorted(pairs))
