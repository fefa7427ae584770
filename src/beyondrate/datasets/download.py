"""Downloads that survive dead hosts and broken lines, and are what was published or are refused.

Mirrors are tried in turn; what has arrived of a file stays beside its place, and the next try, from whichever
mirror, goes on from there. A file whose hash is another one than published is never used.
"""

from __future__ import annotations

import hashlib
import http.client
import ssl
import urllib.error
import urllib.request
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from beyondrate.errors import InputError
from beyondrate.progress import Progress, silent

_BLOCK = 1 << 20
_TIMEOUT_S = 30
_BREAKS = (ConnectionError, TimeoutError, ssl.SSLError, http.client.HTTPException)
_FAILURES = (urllib.error.URLError, *_BREAKS)


def fetch(
    urls: Sequence[str],
    target: Path,
    *,
    md5: str | None,
    progress: Progress = silent,
    schemes: Collection[str] = ("https",),
) -> None:
    """Download a file from the first mirror that gives it whole, going on with what earlier tries have left.

    Args:
        urls: mirrors.
        target: where the file appears once it is whole; until then ``target`` with ".part" appended grows.
        md5: its published hash, or None if there is none to compare with.
        progress: told how many bytes have arrived.
        schemes: what addresses, those of redirections too, must begin with.

    Raises:
        InputError: if no mirror gives the file; it tells what each of them did, and both hashes where one
            gave another file.
    """
    part = target.with_name(target.name + ".part")
    reasons = []
    for url in urls:
        host = urlsplit(url).netloc
        for _ in range(2):  # what went on from an earlier try is fetched once more if it turns out wrong
            went_on = part.exists()
            try:
                _receive_all(url, part, schemes, progress)
            except _FAILURES as error:
                reasons.append(f"{host}: {_why(error)}")
                break
            found = md5_of(part)
            if md5 in (None, found):
                part.replace(target)
                return
            part.unlink()
            reasons.append(f"{host} gives a file with MD5 {found}, but {md5} was published")
            if not went_on:
                break
    raise InputError(
        f"cannot be downloaded ({'; '.join(reasons)})", remedy="try again later", file=target.name
    )


def read_small(url: str, *, schemes: Collection[str] = ("https",)) -> bytes:
    """Return what an address gives, at most a megabyte of it.

    Raises:
        InputError: if it gives nothing.
    """
    try:
        with _opener(schemes).open(_request(url, schemes), timeout=_TIMEOUT_S) as response:
            return response.read(_BLOCK)
    except _FAILURES as error:
        raise InputError(f"cannot be reached ({_why(error)})", remedy="try again later", file=url) from error


def md5_of(path: Path) -> str:
    """Return the MD5 of a file, as data sets are published with: it finds damage, not malice."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


class _Redirections(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but not away from the allowed schemes."""

    def __init__(self, schemes: Collection[str]) -> None:
        self.schemes = schemes

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        _check_scheme(newurl, self.schemes)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(schemes: Collection[str]) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(_Redirections(schemes))


def _check_scheme(url: str, schemes: Collection[str]) -> None:
    if urlsplit(url).scheme not in schemes:
        raise urllib.error.URLError(f"{url} is no {' or '.join(schemes)} address")


def _request(url: str, schemes: Collection[str], have: int = 0) -> urllib.request.Request:
    _check_scheme(url, schemes)
    wanted = {"Range": f"bytes={have}-"} if have else {}
    return urllib.request.Request(url, headers={"User-Agent": "beyondrate", **wanted})


def _receive_all(url: str, part: Path, schemes: Collection[str], progress: Progress) -> None:
    """Receive until the file is whole, going on after each break as long as something arrives."""
    while True:
        before = _size(part)
        try:
            if _receive(url, part, schemes, progress):
                return
        except _BREAKS:
            if _size(part) <= before:
                raise
        if part.exists() and _size(part) <= before:
            raise http.client.HTTPException(f"the line breaks after {before} bytes")


def _receive(url: str, part: Path, schemes: Collection[str], progress: Progress) -> bool:
    """Receive what is missing, or all of it if the server cannot go on; tell whether the file is whole."""
    have = _size(part)
    try:
        response = _opener(schemes).open(_request(url, schemes, have), timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise
        is_whole = error.headers.get("Content-Range", "") in (f"bytes */{have}", "")
        if not is_whole:
            part.unlink()
        return is_whole
    with response:
        goes_on = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise http.client.HTTPException("the server goes on at another byte than asked for")
        have = have if goes_on else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length is not None else None
        with part.open("ab" if goes_on else "wb") as file:
            while block := response.read(_BLOCK):
                file.write(block)
                have += len(block)
                progress(have, total or have, f"downloading {part.stem}")
    return total is None or have >= total


def _why(error: Exception) -> str:
    """Return what went wrong; urllib wraps it, but for answers of the server."""
    if isinstance(error, urllib.error.URLError) and not isinstance(error, urllib.error.HTTPError):
        return str(error.reason)
    return str(error) or type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
