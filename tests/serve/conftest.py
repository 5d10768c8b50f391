"""A small pool, and the proxy on a real port."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import uvicorn

from kshot.methods.panda.pool import InsightPool, PoolHeader
from kshot.methods.panda.records import Candidate, ExpertFacts, Insight, Preference
from kshot.methods.panda.retrieve import Retrieval, Retriever
from kshot.models.embed import HashingEncoder
from kshot.serve import ProxyOptions, make_app

KEYS = ("the tap is dripping again", "my bill is too high", "the train was late", "what a lovely garden")


def insights() -> list[Insight]:
    return [
        Insight(
            row,
            key,
            f"lesson {row} of {key.split()[-1]}",
            preference=Preference(
                key, (Candidate("good", probability=0.9), Candidate("bad")), ExpertFacts("gold")
            ),
        )
        for row, key in enumerate(KEYS)
    ]


@pytest.fixture
def retriever() -> Retriever:
    return Retriever(InsightPool(insights(), PoolHeader("t")), HashingEncoder(), Retrieval(k=2))


@pytest.fixture
def pool_folder(tmp_path: Any) -> Any:
    InsightPool(insights(), PoolHeader("t")).save(tmp_path / "pool")
    return tmp_path / "pool"


@contextmanager
def listening(app: Any) -> Iterator[str]:
    """The address of an app that uvicorn serves in a thread."""
    config = uvicorn.Config(app, port=0, log_level="critical", server_header=False, date_header=False)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()


@pytest.fixture
def proxied(retriever: Retriever) -> Callable[..., AbstractContextManager[str]]:
    """The proxy in front of an upstream: ``proxied(base_url, place="system")``."""

    def start(upstream: str, *, read: Any = None, **options: Any) -> AbstractContextManager[str]:
        app = make_app(read or retriever.nearest, upstream, options=ProxyOptions(**options))
        return listening(app)

    return start
