"""A server on the loopback that speaks the chat-completions protocol and misbehaves as it is told."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Any, NamedTuple

Turn = Callable[[BaseHTTPRequestHandler], None]


class Received(NamedTuple):
    """A request's body, and when it came in seconds."""

    body: dict[str, Any]
    at: float


class ChatServer:
    """Takes one turn per request, the last one over and over; a context manager that serves while it is open."""

    def __init__(self, *turns: Turn) -> None:
        self.turns = list(turns)
        self.received: list[Received] = []
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> ChatServer:
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        chat = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with chat._lock:
                    chat.received.append(Received({**body, "path": self.path}, time.monotonic()))
                    self.body = body
                    turn = chat.turns.pop(0) if len(chat.turns) > 1 else chat.turns[0]
                turn(self)

            def log_message(self, *args: object) -> None:
                pass

        return Handler


def says(text: str | None, finish_reason: str = "stop") -> Turn:
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice], "usage": usage}
    return lambda handler: _send(handler, 200, body)


def fails(status: int, code: str | None = None, message: str = "", **headers: str) -> Turn:
    body = {"error": {"message": message or f"told to fail with {status}", "type": "error", "code": code}}
    return lambda handler: _send(handler, status, body, {name.replace("_", "-"): v for name, v in headers.items()})


def raves(handler: BaseHTTPRequestHandler) -> None:
    """Fine, but no chat completion."""
    _send(handler, 200, {"hello": "world"})


def drops(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    with suppress(OSError):  # the client may have been faster
        handler.connection.shutdown(socket.SHUT_RDWR)


def waits(seen: Event, turn: Turn) -> Turn:
    """A turn taken when `seen` is set, at the latest after ten seconds."""

    def take(handler: BaseHTTPRequestHandler) -> None:
        seen.wait(10)
        turn(handler)

    return take


def dawdles(handler: BaseHTTPRequestHandler) -> None:
    """Hold the line for longer than a client of little patience, who then has hung up."""
    time.sleep(3)
    drops(handler)


def _send(handler: BaseHTTPRequestHandler, status: int, body: dict, headers: dict[str, str] | None = None) -> None:
    content = json.dumps(body).encode()
    handler.send_response(status)
    for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)
