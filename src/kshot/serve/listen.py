"""From a pool's folder to a server that listens."""

from __future__ import annotations

import asyncio
import logging
import socket
from dataclasses import dataclass
from pathlib import Path

from kshot.errors import InputError, RunError
from kshot.methods.panda.pool import InsightPool
from kshot.methods.panda.retrieve import Retrieval, open_retriever
from kshot.methods.panda.seams import Retrieved
from kshot.models.endpoint.address import is_loopback
from kshot.pipeline.panda.ask import embedder_of
from kshot.serve.app import PoolReader, make_app
from kshot.serve.options import ProxyOptions

GRACE_S = 5  # what is under way when the server is told to stop may take so long to end


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens.

    Attributes:
        host: A name or address of this machine.
        port: 0 takes a free one.
        allow_remote: Must be set where the host can be reached from other machines.
    """

    host: str = "127.0.0.1"
    port: int = 8383
    allow_remote: bool = False


def serve(
    pool: Path,
    upstream: str,
    *,
    address: Address | None = None,
    retrieval: Retrieval | None = None,
    embedder: str | None = None,
    options: ProxyOptions | None = None,
) -> None:
    """Serves until it is told to stop; Ctrl-C raises ``KeyboardInterrupt`` when the server has ended.

    Args:
        pool: Folder of an insight pool.
        upstream: Base URL of the OpenAI-compatible server that answers, up to ``/v1``.
        address: Where to listen.
        retrieval: Which insights a request gets.
        embedder: Who encodes; None takes the pool's own.
        options: How requests are adapted and forwarded; its log is told the server's address.

    Raises:
        InputError: The pool, upstream or address cannot be used, or a package is missing.
        RunError: The address cannot be listened on.

    Example::

        serve(Path("pool"), "http://127.0.0.1:8000/v1", options=ProxyOptions(log=print))
    """
    address, options = address or Address(), options or ProxyOptions()
    remote = not is_loopback(address.host)
    if remote and not address.allow_remote:
        raise InputError(
            f"--host {address.host}: other machines could reach this server; add --allow-remote to permit it"
        )
    try:
        import uvicorn
    except ImportError as error:
        raise InputError(f"a package is missing ({error}); pip install 'kshot[serve]'") from error

    app = make_app(_reader(pool, retrieval, embedder, options), upstream, options=options)
    config = uvicorn.Config(
        app, log_level="error", access_log=False, server_header=False, date_header=False,
        proxy_headers=False, timeout_graceful_shutdown=GRACE_S,
    )  # fmt: skip
    logging.getLogger("uvicorn.error").addFilter(_is_news)
    with _socket(address) as listening:
        if remote:
            options.say(f"warning: {_warning(options)}")
        options.say(f"listening on {_url(address.host, listening.getsockname()[1])}")
        uvicorn.Server(config).run(sockets=[listening])


def _reader(
    folder: Path, retrieval: Retrieval | None, embedder: str | None, options: ProxyOptions
) -> PoolReader:
    pool = InsightPool.load(folder)
    if not len(pool):
        options.say(f"{folder}: the pool is empty; requests are forwarded as they are")
        return lambda text: Retrieved()
    retriever = open_retriever(folder, embedder_of(pool.header, embedder), retrieval or Retrieval())
    for note in retriever.notes:
        options.say(f"{folder}: {note}")
    options.say(f"{folder}: {len(retriever.pool)} insights of {pool.header.task!r}")
    return retriever.nearest


def _socket(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host.strip("[]"), address.port), family=family, backlog=2048)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunError(f"{address.host}:{address.port}: cannot be listened on ({reason})") from None


def _url(host: str, port: int) -> str:
    return f"http://[{host.strip('[]')}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def _warning(options: ProxyOptions) -> str:
    said = "other machines can reach this server, without encryption"
    if options.api_key_env is None:
        return said
    return f"{said}, and whoever reaches it spends the key in {options.api_key_env}"


def _is_news(record: logging.LogRecord) -> bool:
    """A reply that broke off is told by ``options.log``; what the server's own end cut is no fault."""
    cut = record.exc_info is not None and record.exc_info[0] is asyncio.CancelledError
    return not cut and "without completing response" not in record.getMessage()
