"""The review page as an ASGI application: a page, its script and style, and a few JSON addresses."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, final

from kshot.errors import DataError, InputError, KshotError
from kshot.serve.exchange import GoneError, TooLargeError, read_body
from kshot.serve.review.deck import Card, Deck
from kshot.serve.review.guard import Guarded
from kshot.serve.review.votes import VoteFile

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

Handler: TypeAlias = "Callable[[Request], Awaitable[Response]]"
PAGE = Path(__file__).parent / "page"
MOST_CARDS, MOST_BYTES, MOST_NOTE, SHORTEST_TOKEN = 50, 200_000, 20_000, 16
FILES = {"/": ("review.html", "text/html"), "/review.js": ("review.js", "text/javascript"),
         "/review.css": ("review.css", "text/css")}  # fmt: skip


def make_review_app(deck: Deck, votes: VoteFile, *, token: str, local_only: bool = True) -> FastAPI:
    """The page; serve it with uvicorn and open ``/?token=...``.

    Args:
        deck: What is shown.
        votes: Where verdicts go.
        token: Without it nothing is shown; 16 characters or more.
        local_only: Whether only requests to this machine's own names are answered.

    Raises:
        InputError: The token is short, or a package is missing.

    Example::

        app = make_review_app(deck, votes, token=secrets.token_urlsafe(24))
        uvicorn.run(app, host="127.0.0.1", port=8484)
    """
    if len(token) < SHORTEST_TOKEN or not all(
        sign.isascii() and (sign.isalnum() or sign in "-_") for sign in token
    ):
        raise InputError(
            f"the token has {len(token)} characters; expected {SHORTEST_TOKEN} or more: letters, digits, -, _"
        )
    try:
        from fastapi import FastAPI
        from starlette.routing import Route
    except ImportError as error:
        raise InputError(f"a package is missing ({error}); pip install 'kshot[serve]'") from error

    desk = ReviewDesk(deck, votes)
    # newer FastAPI can report requests to a collector; what is reviewed stays here
    silent: Any = {"tracing": False, "metrics": False, "logs": False, "auto_configure": False}
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, telemetry=silent)
    routes: list[tuple[str, Handler, str]] = [(path, desk.file, "GET") for path in FILES]
    routes += [("/api/deck", desk.deck, "GET"), ("/api/cards", desk.cards, "GET")]
    routes += [("/api/votes", desk.vote, "POST"), ("/api/undo", desk.undo, "POST")]
    for path, handler, method in routes:
        app.router.routes.append(Route(path, endpoint=handler, methods=[method]))
    app.add_middleware(Guarded, token=token, local_only=local_only)
    return app


@final
class ReviewDesk:
    """The addresses' handlers."""

    def __init__(self, deck: Deck, votes: VoteFile) -> None:
        self._deck = deck
        self._votes = votes

    async def file(self, request: Request) -> Response:
        """The page, its script or its style."""
        from starlette.responses import Response

        name, kind = FILES[request.url.path]
        return Response((PAGE / name).read_bytes(), media_type=f"{kind}; charset=utf-8")

    async def deck(self, request: Request) -> Response:
        """What is reviewed, and how far it is."""
        groups = [{"name": name, "of": of} for name, of in self._deck.groups().items()]
        facts = {"mode": self._deck.mode, "verdicts": self._deck.verdicts, "left_out": self._deck.left_out}
        return _json(facts | {"groups": groups, "progress": self._progress()})

    async def cards(self, request: Request) -> Response:
        """Cards from a place on (``at``), forwards or backwards (``step`` 1 or -1), that fit the filters.

        ``group`` is a task's name, ``open`` is 1 for cards without a verdict, ``limit`` at most 50.
        """
        asked = request.query_params
        try:
            at, step, limit = (
                int(asked.get(name, usual)) for name, usual in (("at", 0), ("step", 1), ("limit", 1))
            )
        except ValueError:
            return _json({"error": "at, step and limit are whole numbers"}, 400)
        if step not in (1, -1) or not 1 <= limit <= MOST_CARDS:
            return _json({"error": f"step is 1 or -1, limit is 1 to {MOST_CARDS}"}, 400)
        group, only_open = asked.get("group"), asked.get("open") == "1"
        found: list[dict[str, Any]] = []
        cards = self._deck.cards
        while 0 <= at < len(cards) and len(found) < limit:
            card = cards[at]
            if (not group or card.group == group) and not (only_open and self._votes[card.id].verdict):
                found.append(self._shown(at, card))
            at += step
        return _json({"cards": found, "of": len(cards), "progress": self._progress()})

    async def vote(self, request: Request) -> Response:
        """Keeps a verdict, a note, or both."""
        return await self._change(request, self._put)

    async def undo(self, request: Request) -> Response:
        """Takes the last verdict on a card back."""
        return await self._change(request, lambda card, body: self._votes.undo(card.id))

    async def _change(self, request: Request, change: Callable[[Card, dict[str, Any]], object]) -> Response:
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _json({"error": "expected application/json"}, 415)
        try:
            body = json.loads(await read_body(request.receive, most=MOST_BYTES))
            place = self._deck.places.get(body["id"])
        except (ValueError, RecursionError, KeyError, TypeError, GoneError):
            return _json({"error": "expected a JSON object with id"}, 400)
        except TooLargeError:
            return _json({"error": "the request is too long"}, 413)
        if place is None:
            return _json({"error": "there is no such card; load the page anew"}, 404)
        card = self._deck.cards[place]
        try:
            await asyncio.to_thread(change, card, body)
        except DataError as error:
            return _json({"error": str(error)}, 400)
        except KshotError as error:
            return _json({"error": str(error)}, 500)
        return _json({"card": self._shown(place, card), "progress": self._progress()})

    def _put(self, card: Card, body: dict[str, Any]) -> None:
        said, note = body.get("verdict"), body.get("note", self._votes[card.id].note)
        if said is not None and said not in self._deck.verdicts:
            raise DataError(f"verdict {str(said)[:40]!r}; expected {', '.join(self._deck.verdicts)}")
        if not isinstance(note, str) or len(note) > MOST_NOTE:
            raise DataError(f"the note is no text, or longer than {MOST_NOTE:,} characters")
        kept = self._votes[card.id].verdict if said is None else self._deck.to_kept(card, said)
        self._votes.put(card.id, kept, note)

    def _shown(self, place: int, card: Card) -> dict[str, Any]:
        vote = self._votes[card.id]
        verdict = None if vote.verdict is None else self._deck.to_page(card, vote.verdict)
        facts = {"at": place, "id": card.id, "group": card.group, "parts": card.parts}
        return facts | {"verdict": verdict, "note": vote.note}

    def _progress(self) -> dict[str, Any]:
        """How far it is; of pairs, what was said for whom only when nothing is open."""
        said = Counter(vote for card in self._deck.cards if (vote := self._votes[card.id].verdict))
        done, of = sum(said.values()), len(self._deck.cards)
        found: dict[str, Any] = {"done": done, "of": of}
        if self._deck.mode == "rows":
            found["counts"] = {name: said[name] for name in self._deck.kept_as}
        elif done == of:
            names = dict(zip(("a", "b"), self._deck.names, strict=True))
            found["result"] = [[names.get(kept, kept), said[kept]] for kept in self._deck.kept_as]
        return found


def _json(value: Any, status: int = 200) -> Response:
    from starlette.responses import Response

    # ASCII: half characters in a row travel as escapes
    return Response(json.dumps(value), status_code=status, media_type="application/json")
