"""A hub of data sets on this machine, which the hub's client downloads from; it can break off, and says what it served.

    with serving({"IVUlab/pixmmvp": folder}) as hub: ...

A data set's revision is `SHA` for branch main, and nothing else is known.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

SHA = "c0ffee" * 6 + "c0de"


@dataclass
class Hub:
    """`cut` maps a file to the bytes after which its next download breaks off; `down` are those that fail."""

    folders: dict[str, Path]
    url: str = ""
    served: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)
    cut: dict[str, int] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)

    def files(self, repo: str) -> dict[str, bytes]:
        folder = self.folders[repo]
        return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def oid(content: bytes) -> str:
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@contextmanager
def serving(folders: dict[str, Path]) -> Iterator[Hub]:
    hub = Hub(folders)

    class Handler(_Handler):
        pass

    Handler.hub = hub
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, *args):
        pass

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        parts = [unquote(part) for part in urlsplit(self.path).path.strip("/").split("/")]
        if parts[:2] == ["api", "datasets"]:
            return self._api("/".join(parts[2:4]), parts[4], parts[5])
        if parts[0] == "datasets":
            return self._file("/".join(parts[1:3]), "/".join(parts[5:]))
        return self._send(404, b"", {})

    def _api(self, repo: str, what: str, revision: str):
        if repo not in self.hub.folders or revision not in ("main", SHA):
            header = "RevisionNotFound" if repo in self.hub.folders else "RepoNotFound"
            return self._send(404, b"{}", {"X-Error-Code": header, "X-Error-Message": "not here"})
        files = self.hub.files(repo)
        if what == "tree":
            found = [
                {"type": "file", "path": name, "size": len(content), "oid": oid(content)}
                for name, content in files.items()
            ]
        else:
            found = {"id": repo, "sha": SHA, "siblings": [{"rfilename": name} for name in files]}
        return self._send(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    def _file(self, repo: str, name: str):
        content = self.hub.files(repo).get(name)
        if content is None:
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound"})
        if name in self.hub.down:
            return self._send(403, b"", {})  # which the client does not try again
        headers = {"ETag": f'"{oid(content)}"', "X-Repo-Commit": SHA, "Accept-Ranges": "bytes"}
        if self.command == "HEAD":
            return self._send(200, content, headers)
        self.hub.served.append(name)
        asked = self.headers.get("Range")
        if asked:
            self.hub.ranges.append(f"{name} {asked}")
            start = int(asked.removeprefix("bytes=").split("-")[0])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return self._send(206, content[start:], headers)
        return self._send(200, content, headers, self.hub.cut.pop(name, None))

    def _send(self, status: int, body: bytes, headers: dict[str, str], cut: int | None = None):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:cut])
        self.close_connection = cut is not None or self.close_connection
