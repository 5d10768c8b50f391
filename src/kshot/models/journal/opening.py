"""The journal's tables, and connections to a file that surely is a journal."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path
from urllib.parse import quote

from kshot.errors import InputError
from kshot.models.journal.refusals import ELSEWHERE

APPLICATION = 0x6B736A31  # stands in the file's header and tells it from other programs' files
VERSION = 1
PAGES_KIB = 16_384
LONGEST_NAP_S = 0.05
TABLES = """
CREATE TABLE requests (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, body NOT NULL);
CREATE TABLE calls (
  id INTEGER PRIMARY KEY, request INTEGER NOT NULL REFERENCES requests (id), is_current INTEGER NOT NULL,
  created INTEGER NOT NULL, step TEXT NOT NULL, model TEXT NOT NULL, status TEXT NOT NULL,
  prompt_tokens INTEGER NOT NULL, completion_tokens INTEGER NOT NULL, usd REAL NOT NULL,
  price_prompt REAL, price_completion REAL, latency_s REAL NOT NULL, attempts INTEGER NOT NULL,
  finish_reason TEXT NOT NULL, endpoint NOT NULL, error NOT NULL, logprobs TEXT, text NOT NULL);
CREATE INDEX calls_of_request ON calls (request, is_current);
CREATE TABLE claims (
  key BLOB PRIMARY KEY, owner TEXT NOT NULL, place TEXT NOT NULL, pid INTEGER NOT NULL,
  started INTEGER NOT NULL, expires REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE hits (
  step TEXT NOT NULL, model TEXT NOT NULL, count INTEGER NOT NULL, usd REAL NOT NULL,
  PRIMARY KEY (step, model)) WITHOUT ROWID;
"""


def opened(path: Path, *, read_only: bool, wait_s: float) -> sqlite3.Connection:
    """A checked connection; the file is made where it may be.

    Raises:
        InputError: The file is no journal, or is missing and only to be read.
        OSError, sqlite3.Error: As they say.
    """
    if path.is_dir():
        raise InputError(f"{path}: this is a folder; a journal is one file")
    if read_only:
        if not path.exists():
            raise InputError(f"{path}: there is no journal; a run that asks an endpoint makes it")
        return _checked(path, _readable(path, wait_s))
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(
        os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    )  # prompts are private
    connection = connected(path, "rw", wait_s)
    try:
        _made(path, connection, wait_s)
    except BaseException:
        connection.close()
        raise
    return _checked(path, connection)


def connected(path: Path, mode: str, wait_s: float) -> sqlite3.Connection:
    """A connection to a file that exists: ``mode`` is SQLite's, ``rw`` or ``ro``."""
    address = f"file:{quote(os.fspath(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(
        address, uri=True, timeout=wait_s, isolation_level=None, check_same_thread=False
    )
    try:
        connection.execute(f"PRAGMA cache_size = -{PAGES_KIB}")
        connection.execute("PRAGMA secure_delete = 1")  # what is cleared leaves no text behind
        connection.execute("PRAGMA schema_version").fetchone()  # the file is looked at here
    except BaseException:
        connection.close()
        raise
    return connection


def _readable(path: Path, wait_s: float) -> sqlite3.Connection:
    """To read only; where the folder cannot be written to and nobody writes, without locks."""
    try:
        return connected(path, "ro", wait_s)
    except sqlite3.OperationalError:
        if path.with_name(f"{path.name}-wal").exists() or os.access(path.parent, os.W_OK):
            raise
        return connected(path, "ro&immutable=1", wait_s)


def _made(path: Path, connection: sqlite3.Connection, wait_s: float) -> None:
    """Tables in an empty file. Several processes may come at once: one makes them, the others wait."""
    until = time.monotonic() + wait_s
    while True:
        try:
            (pages,) = connection.execute("PRAGMA page_count").fetchone()
            if not pages:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
            elif _has_tables(connection):
                return  # made already, or another program's: then nothing is changed
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("BEGIN IMMEDIATE")
            if not _has_tables(connection):
                for statement in TABLES.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA application_id = {APPLICATION}")
                connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("COMMIT")
            return
        except sqlite3.OperationalError as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            is_busy = (getattr(error, "sqlite_errorname", "") or "").startswith("SQLITE_BUSY")
            if not is_busy or time.monotonic() > until:  # a change of mode does not wait by itself
                raise
            time.sleep(LONGEST_NAP_S)


def _checked(path: Path, connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        application, version = _numbers(connection)
        if application != APPLICATION:
            raise InputError(f"{path}: this SQLite file is another program's, and no journal; {ELSEWHERE}")
        if version > VERSION:
            raise InputError(
                f"{path}: written by a newer kshot (format {version}, this one knows {VERSION}); update "
                f"kshot, or {ELSEWHERE}"
            )
    except BaseException:
        connection.close()
        raise
    return connection


def _numbers(connection: sqlite3.Connection) -> tuple[int, int]:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(application), int(version)


def _has_tables(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
