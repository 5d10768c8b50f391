"""The page over real HTTP: who gets in, what it shows, what it keeps."""

import json
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from kshot.errors import DataError, InputError, RunError
from kshot.measure.judge import Pair, read_human
from kshot.serve.listen import Address
from kshot.serve.review import Card, Deck, VoteFile, make_review_app, pairs_deck, rows_deck, serve_review

TOKEN = "t" * 24
Reviewed = Callable[..., Any]


def some_pairs(count: int = 12) -> list[Pair]:
    return [Pair(f"p{i}", f"Question {i}?", f"from A {i}", f"from B {i}") for i in range(count)]


def vote(client: httpx2.Client, identity: str, verdict: str | None, **more: Any) -> httpx2.Response:
    said = {} if verdict is None else {"verdict": verdict}
    return client.post("/api/votes", json={"id": identity, **said, **more})


def test_rows_are_shown_filtered_and_decided(reviewed: Reviewed, explored: Path) -> None:
    deck, out = rows_deck(explored)
    assert out == explored / "reviews.jsonl"
    with reviewed(deck, out) as (_, client):
        told = client.get("/api/deck").json()
        assert told["verdicts"] == ["accept", "reject"]
        assert told["groups"] == [
            {"name": "rewriting / paraphrase", "of": 3},
            {"name": "rewriting / 简化", "of": 2},
        ]
        found = client.get("/api/cards", params={"limit": 50}).json()["cards"]
        assert [card["at"] for card in found] == [0, 1, 2, 3, 4]
        assert found[0]["parts"] == [
            ["Instruction", "Say it anew."],
            ["Input", "given"],
            ["Output", "output 0"],
        ]
        other = client.get("/api/cards", params={"group": "rewriting / 简化", "limit": 50}).json()["cards"]
        assert [card["at"] for card in other] == [1, 3]
        answer = vote(client, found[0]["id"], "accept", note="fine").json()
        assert answer["progress"] == {"done": 1, "of": 5, "counts": {"accept": 1, "reject": 0}}
        assert (answer["card"]["verdict"], answer["card"]["note"]) == ("accept", "fine")
        still = client.get("/api/cards", params={"open": 1}).json()["cards"]
        assert [card["at"] for card in still] == [1]
        back = client.get("/api/cards", params={"at": 4, "step": -1, "limit": 2}).json()["cards"]
        assert [card["at"] for card in back] == [4, 3]
        assert vote(client, found[0]["id"], "reject").json()["card"]["note"] == "fine"  # the note stays
        assert client.post("/api/undo", json={"id": found[0]["id"]}).json()["card"]["verdict"] == "accept"
        assert vote(client, found[1]["id"], None, note="hm").json()["card"]["verdict"] is None
    with VoteFile(out, ("accept", "reject")) as votes:
        assert votes[found[0]["id"]].verdict == "accept"


def test_votes_on_pairs_are_blind_until_the_end(reviewed: Reviewed, tmp_path: Path) -> None:
    deck = pairs_deck(some_pairs(), names=("secret-one", "secret-two"), seed=3)
    out = tmp_path / "votes.jsonl"
    with reviewed(deck, out) as (_, client):
        texts = [client.get(path).text for path in ("/", "/review.js", "/api/deck")]
        cards = client.get("/api/cards", params={"limit": 50})
        texts.append(cards.text)
        lefts = [dict(card["parts"])["Left"].split()[1] for card in cards.json()["cards"]]
        assert set(lefts) == {"A", "B"}
        for place, card in enumerate(cards.json()["cards"]):
            assert "secret" not in "".join(texts)
            said = "left" if lefts[place] == "A" else "right"  # always for A
            if place == 0:
                said = "tie"
            answer = vote(client, card["id"], said)
            assert answer.json()["card"]["verdict"] == said
            texts.append(answer.text)
        assert answer.json()["progress"]["result"] == [["secret-one", 11], ["secret-two", 0], ["tie", 1]]
    assert read_human(out) == {f"p{i}": "a" if i else "tie" for i in range(12)}


def test_the_sides_depend_on_seed_and_id_alone() -> None:
    def flips(pairs: list[Pair], seed: int) -> dict[str, bool]:
        return {card.id: card.flipped for card in pairs_deck(pairs, seed=seed).cards}

    many = some_pairs(400)
    assert flips(many, 1) == flips(many[::-1], 1)
    assert flips(many, 1) != flips(many, 2)
    assert 160 < sum(flips(many, 1).values()) < 240


def test_ten_thousand_rows_are_paged(reviewed: Reviewed, tmp_path: Path) -> None:
    cards = tuple(Card(str(i), (("Instruction", "x" * 200),), f"task {i % 7}") for i in range(10_000))
    with reviewed(Deck("rows", cards), tmp_path / "r.jsonl") as (_, client):
        assert len(client.get("/").content) < 10_000
        found = client.get("/api/cards", params={"at": 9_990, "limit": 50})
        assert [card["at"] for card in found.json()["cards"]] == list(range(9_990, 10_000))
        assert len(client.get("/api/cards", params={"limit": 50}).content) < 30_000
        assert client.get("/api/cards", params={"limit": 51}).status_code == 400
        assert client.get("/api/cards", params={"step": 0}).status_code == 400
        assert client.get("/api/cards", params={"at": "x"}).status_code == 400
        assert client.get("/api/cards", params={"at": -1}).json()["cards"] == []


def test_tabs_at_once_lose_no_vote(reviewed: Reviewed, tmp_path: Path) -> None:
    cards = tuple(Card(str(i), (("Instruction", "x"),)) for i in range(120))
    out = tmp_path / "r.jsonl"
    with reviewed(Deck("rows", cards), out) as (_, client), ThreadPoolExecutor(6) as tabs:

        def say(place: int) -> int:  # a connection for each thread
            return vote(client, str(place), "accept" if place % 2 else "reject").status_code

        assert set(tabs.map(say, range(120))) == {200}
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert {line["id"]: line["verdict"] for line in lines} == {
        str(i): "accept" if i % 2 else "reject" for i in range(120)
    }


def test_who_gets_in(reviewed: Reviewed, explored: Path) -> None:
    deck, out = rows_deck(explored)
    with reviewed(deck, out) as (address, client), httpx2.Client(base_url=address) as bare:
        for path in ("/", "/review.js", "/api/deck", "/api/cards", "/?token=wrong", "/nowhere"):
            assert bare.get(path).status_code == 403
        assert bare.post("/api/votes", json={"id": deck.cards[0].id, "verdict": "accept"}).status_code == 403
        assert (
            bare.get("/api/deck", params={"token": TOKEN}).status_code == 403
        )  # in the address of the page alone
        moved = bare.get("/", params={"token": TOKEN})
        assert (moved.status_code, moved.headers["location"]) == (303, "/")
        assert re.search(r"HttpOnly; SameSite=Strict", moved.headers["set-cookie"])
        assert bare.get("/").status_code == 200  # by the cookie
        for headers in (
            {"host": "evil.example"},
            {"host": "evil.example:80", "origin": "http://evil.example:80"},
            {"origin": "http://evil.example"},
            {"origin": "null"},
            {"origin": "http://127.0.0.1:1"},
            {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors"},
            {"sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors"},
        ):
            assert client.get("/api/deck", headers=headers).status_code == 403, headers
        assert client.get("/api/deck", headers={"origin": address}).status_code == 200
        assert client.get("/api/deck", headers={"sec-fetch-site": "same-origin"}).status_code == 200
    assert out.read_text() == ""


def test_what_every_response_forbids(reviewed: Reviewed, explored: Path) -> None:
    deck, out = rows_deck(explored)
    with reviewed(deck, out) as (_, client):
        for path in ("/", "/review.js", "/review.css", "/api/deck", "/nowhere"):
            headers = client.get(path).headers
            assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
            assert "unsafe" not in headers["content-security-policy"]
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["cache-control"] == "no-store"
        page = client.get("/").text
        assert "<script>" not in page
        assert not re.search(r"\son\w+=|style=|https?://", page)
        script = client.get("/review.js").text
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


def test_requests_that_make_no_sense(reviewed: Reviewed, explored: Path) -> None:
    deck, out = rows_deck(explored)
    known = deck.cards[0].id
    with reviewed(deck, out) as (_, client):
        assert vote(client, "unknown", "accept").status_code == 404
        assert vote(client, known, "maybe").status_code == 400
        assert vote(client, known, "accept", note=7).status_code == 400
        assert vote(client, known, "accept", note="x" * 20_001).status_code == 400
        assert vote(client, known, "accept", note="x" * 300_000).status_code == 413
        for body in (b"", b"[]", b"{}", b'{"id": {}}', b"\xff", b"[" * 5000):
            answer = client.post("/api/votes", content=body, headers={"content-type": "application/json"})
            assert answer.status_code == 400, body
        form = client.post("/api/votes", data={"id": known, "verdict": "accept"})
        assert form.status_code == 415
        assert client.get("/api/votes").status_code == 405
    assert out.read_text() == ""


def test_decks_that_cannot_be_made(explored: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        rows_deck(tmp_path / "absent")
    with pytest.raises(InputError, match="nothing to vote on"):
        pairs_deck([Pair("1", "Q", "x", "x ")])
    with pytest.raises(DataError, match="two cards have one id"):
        Deck("rows", (Card("1", ()), Card("1", ())))
    rows = explored / "rows.jsonl"
    rows.write_text(rows.read_text() + '{"id": "cut')  # a process is at work
    assert len(rows_deck(explored)[0].cards) == 5
    rows.write_text(rows.read_text() + '"}\n')
    with pytest.raises(DataError, match=r"rows\.jsonl:6"):
        rows_deck(explored)
    rows.write_text("")
    with pytest.raises(InputError, match="no rows yet"):
        rows_deck(explored)
    (explored / "tree.json").unlink()


def test_other_machines_only_with_leave_and_never_without_a_token(tmp_path: Path) -> None:
    deck = pairs_deck(some_pairs(1))
    with pytest.raises(InputError, match="add --allow-remote"):
        serve_review(deck, tmp_path / "v", say=print, address=Address("0.0.0.0", 0))
    remote = Address("0.0.0.0", 0, allow_remote=True)
    for token in ("", "short", "with blanks in it and long"):
        with pytest.raises(InputError, match="the token has"):
            serve_review(deck, tmp_path / "v", say=print, address=remote, token=token)
    with VoteFile(tmp_path / "v", deck.kept_as) as votes, pytest.raises(InputError):
        make_review_app(deck, votes, token="")
    with pytest.raises(InputError, match="expected 0 to 65535"):
        serve_review(deck, tmp_path / "v", say=print, address=Address("127.0.0.1", 70_000))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        there = Address("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(RunError, match="cannot be listened on"):
            serve_review(deck, tmp_path / "v", say=print, address=there)


def test_remote_requests_need_the_token_too(reviewed: Reviewed, tmp_path: Path) -> None:
    with reviewed(pairs_deck(some_pairs(1)), tmp_path / "v", local_only=False) as (address, client):
        named = {"host": "box.lan:8484"}
        assert client.get("/api/deck", headers=named).status_code == 200
        assert httpx2.get(f"{address}/api/deck", headers=named).status_code == 403
        assert client.get("/api/deck", headers=named | {"origin": "http://evil.lan"}).status_code == 403
