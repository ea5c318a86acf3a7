"""Owns the pages: the desk, the chat to embed, one idea, the record, and the list of routes."""

from __future__ import annotations

import html
import re
from pathlib import Path

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

from app.http.unit import product_of
from services.kit.errors import refuse

WEB = Path(__file__).resolve().parent.parent / "web"
router = APIRouter()
_PLAN_ID = re.compile(r"plan_[0-9a-f]{16}", re.ASCII)
_UNBUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Cornerman</title>
<h1>The page is not built yet</h1>
<p>The server runs. The page needs its libraries once:</p><pre>make web</pre>
<p>Then reload. Until then, <code>cornerman chat</code> works in the terminal, and
<a href="/docs">the API</a> is open.</p></html>"""


def files() -> StaticFiles:
    """Return the app that serves `app/web` with ETag and last-modified."""
    return StaticFiles(directory=WEB, check_dir=False)


@router.get("/", include_in_schema=False)
async def desk(request: Request) -> Response:
    """Return the desk page, or what to run when its libraries are missing."""
    return _page(request, "index.html")


@router.get("/embed", include_in_schema=False)
async def embed(request: Request) -> Response:
    """Return the chat page that an allow-listed origin may frame."""
    name = "embed.html" if (WEB / "embed.html").is_file() else "index.html"
    return _page(request, name)


@router.get("/ideas/{id}", include_in_schema=False)
async def idea(request: Request, id: str) -> Response:  # noqa: A002
    """Return the read-only page that draws one plan; its data need a session."""
    if not _PLAN_ID.fullmatch(id):
        raise refuse("PLAN_UNKNOWN", id=ascii(id)[1:41])
    return _page(request, "idea.html")


@router.get("/scoreboard", include_in_schema=False)
async def scoreboard(request: Request) -> Response:
    """Return the page of the coach's own record; its data need a session."""
    return _page(request, "idea.html")


@router.get("/docs", include_in_schema=False)
async def show_docs(request: Request) -> Response:
    """Return the routes as a page without scripts; the machine form is `/openapi.json`."""
    rows = []
    for path, item in request.app.openapi()["paths"].items():
        rows += [
            f"<tr><td>{method.upper()}</td><td><code>{html.escape(path)}</code></td>"
            f"<td>{html.escape(operation.get('description', ''))}</td></tr>"
            for method, operation in item.items()
        ]
    return HTMLResponse(
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Cornerman API</title>'
        '<h1>Cornerman API</h1><p>The machine form is <a href="/openapi.json">openapi.json</a>.'
        f"</p><table><tbody>{''.join(rows)}</tbody></table></html>"
    )


def _page(request: Request, name: str) -> Response:
    path = WEB / name
    if not path.is_file() or not (WEB / "vendor").is_dir():
        return HTMLResponse(_UNBUILT, headers={"Cache-Control": "no-store"})
    text = path.read_text(encoding="utf-8").replace("{{version}}", product_of(request).version)
    return HTMLResponse(text, headers={"Cache-Control": "no-cache"})
