"""Downloads from a server on this machine that behaves as badly as real ones do."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from beyondrate.datasets.download import fetch, md5_of, read_small
from beyondrate.errors import InputError

CONTENT = np.random.default_rng(0).bytes(3_000_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
HTTP = ("http",)


class Server(ThreadingHTTPServer):
    """Serves CONTENT at any path; what the path begins with says how."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []  # path, Range

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.asked.append((self.path, wanted))
        kind = self.path.split("/")[1]
        if kind == "missing":
            self.send_error(404)
        elif kind == "moved":
            self.send_response(302)
            self.send_header("Location", "/whole/file")
            self.end_headers()
        elif kind == "away":
            self.send_response(302)
            self.send_header("Location", "ftp://127.0.0.1/file")
            self.end_headers()
        else:
            self.give(kind, wanted)

    def give(self, kind: str, wanted: str | None) -> None:
        content = b"another file" * 1000 if kind == "wrong" else CONTENT
        start = int(re.findall(r"\d+", wanted)[0]) if wanted and kind != "norange" else 0
        if start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        breaks = kind == "breaks" or (kind == "norange" and len(self.server.asked) == 1)
        self.wfile.write(content[start : start + 1_000_000] if breaks else content[start:])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


DEAD = "http://127.0.0.1:9/file"


def test_a_file_arrives_whole_and_leaves_nothing_else(server: Server, tmp_path: Path) -> None:
    told: list[tuple[int, int, str]] = []
    target = tmp_path / "file.h5"
    fetch([server.url("whole")], target, md5=MD5, schemes=HTTP, progress=lambda *facts: told.append(facts))
    assert target.read_bytes() == CONTENT
    assert [path.name for path in target.parent.iterdir()] == ["file.h5"]
    assert told[-1] == (len(CONTENT), len(CONTENT), "downloading file.h5")
    assert [done for done, _, _ in told] == sorted(done for done, _, _ in told)


def test_dead_mirrors_are_passed_over(server: Server, tmp_path: Path) -> None:
    urls = [DEAD, server.url("missing"), server.url("moved")]
    fetch(urls, tmp_path / "file", md5=MD5, schemes=HTTP)
    assert md5_of(tmp_path / "file") == MD5
    assert [path for path, _ in server.asked] == ["/missing", "/moved", "/whole/file"]


def test_a_line_that_breaks_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    fetch([server.url("breaks")], tmp_path / "file", md5=MD5, schemes=HTTP)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=1000000-", "bytes=2000000-"]


def test_an_earlier_try_is_gone_on_with_from_another_mirror(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT[:2_999_999])
    fetch([DEAD, server.url("whole")], tmp_path / "file", md5=MD5, schemes=HTTP)
    assert md5_of(tmp_path / "file") == MD5
    assert server.asked == [("/whole", "bytes=2999999-")]


@pytest.mark.parametrize("md5", [MD5, None])
def test_what_had_arrived_whole_is_not_fetched_again(server: Server, tmp_path: Path, md5: str | None) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    fetch([server.url("whole")], tmp_path / "file", md5=md5, schemes=HTTP)
    assert md5_of(tmp_path / "file") == MD5
    assert len(server.asked) == 1


@pytest.mark.parametrize("left", [b"not what was published", CONTENT + b"more than there is"])
def test_wrong_remains_of_an_earlier_try_are_thrown_away(server: Server, tmp_path: Path, left: bytes) -> None:
    (tmp_path / "file.part").write_bytes(left)
    fetch([server.url("whole")], tmp_path / "file", md5=MD5, schemes=HTTP)
    assert md5_of(tmp_path / "file") == MD5
    assert [wanted for _, wanted in server.asked] == [f"bytes={len(left)}-", None]


def test_a_server_that_cannot_go_on_starts_again(server: Server, tmp_path: Path) -> None:
    fetch([server.url("norange")], tmp_path / "file", md5=MD5, schemes=HTTP)
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=1000000-"]


def test_another_file_is_refused_with_both_hashes(server: Server, tmp_path: Path) -> None:
    found = hashlib.md5(b"another file" * 1000).hexdigest()
    with pytest.raises(InputError, match=f"gives a file with MD5 {found}, but {MD5} was published"):
        fetch([server.url("wrong")], tmp_path / "file", md5=MD5, schemes=HTTP)
    assert list(tmp_path.iterdir()) == []
    fetch([server.url("wrong"), server.url("whole")], tmp_path / "file", md5=MD5, schemes=HTTP)
    assert md5_of(tmp_path / "file") == MD5


def test_every_mirror_is_named_with_its_reason(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        fetch([DEAD, server.url("missing")], tmp_path / "file", md5=MD5, schemes=HTTP)
    assert re.search(r"127\.0\.0\.1:9: .*refused.*; 127\.0\.0\.1:\d+: .*404", str(caught.value))


def test_other_schemes_are_refused_at_first_and_by_redirection(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"http://.* is no https address"):
        fetch([server.url("whole")], tmp_path / "file", md5=MD5)
    with pytest.raises(InputError, match="no https address"):
        read_small((tmp_path / "file").as_uri())
    assert server.asked == []
    with pytest.raises(InputError, match=r"ftp://127\.0\.0\.1/file is no http address"):
        fetch([server.url("away")], tmp_path / "file", md5=MD5, schemes=HTTP)


def test_small_answers(server: Server) -> None:
    assert read_small(server.url("wrong"), schemes=HTTP) == b"another file" * 1000
    assert len(read_small(server.url("whole"), schemes=HTTP)) == 1 << 20
    with pytest.raises(InputError, match=r"cannot be reached .*404"):
        read_small(server.url("missing"), schemes=HTTP)
