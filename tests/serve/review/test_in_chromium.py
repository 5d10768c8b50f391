"""The page in a real browser: its script runs under its policy, keys vote, no text becomes markup."""

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kshot.measure.judge import Pair, read_human
from kshot.serve.review import Card, Deck, pairs_deck, rows_deck

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
TOKEN = "t" * 24
pytestmark = pytest.mark.skipif(
    CHROMIUM is None or shutil.which("bash") is None, reason="there is no chromium, or no bash, here"
)
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
         "--remote-debugging-pipe", "--window-size=1200,900")  # fmt: skip


class Browser:
    """Chromium's DevTools protocol over a pair of pipes: one JSON object a message, ended by a zero byte."""

    def __init__(self, profile: Path) -> None:
        commands, self._write = os.pipe()
        self._read, replies = os.pipe()
        line = f'exec "$@" 3<&{commands} 4>&{replies}'
        self._process = subprocess.Popen(
            ["bash", "-c", line, "bash", str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(commands, replies), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(commands)
        os.close(replies)
        self._count, self._rest = 0, b""
        self.told: list[dict[str, Any]] = []
        target = self.call("Target.createTarget", session=None, url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", session=None, targetId=target, flatten=True)[
            "sessionId"
        ]
        for part in ("Page", "Runtime", "Log"):
            self.call(f"{part}.enable")

    def call(self, method: str, session: str | None = "", **given: Any) -> dict[str, Any]:
        self._count += 1
        message: dict[str, Any] = {"id": self._count, "method": method, "params": given}
        if session is not None:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            while b"\0" not in self._rest:
                part = os.read(self._read, 1 << 20)
                assert part, "the browser ended"
                self._rest += part
            raw, _, self._rest = self._rest.partition(b"\0")
            found = json.loads(raw)
            if found.get("id") == self._count:
                assert "error" not in found, found
                return found["result"]
            self.told.append(found)

    def value(self, expression: str) -> Any:
        return self.call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def text(self, name: str) -> str:
        return self.value(f"document.getElementById('{name}')?.textContent ?? ''").strip()

    def until(self, name: str, wanted: str) -> None:
        deadline = time.monotonic() + 20
        while wanted not in (found := self.text(name)):
            assert time.monotonic() < deadline, f"{name}: {found!r}, expected {wanted!r}; {self.wrong()}"
            time.sleep(0.02)

    def key(self, key: str) -> None:
        for kind in ("keyDown", "keyUp"):
            more = {"text": key} if kind == "keyDown" and len(key) == 1 else {}
            self.call("Input.dispatchKeyEvent", type=kind, key=key, **more)

    def open(self, address: str) -> None:
        self.told.clear()
        self.call("Page.navigate", url=f"{address}/?token={TOKEN}")

    def wrong(self) -> list[Any]:
        """What the browser complained of: errors of the script, and what the policy refused."""
        bad = ("Runtime.exceptionThrown", "Log.entryAdded")
        return [one["params"] for one in self.told if one.get("method") in bad]

    def close(self) -> None:
        os.write(self._write, b'{"id": 0, "method": "Browser.close"}\0')
        self._process.wait(20)
        os.close(self._write)
        os.close(self._read)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    found = Browser(tmp_path_factory.mktemp("profile"))
    yield found
    found.close()


def test_rows_by_keys(browser: Browser, reviewed: Callable[..., Any], explored: Path) -> None:
    deck, out = rows_deck(explored)
    with reviewed(deck, out) as (address, _):
        browser.open(address)
        browser.until("place", "1 of 5")
        assert browser.value("location.href") == f"{address}/"  # the token is out of the address
        assert browser.value("document.cookie") == ""  # and no script can read it
        browser.key("a")
        browser.until("place", "2 of 5")
        assert "<img src=x onerror=alert(1)>" in browser.text("parts")
        assert browser.value("document.querySelectorAll('main img, main script').length") == 0
        assert browser.text("task") == "rewriting / 简化"
        assert browser.text("said") == "1 of 5 decided · 1 accepted · 0 rejected"
        browser.key("n")
        for sign in "bad":
            browser.key(sign)  # "a" inside the note is no verdict
        browser.key("Escape")
        browser.key("r")
        browser.until("place", "3 of 5")
        browser.key("u")
        browser.until("place", "2 of 5")
        browser.key("j")
        browser.until("place", "3 of 5")
        browser.key("k")
        browser.until("place", "2 of 5")
        assert browser.value("document.getElementById('note').value") == "bad"
        browser.key("r")
        browser.until("said", "1 rejected")
        browser.value(
            "const box = document.getElementById('group'); box.value = 'rewriting / 简化';"
            "box.dispatchEvent(new Event('change'))"
        )
        browser.until("place", "4 of 5")
        browser.key("a")
        browser.until("end-title", "Another filter shows the rest")
        assert browser.wrong() == []
    lines = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    last = {line["id"]: line for line in lines}
    said = [last[card.id]["verdict"] if card.id in last else None for card in deck.cards]
    assert said == ["accept", "reject", None, "accept", None]
    assert last[deck.cards[1].id]["note"] == "bad"


def test_pairs_by_clicks_until_the_names_are_told(
    browser: Browser, reviewed: Callable[..., Any], tmp_path: Path
) -> None:
    pairs = [Pair(str(i), f"Why {i}?", "Because of scattering.", "It mirrors the sea.") for i in range(3)]
    deck = pairs_deck(pairs, names=("secret-one", "secret-two"), seed=1)
    with reviewed(deck, tmp_path / "votes.jsonl") as (address, _):
        browser.open(address)
        for place in range(3):
            browser.until("place", f"{place + 1} of 3")
            assert "secret" not in browser.value("document.documentElement.outerHTML")
            left = browser.value("document.querySelectorAll('.part')[1].textContent")
            side = "left" if "scattering" in left else "right"
            browser.value(f"document.querySelector('button.{side}').click()")
        browser.until("end-title", "All is decided.")
        assert browser.text("result").startswith("secret-one3")
        picture = base64.b64decode(browser.call("Page.captureScreenshot")["data"])
        assert picture.startswith(b"\x89PNG")
        assert len(picture) > 5_000
        assert browser.wrong() == []
    assert set(read_human(tmp_path / "votes.jsonl").values()) == {"a"}


def test_a_server_that_is_gone_is_told_and_the_card_stays(
    browser: Browser, reviewed: Callable[..., Any], tmp_path: Path
) -> None:
    deck = Deck("rows", tuple(Card(str(i), (("Instruction", f"text {i}"),)) for i in range(3)))
    with reviewed(deck, tmp_path / "r.jsonl") as (address, _):
        browser.open(address)
        browser.until("place", "1 of 3")
    browser.key("a")
    browser.until("wrong", "Not saved")
    assert browser.text("place") == "1 of 3"
    assert not browser.value("document.getElementById('wrong').hidden")
