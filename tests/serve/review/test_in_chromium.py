"""The page in a real browser: its script runs under its policy, and no text of a row becomes markup."""

import re
import shutil
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kshot.measure.judge import Pair
from kshot.serve.review import pairs_deck, rows_deck

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TOKEN = "t" * 24
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here")


class Parts(HTMLParser):
    """Texts of elements with an id, and all tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "link", "img", "input", "br"):
            self._open.append((tag, dict(attrs).get("id") or ""))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, name in self._open:
            if name:
                self.text[name] = self.text.get(name, "") + data


def browse(address: str, profile: Path, *more: str) -> str:
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--no-first-run", f"--user-data-dir={profile}", "--virtual-time-budget=5000",
        "--window-size=1200,900", *more,
        f"{address}/?token={TOKEN}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_the_first_row_is_shown_as_text(reviewed: Callable[..., Any], explored: Path, tmp_path: Path) -> None:
    deck, out = rows_deck(explored)
    with reviewed(deck, out) as (address, client):
        client.post("/api/votes", json={"id": deck.cards[0].id, "verdict": "accept"})
        page = browse(address, tmp_path / "profile", "--dump-dom")
    found = Parts(page)
    assert "<img src=x onerror=alert(1)>" in found.text["parts"]  # the second row, as the first is decided
    assert "img" not in found.tags
    assert re.sub(r"\s+", " ", found.text["place"]) == "2 of 5"
    assert found.text["task"] == "rewriting / 简化"
    assert found.text["said"] == "1 of 5 decided · 1 accepted · 0 rejected"
    assert "Accept" in found.text["buttons"]
    assert "rewriting / paraphrase (3)" in found.text["group"]


def test_a_pair_is_shown_without_names_and_can_be_photographed(
    reviewed: Callable[..., Any], tmp_path: Path
) -> None:
    pairs = [Pair("1", "Why is the sky blue?", "Because of scattering.", "It is a reflection of the sea.")]
    deck = pairs_deck(pairs, names=("secret-one", "secret-two"))
    with reviewed(deck, tmp_path / "votes.jsonl") as (address, _):
        page = browse(address, tmp_path / "profile", "--dump-dom")
        picture = tmp_path / "page.png"
        browse(address, tmp_path / "profile", f"--screenshot={picture}")
    assert "secret" not in page
    found = Parts(page)
    assert {"Because of scattering.", "It is a reflection of the sea."} <= set(re.findall(r"[^<>]+", page))
    assert found.text["buttons"].startswith("Left is better1Right is better2")
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 10_000
