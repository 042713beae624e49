"""The local page of `pixfound look`: one's own image and prompt, explained in the browser.

It listens on the loopback interface only, and every address begins with a token that nobody else knows. Images and
texts are data: nothing of them is executed, stored on disk or sent anywhere. The pages of the last answers are kept in
memory. This file needs the extra `look` (starlette and uvicorn).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import json
import secrets
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import uvicorn
from loguru import logger
from markupsafe import Markup
from PIL import Image
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from pixfound_tasks.images import as_rgb
from pixfound_tasks.report.templates import make_environment

HOST = "127.0.0.1"
MOST_BYTES = 40_000_000  # of a request: an image in base64, and its texts
_MOST_PAGES, _MOST_TEXT, _MOST_PROMPTS = 20, 4000, 4
_HERE = Path(__file__).parent
_HEADERS = {
    "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN", "Cross-Origin-Resource-Policy": "same-origin",
}  # fmt: skip


class Asked(NamedTuple):
    """What somebody wants to be explained: an image (RGB) or None for a drawn scene, an expression, and prompts."""

    image: Image.Image | None
    name: str
    scene: int
    expression: str
    prompts: tuple[str, ...]


Answer = Callable[[Asked], str]  # returns the page of an explanation; raises ValueError if something is wrong


def make_app(answer: Answer, token: str, model: str) -> Starlette:
    """Returns the application. Requests are answered one after the other, because there is one model."""
    pages: OrderedDict[int, str] = OrderedDict()
    one_at_a_time = threading.Lock()
    form = _form(model)

    def explained(asked: Asked) -> int:
        with one_at_a_time:
            page = answer(asked)
            number = next(reversed(pages), 0) + 1
            pages[number] = page
            if len(pages) > _MOST_PAGES:
                pages.popitem(last=False)
            return number

    async def show_form(request: Request) -> Response:
        return HTMLResponse(form, headers=_HEADERS)

    async def show_page(request: Request) -> Response:
        page = pages.get(request.path_params["number"])
        if page is None:
            return _not_found()
        return HTMLResponse(page.encode("utf-8", "replace"), headers=_HEADERS)

    async def explain(request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin is not None and origin != f"{request.url.scheme}://{request.headers.get('host')}":
            return JSONResponse({"error": "expected a request of this page"}, 403, _HEADERS)
        try:
            asked = await run_in_threadpool(read_request, await _body(request))
            number = await run_in_threadpool(explained, asked)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 400, _HEADERS)
        except Exception as error:  # the page must say that something failed; the terminal has the details
            logger.exception("The explanation failed")
            return JSONResponse(
                {"error": f"the explanation failed ({type(error).__name__}); see the terminal"}, 500, _HEADERS
            )
        return JSONResponse({"number": number}, headers=_HEADERS)

    def guarded(endpoint: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def checked(request: Request) -> Response:
            if not secrets.compare_digest(request.path_params["token"].encode(), token.encode()):
                return _not_found()
            return await endpoint(request)

        return checked

    routes = [
        Route("/{token}/", guarded(show_form)),
        Route("/{token}/explain", guarded(explain), methods=["POST"]),
        Route("/{token}/answers/{number:int}", guarded(show_page)),
    ]
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])  # no other name may lead here
    app = Starlette(routes=routes, middleware=[hosts])
    app.router.redirect_slashes = False  # an address without the token says nothing
    return app


def _not_found() -> Response:
    return Response("Not found", 404, _HEADERS, "text/plain")


async def _body(request: Request) -> bytes:
    """Reads a request's body. Raises ValueError if it is larger than `MOST_BYTES`."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > MOST_BYTES:
            raise ValueError(f"expected an image of at most {MOST_BYTES * 3 // 4 // 10**6} MB; reduce it")
        chunks.append(chunk)
    return b"".join(chunks)


def read_request(body: bytes) -> Asked:
    """Reads what the form sends, as untrusted JSON. Raises ValueError with what is wrong."""
    try:
        given = json.loads(body)
    except ValueError as error:
        raise ValueError(f"expected JSON, but {error}") from error
    if not isinstance(given, dict):
        raise ValueError(f"expected a JSON object, but got {type(given).__name__}")
    image, scene, prompts = given.get("image"), given.get("scene", 1), given.get("prompts")
    if not isinstance(image, (str, type(None))) or not isinstance(scene, int):
        raise ValueError("expected an image in base64, or the number of a drawn scene")
    if not isinstance(prompts, list) or not 1 <= len(prompts) <= _MOST_PROMPTS:
        raise ValueError(f"expected 1 to {_MOST_PROMPTS} prompts")
    texts = [given.get("expression", ""), given.get("name", ""), *prompts]
    if any(not isinstance(text, str) or len(text) > _MOST_TEXT for text in texts):
        raise ValueError(f"expected texts of at most {_MOST_TEXT} characters")
    expression, name, *asked = texts
    if image is not None and not expression.strip():
        raise ValueError("expected what to look for in the image, such as: the dog's face")
    return Asked(None if image is None else _decoded(image), name, scene, expression.strip(), tuple(asked))


def _decoded(image: str) -> Image.Image:
    try:
        with Image.open(io.BytesIO(base64.b64decode(image, validate=True))) as opened:
            opened.load()
            return as_rgb(opened.copy())
    except (OSError, ValueError, SyntaxError, binascii.Error, Image.DecompressionBombError) as error:
        raise ValueError(f"expected an image that Pillow reads, such as PNG or JPEG: {error}") from error


def _form(model: str) -> str:
    script = (_HERE / "look.js").read_text(encoding="utf-8")
    return (
        make_environment(_HERE)
        .get_template("look.html.jinja")
        .render(
            model=model,
            style=Markup((_HERE / "page.css").read_text(encoding="utf-8")),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        )
    )


def serve(answer: Answer, model: str, port: int, announce: Callable[[str], None]) -> None:
    """Serves the page until it is interrupted. `port` 0 takes a free one; `announce` is told the address.

    Raises `ValueError` if the port is taken.
    """
    token = secrets.token_urlsafe(24)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((HOST, port))
        except OSError as error:
            raise ValueError(
                f"expected a free --port, but {port} cannot be used: {error.strerror}; try --port 0"
            ) from error
        announce(f"http://{HOST}:{listening.getsockname()[1]}/{token}/")
        # Addresses hold the token, so requests are not logged.
        config = uvicorn.Config(
            make_app(answer, token, model), log_level="warning", access_log=False, server_header=False
        )
        uvicorn.Server(config).run([listening])
