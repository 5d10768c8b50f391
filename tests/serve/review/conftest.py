"""An exploration on disk, pairs, and the page on a real port."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import uvicorn

from kshot.methods.explore.records import Item, Row, row_id
from kshot.methods.explore.tree import DomainTree
from kshot.serve.review import Deck, VoteFile, make_review_app

TOKEN = "t" * 24


@contextmanager
def listening(app: Any) -> Iterator[str]:
    config = uvicorn.Config(app, port=0, log_level="critical", server_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.fixture
def explored(tmp_path: Path) -> Path:
    """A folder with a tree of two tasks and five rows, one of them full of markup."""
    tree = DomainTree.planted("rewriting", "Texts are changed.")
    tasks = [tree.add(tree.root.id, name) for name in ("paraphrase", "简化")]
    texts = ["Say it anew.", "<img src=x onerror=alert(1)>", "短一些。", "Say it </script> again.", "Fifth."]
    rows = []
    for place, text in enumerate(texts):
        node = tasks[place % 2].id
        item = Item(text, "" if place else "given", f"output {place}")
        rows.append(Row(row_id(node, item), node, item))
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "tree.json").write_text(json.dumps(tree.to_json(), ensure_ascii=False), encoding="utf-8")
    lines = "".join(json.dumps(row.to_json(), ensure_ascii=False) + "\n" for row in rows)
    (folder / "rows.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
def reviewed() -> Callable[..., AbstractContextManager[tuple[str, httpx2.Client]]]:
    """The page of a deck, and a client that has its token: ``reviewed(deck, file)``."""

    @contextmanager
    def start(deck: Deck, out: Path, **options: Any) -> Iterator[tuple[str, httpx2.Client]]:
        with VoteFile(out, deck.kept_as) as votes:
            app = make_review_app(deck, votes, token=TOKEN, **options)
            with (
                listening(app) as address,
                httpx2.Client(base_url=address, headers={"x-kshot-token": TOKEN}, timeout=20) as client,
            ):
                yield address, client

    return start
