"""Owns where a request may come from, and the security headers that we answer with."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from services.kit.errors import refuse
from services.kit.settings import Settings

_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors {ancestors}; "
    "require-trusted-types-for 'script'; trusted-types lit-html"
)
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
_HEADER_MAX = 200


class Origins:
    """The addresses of this server and the foreign origins it allows."""

    def __init__(self, settings: Settings) -> None:
        self._served = settings.cornerman_mode == "served"
        self._foreign = frozenset(settings.origins)
        public = urlsplit(settings.public_base_url)
        names = {part.strip().lower() for part in settings.allowed_hosts.split(",") if part.strip()}
        self._hosts = frozenset(names | ({public.netloc.lower()} if public.netloc else set()))
        self._own = f"{public.scheme}://{public.netloc}".lower() if public.netloc else ""
        self.headers = self._headers("'none'")
        self.embed_headers = self._headers(" ".join(sorted(self._foreign)) or "'none'")
        self.shared_headers = self._headers("'none'", resource="cross-origin")

    def require_host(self, host: str) -> None:
        """Refuse a request whose Host is not ours (DNS rebinding). Raises `HOST_REFUSED`."""
        name = host.lower()
        bare = name.rsplit(":", 1)[0] if not name.endswith("]") else name
        known = self._hosts or frozenset(_LOOPBACK)
        if name not in known and bare not in known:
            raise refuse("HOST_REFUSED", host=_shown(host))

    def require_origin(self, headers: Mapping[bytes, str], *, cookie: bool) -> None:
        """Refuse a changing request from a foreign page. Raises `ORIGIN_REFUSED`.

        With a cookie the origin must be exactly ours, or, when the browser sends none, the fetch
        metadata must say same-origin. With a key a foreign origin must be allow-listed.
        """
        origin = headers.get(b"origin", "")
        if origin:
            own = self._is_own(origin, headers.get(b"host", ""))
            if not own and (cookie or origin not in self._foreign):
                raise refuse("ORIGIN_REFUSED", origin=_shown(origin))
        elif cookie and headers.get(b"sec-fetch-site") != "same-origin":
            raise refuse("ORIGIN_REFUSED", origin="(none)")

    def require_own_fetch(self, headers: Mapping[bytes, str], *, exactly: bool) -> None:
        """Refuse a reading request that a foreign page made with our cookie.

        `exactly` also refuses what a person typed into the address bar and what says nothing.
        """
        site = headers.get(b"sec-fetch-site", "")
        if site == "same-origin" or (not exactly and site in ("", "none")):
            return
        raise refuse("ORIGIN_REFUSED", origin=_shown(site or "(none)"))

    def is_foreign(self, origin: str) -> bool:
        """Return whether `origin` is an allow-listed foreign origin."""
        return origin in self._foreign

    def _is_own(self, origin: str, host: str) -> bool:
        if self._served:
            return origin.lower() == self._own
        return origin.lower() == f"http://{host.lower()}"

    def fixed_headers(self, path: str) -> list[tuple[bytes, bytes]]:
        """Return the headers of an answer at `path`.

        An allow-listed page frames `/embed`; any page may load the one script that makes the frame.
        """
        if path == "/embed":
            return self.embed_headers
        return self.shared_headers if path == "/web/embed.js" else self.headers

    def _headers(
        self, ancestors: str, *, resource: str = "same-origin"
    ) -> list[tuple[bytes, bytes]]:
        given = {
            "content-security-policy": _CSP.format(ancestors=ancestors),
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": resource,
            "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
        }
        if self._served:
            given["strict-transport-security"] = "max-age=31536000"
        return [(name.encode(), value.encode()) for name, value in given.items()]


def _shown(text: str) -> str:
    return "".join(char for char in text if char.isascii() and char.isprintable())[:_HEADER_MAX]
