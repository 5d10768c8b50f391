"""From a deck to a page that listens."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from pathlib import Path

from kshot.errors import InputError, RunError
from kshot.models.endpoint.address import is_loopback
from kshot.serve.listen import Address
from kshot.serve.review.app import make_review_app
from kshot.serve.review.deck import Deck
from kshot.serve.review.votes import VoteFile

HERE = Address(port=0)


def serve_review(
    deck: Deck,
    out: Path,
    *,
    say: Callable[[str], None],
    address: Address = HERE,
    token: str | None = None,
) -> None:
    """Serves until it is told to stop; Ctrl-C raises ``KeyboardInterrupt`` when the server has ended.

    Args:
        deck: What is shown.
        out: The file of votes; gone on with where it is there.
        say: Told the address with its token, and where votes go.
        address: Where to listen; port 0 takes a free one.
        token: None makes a new one.

    Raises:
        InputError: The host can be reached from elsewhere without leave, the token is short, or a package
            is missing.
        RunError: The address cannot be listened on, or the file cannot be written.

    Example::

        serve_review(deck, Path("votes.jsonl"), say=print)
    """
    remote = not is_loopback(address.host)
    if remote and not address.allow_remote:
        raise InputError(
            f"--host {address.host}: other machines could reach this page; add --allow-remote to permit it"
        )
    try:
        import uvicorn
    except ImportError as error:
        raise InputError(f"a package is missing ({error}); pip install 'kshot[serve]'") from error

    token = secrets.token_urlsafe(24) if token is None else token
    with VoteFile(out, deck.kept_as) as votes, _socket(address) as listening:
        app = make_review_app(deck, votes, token=token, local_only=not remote)
        config = uvicorn.Config(
            app, log_level="error", access_log=False, server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=2,
        )  # fmt: skip
        if remote:
            say("warning: other machines can reach this page, without encryption, if they have its token")
        say(f"verdicts go to {out}")
        say(f"open http://{_host(address.host)}:{listening.getsockname()[1]}/?token={token}")
        uvicorn.Server(config).run(sockets=[listening])


def _socket(address: Address) -> socket.socket:
    if not 0 <= address.port <= 65_535:
        raise InputError(f"--port {address.port}: expected 0 to 65535")
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host.strip("[]"), address.port), family=family, backlog=128)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RunError(f"{address.host}:{address.port}: cannot be listened on ({reason})") from None


def _host(host: str) -> str:
    return f"[{host.strip('[]')}]" if ":" in host else host
