"""The proxy between the plain openai client and a fake upstream, over real sockets."""

import asyncio
import gc
import gzip
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2
import openai
import pytest

from kshot.errors import DataError, InputError
from kshot.methods.panda.prompts import insight_block
from kshot.methods.panda.retrieve import Retriever
from kshot.methods.panda.seams import Retrieved
from kshot.models.fake import FakeReply, FakeServer, Faults, request_text
from kshot.serve import ProxyOptions, make_app

Proxied = Callable[..., AbstractContextManager[str]]
ASKED = [{"role": "user", "content": "the train is late again"}]


def client(address: str, key: str = "dummy") -> openai.OpenAI:
    return openai.OpenAI(base_url=address, api_key=key, max_retries=0, timeout=20)


def until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while not true() and time.monotonic() < deadline:
        time.sleep(0.01)
    return true()


def adapted_text(retriever: Retriever, text: str) -> str:
    block = insight_block([chosen.insight for chosen in retriever.nearest(text).chosen])
    assert "lesson" in block
    return f"{block}\n\n{text}"


def test_a_request_gets_insights_and_all_else_arrives_as_it_was(
    proxied: Proxied, retriever: Retriever
) -> None:
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    with FakeServer(request_text) as upstream, proxied(upstream.base_url) as address, client(address) as one:
        raw = one.chat.completions.with_raw_response.create(
            model="fake", messages=ASKED, tools=tools, seed=7, extra_body={"of_tomorrow": {"x": [1.50, None]}}
        )
        reply = raw.parse()
        assert reply.choices[0].message.content == adapted_text(retriever, ASKED[0]["content"])
        assert raw.headers["x-kshot-insights"] == "2"
        body = upstream.requests[0].body
        assert body is not None
        assert {name: body[name] for name in body if name != "messages"} == {
            "model": "fake", "tools": tools, "seed": 7, "of_tomorrow": {"x": [1.50, None]},
        }  # fmt: skip
        assert [model.id for model in one.models.list()] == ["fake"]


def test_a_stream_comes_through_as_it_comes(proxied: Proxied) -> None:
    slow = FakeReply("a b c d e", between=0.15)
    with (
        FakeServer(lambda body: slow) as upstream,
        proxied(upstream.base_url) as address,
        client(address) as one,
    ):
        times, words = [], []
        for part in one.chat.completions.create(model="fake", messages=ASKED, stream=True):
            times.append(time.monotonic())
            words.append(part.choices[0].delta.content or "")
        assert "".join(words) == "a b c d e"
        assert times[-1] - times[0] > 0.6  # not collected first
        assert upstream.requests[0].body["stream"] is True


def test_two_async_clients_at_once(proxied: Proxied, retriever: Retriever) -> None:
    async def ask(address: str, text: str, stream: bool) -> str:
        async with openai.AsyncOpenAI(base_url=address, api_key="k", max_retries=0) as one:
            messages = [{"role": "user", "content": text}]
            if not stream:
                reply = await one.chat.completions.create(model="fake", messages=messages)
                return reply.choices[0].message.content
            parts = await one.chat.completions.create(model="fake", messages=messages, stream=True)
            return "".join([part.choices[0].delta.content or "" async for part in parts])

    async def both(address: str) -> list[str]:
        asked = [ask(address, f"my bill number {i}", bool(i % 2)) for i in range(8)]
        return await asyncio.gather(*asked)

    with (
        FakeServer(request_text, faults=Faults(latency=(0.5, 0.5))) as upstream,
        proxied(upstream.base_url) as at,
    ):
        started = time.monotonic()
        found = asyncio.run(both(at))
        assert time.monotonic() - started < 2.5
        assert upstream.most_in_flight == 8
    assert found == [adapted_text(retriever, f"my bill number {i}") for i in range(8)]


def test_a_slow_pool_does_not_hold_up_what_needs_no_pool(proxied: Proxied, retriever: Retriever) -> None:
    let_go, looking = threading.Event(), threading.Event()

    def slow(text: str) -> Retrieved:
        looking.set()
        let_go.wait(10)
        return retriever.nearest(text)

    with FakeServer(request_text) as upstream, proxied(upstream.base_url, read=slow) as at, client(at) as one:
        asking = threading.Thread(target=lambda: one.chat.completions.create(model="fake", messages=ASKED))
        asking.start()
        assert looking.wait(10)
        assert httpx2.get(at.replace("/v1", "/healthz"), timeout=5).json() == {"status": "ok"}
        assert [model.id for model in one.models.list()] == ["fake"]
        let_go.set()
        asking.join()
        assert upstream.paid.total() == 1


@pytest.mark.parametrize("path", ["//chat/completions", "/chat/completions/", "/chat%2Fcompletions"])
def test_a_chat_by_an_odd_spelling_gets_insights_too(proxied: Proxied, path: str) -> None:
    with FakeServer(request_text) as upstream, proxied(upstream.base_url) as address:
        reply = httpx2.post(address + path, json={"model": "fake", "messages": ASKED})
        assert reply.headers["x-kshot-insights"] == "2"
        assert upstream.requests[0].path == "/v1" + path


def test_an_empty_pool_forwards_byte_for_byte(proxied: Proxied) -> None:
    raw = '{"messages" :[ {"content":"caf\u00e9","role": "user"}],\n"model": "fake", "x": 1.50}  '.encode()
    with FakeServer(request_text) as up, proxied(up.base_url, read=lambda text: Retrieved()) as address:
        reply = httpx2.post(address + "/chat/completions", content=raw)
        assert (reply.status_code, reply.headers["x-kshot-insights"]) == (200, "0")
        assert up.requests[0].raw == raw


@pytest.mark.parametrize("stream", [False, True])
def test_errors_of_the_upstream_pass_through(proxied: Proxied, stream: bool) -> None:
    limited = Faults(rate_limited=1.0, retry_after=7.0)
    with (
        FakeServer(lambda b: "", faults=limited) as up,
        proxied(up.base_url) as address,
        client(address) as one,
    ):
        with pytest.raises(openai.RateLimitError, match="limits the rate") as caught:
            one.chat.completions.create(model="fake", messages=ASKED, stream=stream)
        assert caught.value.response.headers["retry-after"] == "7"
        assert caught.value.code == "rate_limit_exceeded"
    refused = FakeReply("no such thing", status=422, headers={"x-request-id": "r1"})
    with FakeServer(lambda body: refused) as up, proxied(up.base_url) as address, client(address) as one:
        with pytest.raises(openai.UnprocessableEntityError, match="no such thing") as other:
            one.chat.completions.create(model="fake", messages=ASKED, stream=stream)
        assert other.value.request_id == "r1"


def test_a_dead_or_silent_upstream(proxied: Proxied) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with proxied(f"http://127.0.0.1:{port}/v1", patience_s=0.3) as address, client(address) as one:
            with pytest.raises(openai.InternalServerError, match="silent for too long") as slow:
                one.chat.completions.create(model="fake", messages=ASKED)
            assert slow.value.status_code == 504
    with proxied(f"http://127.0.0.1:{port}/v1") as address, client(address) as one:
        with pytest.raises(openai.InternalServerError, match="cannot be reached") as dead:
            one.chat.completions.create(model="fake", messages=ASKED)
        assert dead.value.status_code == 502
        assert dead.value.type == "upstream_error"
    faults = Faults(disconnected=1.0)
    with (
        FakeServer(lambda b: "a", faults=faults) as up,
        proxied(up.base_url) as address,
        client(address) as one,
        pytest.raises(openai.InternalServerError, match="gave no reply"),
    ):
        one.chat.completions.create(model="fake", messages=ASKED)


@pytest.mark.parametrize("fault", ["cut_body", "disconnected"])
def test_a_reply_that_breaks_off_breaks_off_for_the_client_too(proxied: Proxied, fault: str) -> None:
    said: list[str] = []
    with (
        FakeServer(lambda body: "a b c d", faults=Faults(**{fault: 1.0})) as upstream,
        proxied(upstream.base_url, log=said.append) as address,
        client(address) as one,
    ):
        with pytest.raises((openai.APIConnectionError, httpx2.TransportError)):
            list(one.chat.completions.create(model="fake", messages=ASKED, stream=True))
        assert until(lambda: said == ["the upstream broke off in the middle of a reply"])


def test_a_client_that_hangs_up_frees_the_upstream(proxied: Proxied) -> None:
    endless = FakeReply("word " * 1000, between=0.05)
    with FakeServer(lambda b: endless) as upstream, proxied(upstream.base_url) as address:
        with client(address) as one:
            stream = one.chat.completions.create(model="fake", messages=ASKED, stream=True)
            next(stream)
            next(stream)
            assert upstream.in_flight_now == 1
            stream.close()
        assert until(lambda: upstream.in_flight_now == 0)
        assert upstream.requests[0].outcome == "hung_up"


def test_a_client_that_hangs_up_before_the_reply_frees_the_upstream(proxied: Proxied) -> None:
    with (
        FakeServer(lambda b: "a", faults=Faults(latency=(60, 60))) as upstream,
        proxied(upstream.base_url) as at,
    ):
        with client(at) as one, pytest.raises(openai.APITimeoutError):
            one.with_options(timeout=0.5).chat.completions.create(model="fake", messages=ASKED)
        assert until(lambda: [r.outcome for r in upstream.requests] == ["hung_up"])


@pytest.mark.parametrize(
    "raw", [b"{", b"{}", b'{"messages": []}', b'{"messages": "hi"}', b'{"messages": ["hi"]}', b"\xff"]
)
def test_what_is_no_chat_is_refused_here(proxied: Proxied, raw: bytes) -> None:
    with FakeServer(request_text) as upstream, proxied(upstream.base_url) as address:
        reply = httpx2.post(address + "/chat/completions", content=raw)
        assert (reply.status_code, reply.json()["error"]["type"]) == (400, "invalid_request_error")
        assert upstream.requests == []


def test_a_body_above_the_limit(proxied: Proxied) -> None:
    with (
        FakeServer(request_text) as up,
        proxied(up.base_url, largest_mb=0.1) as address,
        client(address) as one,
    ):
        large = [{"role": "user", "content": "x" * 200_000}]
        with pytest.raises(openai.APIStatusError, match=r"0\.1 MB") as caught:
            one.chat.completions.create(model="fake", messages=large)
        assert caught.value.status_code == 413
        assert up.requests == []
        one.chat.completions.create(model="fake", messages=[{"role": "user", "content": "x" * 90_000}])


@contextmanager
def scripted_upstream(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """An upstream whose every byte the test writes."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None: ...
        def do_any(self) -> None:
            answer(self)

        do_GET = do_POST = do_DELETE = do_OPTIONS = do_any

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/base/v1"
    finally:
        server.shutdown()
        server.server_close()


def test_other_addresses_headers_and_bytes_are_forwarded_untouched(proxied: Proxied) -> None:
    seen: list[Any] = []
    packed = gzip.compress(b'{"ok": true}')

    def answer(handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        seen.append((handler.command, handler.path, handler.headers, body))
        handler.send_response(201)
        length = str(len(packed))
        for line in ("Content-Encoding: gzip", f"Content-Length: {length}", "X-Two: 1", "X-Two: 2",
                     "Connection: X-Hop", "X-Hop: 1", "Set-Cookie: a=1"):  # fmt: skip
            handler.send_header(*line.split(": "))
        handler.end_headers()
        handler.wfile.write(packed)

    with scripted_upstream(answer) as upstream, proxied(upstream) as address, httpx2.Client() as one:
        headers = {"X-Mine": "yes", "Connection": "X-Private", "X-Private": "1", "Accept-Encoding": "gzip"}
        reply = one.request("DELETE", address + "/files/a%2Fb?x=1&x=2", headers=headers, content=b"\x00\xff")
        one.cookies.clear()
        one.request("GET", address + "/files", headers={"Accept-Encoding": "identity"})
        assert (reply.status_code, reply.json()) == (201, {"ok": True})
        assert reply.headers["content-encoding"] == "gzip"
        assert reply.headers.get_list("x-two") == ["1", "2"]
        assert "x-hop" not in reply.headers
        assert "x-kshot-insights" not in reply.headers
    command, path, got, body = seen[0]
    assert (command, path, body) == ("DELETE", "/base/v1/files/a%2Fb?x=1&x=2", b"\x00\xff")
    assert (got["x-mine"], got["x-private"]) == ("yes", None)
    assert seen[1][2]["cookie"] is None  # one client's cookie is never another's
    assert seen[1][2]["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "path",
    ["/v1/../admin", "/v1/%2e%2e/admin", "/v1/a/..%2f..%2fadmin", "/v1/..\\admin", "/v2/x", "/", "/v1"],
)
def test_no_path_leads_out_of_v1(proxied: Proxied, path: str) -> None:
    with FakeServer(request_text) as upstream, proxied(upstream.base_url) as address:
        port = int(address.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 404")
        assert upstream.requests == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.example"}, 403),
        ({"Host": "[::1]:80"}, 200),
        ({"Host": "[bad"}, 403),
    ],
)
def test_pages_of_other_sites_are_refused(proxied: Proxied, headers: dict[str, str], status: int) -> None:
    with FakeServer(request_text) as upstream:
        with proxied(upstream.base_url) as address:
            found = httpx2.post(
                address + "/chat/completions", json={"model": "fake", "messages": ASKED}, headers=headers
            )
            assert found.status_code == status
            assert bool(upstream.requests) is (status == 200)
        with proxied(upstream.base_url, local_only=False) as address:
            assert httpx2.get(address + "/models", headers=headers).status_code == 200


KEY = "sk-" + "never".upper() + "-kept"


def test_the_clients_key_is_passed_on_and_not_kept(
    proxied: Proxied, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said: list[str] = []
    with FakeServer(request_text, api_key=KEY) as upstream, new_objects() as kept:
        with proxied(upstream.base_url, trace=True, log=said.append) as address:
            assert ask_with_key(address, KEY).startswith(b"HTTP/1.1 200")
            refused = ask_with_key(address, KEY + "-NEVER")
            assert refused.startswith(b"HTTP/1.1 401")
            assert b"NEVER" not in refused
            assert until(lambda: not kept())
        assert len(said) == 2
        sent = upstream.requests[0].headers  # what the client did not say is not said for it
        assert set(sent) == {"host", "connection", "authorization", "content-length"} - {"connection"}
    out, errors = capfd.readouterr()
    assert "NEVER" not in caplog.text + out + errors + "".join(said)


def test_a_cookie_of_the_upstream_is_not_kept(proxied: Proxied) -> None:
    cookie = FakeReply("hello", headers={"set-cookie": f"session={KEY}"})
    with (
        FakeServer(lambda body: cookie) as upstream,
        new_objects() as kept,
        proxied(upstream.base_url) as address,
    ):
        assert f"session={KEY}".encode() in ask_with_key(address, "mine")
        assert until(lambda: not kept())


def ask_with_key(address: str, key: str) -> bytes:
    """All that a client without any memory gets."""
    body = json.dumps({"model": "fake", "messages": ASKED}).encode()
    head = "POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    head += f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    port = int(address.split(":")[2].split("/")[0])
    found = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head.encode() + body)
        while part := connection.recv(65536):
            found += part
    return found


@contextmanager
def new_objects() -> Iterator[Callable[[], list[Any]]]:
    """A function that finds the objects, made since, that hold the key."""
    gc.collect()
    gc.freeze()
    try:
        yield lambda: [holder for holder in gc.get_objects() if holds_key(holder)] if gc.collect() + 1 else []
    finally:
        gc.unfreeze()


def holds_key(holder: Any) -> bool:
    if hasattr(holder, "f_locals") or hasattr(holder, "f_code"):
        return False  # a function that runs now
    for value in gc.get_referents(holder):
        if type(value) is tuple and not gc.is_tracked(value) and holds_key(value):
            return True
        if (type(value) is str and KEY in value) or (
            type(value) in (bytes, bytearray) and KEY.encode() in value
        ):
            return True
    return False


def test_the_probe_for_kept_keys_sees_them() -> None:
    with new_objects() as kept:
        assert kept() == []
        holder = {"headers": [(b"authorization", f"Bearer {KEY}".encode())]}
        assert kept() == [holder["headers"]]


def test_the_servers_own_key_replaces_the_clients(proxied: Proxied, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAM_KEY", "sk-own")
    with FakeServer(request_text, api_key="sk-own") as upstream:
        with (
            proxied(upstream.base_url, api_key_env="UPSTREAM_KEY") as address,
            client(address, "other") as one,
        ):
            one.chat.completions.create(model="fake", messages=ASKED)
            assert [model.id for model in one.models.list()] == ["fake"]
        assert [r.status for r in upstream.requests] == [200, 200]


def test_a_trace_has_ids_and_scores_and_no_contents(proxied: Proxied, retriever: Retriever) -> None:
    said: list[str] = []
    with (
        FakeServer(request_text) as up,
        proxied(up.base_url, trace=True, log=said.append) as at,
        client(at) as one,
    ):
        one.chat.completions.create(model="fake", messages=ASKED)
        one.chat.completions.create(model="fake", messages=[{"role": "system", "content": "x"}])
    first, second = retriever.nearest(ASKED[0]["content"]).chosen
    assert said == [
        f"insights: 2 ({first.insight.id} {first.score:.4f}, {second.insight.id} {second.score:.4f})",
        "insights: 0",
    ]


def test_a_pool_that_cannot_be_read_is_told_and_nothing_is_forwarded(proxied: Proxied) -> None:
    def broken(text: str) -> Retrieved:
        raise DataError("the encoder gives NaN")

    with FakeServer(request_text) as up, proxied(up.base_url, read=broken) as address, client(address) as one:
        with pytest.raises(openai.InternalServerError, match="gives NaN"):
            one.chat.completions.create(model="fake", messages=ASKED)
        assert up.requests == []


@pytest.mark.parametrize(
    ("upstream", "said"),
    [
        ("localhost:8000", "expected one such as"),
        ("ftp://x/v1", "expected one such as"),
        ("http://", "expected one such as"),
        ("http://[x/v1", "expected one such as"),
        ("http://me:secret@host/v1", "user, password"),
        ("http://host/v1?key=secret", "user, password"),
    ],
)
def test_an_upstream_that_is_no_plain_address_is_refused(upstream: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        make_app(lambda text: Retrieved(), upstream)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", [None, "", "two\nlines", "caf\u00e9"])
def test_a_key_that_is_not_there_is_told_by_its_variable(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is None:
        monkeypatch.delenv("NO_KEY", raising=False)
    else:
        monkeypatch.setenv("NO_KEY", value)
    with pytest.raises(InputError, match="NO_KEY") as caught:
        make_app(lambda text: Retrieved(), "http://host/v1", options=ProxyOptions(api_key_env="NO_KEY"))
    assert "lines" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"largest_mb": 0}, {"largest_mb": float("inf")}, {"patience_s": float("nan")}, {"answers": 4}]
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        ProxyOptions(**wrong)


def test_the_app_starts_twice(retriever: Retriever) -> None:
    from starlette.testclient import TestClient

    app = make_app(retriever.nearest, "http://127.0.0.1:9/v1")
    for _ in range(2):
        with TestClient(app, base_url="http://localhost") as one:
            assert one.get("/healthz").json() == {"status": "ok"}
