"""The fake server, asked over real sockets by the plain openai client and by bare sockets."""

import json
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import openai
import pytest

from kshot.errors import InputError, RunError
from kshot.models.fake import FakeReply, FakeServer, Faults, canonical, request_text

HELLO = [{"role": "user", "content": "hello there you"}]


def client(server: FakeServer, key: str = "dummy") -> openai.OpenAI:
    return openai.OpenAI(base_url=server.base_url, api_key=key, max_retries=0, timeout=10)


def ask(server: FakeServer, **more: Any) -> Any:
    with client(server) as one:
        return one.chat.completions.create(**({"model": "fake", "messages": HELLO} | more))


def bare(server: FakeServer, data: bytes) -> bytes:
    """All bytes that come back until the server closes or is quiet."""
    port = int(server.base_url.split(":")[2].split("/")[0])
    found = b""
    with socket.create_connection(("127.0.0.1", port), timeout=0.3) as connection:
        connection.sendall(data)
        try:
            while piece := connection.recv(65536):
                found += piece
        except TimeoutError:
            pass
    return found


def posted(body: Mapping[str, Any], *, connection: str = "keep-alive") -> bytes:
    raw = json.dumps(body).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nConnection: %b\r\nContent-Length: %d\r\n\r\n"
    return head % (connection.encode(), len(raw)) + raw


def test_a_reply_with_its_counts() -> None:
    with FakeServer(lambda body: request_text(body).upper()) as server:
        reply = ask(server)
        assert reply.choices[0].message.content == "HELLO THERE YOU"
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (3, 3)
        assert [model.id for model in client(server).models.list()] == ["fake"]
        recorded = server.requests[0]
        assert (recorded.outcome, recorded.status) == ("ok", 200)
        assert recorded.body["messages"] == HELLO
        assert json.loads(recorded.raw) == recorded.body
        assert server.paid == {canonical({"messages": HELLO, "model": "fake"}): 1}
        assert [event.what for event in server.log] == ["arrived", "ok"]
        server.reset()
        assert (server.requests, server.paid, server.log) == ([], {}, [])


def test_a_stream_gives_the_same_text_and_the_usage_when_asked() -> None:
    text = "  two  blanks,\nand a line\n"
    with FakeServer(lambda body: text) as server, client(server) as one:
        stream = one.chat.completions.create(
            model="fake", messages=HELLO, stream=True, stream_options={"include_usage": True}
        )
        found = list(stream)
        assert "".join(c.choices[0].delta.content or "" for c in found if c.choices) == text
        assert [c.choices[0].finish_reason for c in found if c.choices][-1] == "stop"
        assert found[-1].usage.completion_tokens == 5
        assert all(c.usage is None for c in found[:-1])
        assert b"data: [DONE]" in bare(server, posted({"model": "fake", "messages": HELLO, "stream": True}))
        assert server.paid.total() == 2


def test_stop_and_limit_cut_a_text_and_a_fake_reply_is_left_alone() -> None:
    with FakeServer(lambda body: "one two\nthree four") as server:
        assert ask(server, stop="\n").choices[0].message.content == "one two"
        cut = ask(server, max_tokens=3).choices[0]
        assert (cut.message.content, cut.finish_reason) == ("one two\nthree", "length")
    whole = FakeReply(
        "one two", prompt_tokens=7, completion_tokens=0, logprobs=(("one", -0.1), ("two", -2.5))
    )
    with FakeServer(lambda body: whole) as server:
        reply = ask(server, max_tokens=1)
        assert reply.choices[0].message.content == "one two"
        assert reply.usage.total_tokens == 7
        alternatives = reply.choices[0].logprobs.content[0].top_logprobs
        assert [(a.token, a.logprob) for a in alternatives] == [("one", -0.1), ("two", -2.5)]


def test_scripts_as_list_and_mapping_run_out_loudly() -> None:
    with FakeServer(["one", FakeReply("two", finish_reason="content_filter")]) as server:
        assert ask(server).choices[0].message.content == "one"
        assert ask(server).choices[0].finish_reason == "content_filter"
        with pytest.raises(openai.BadRequestError, match="used up"):
            ask(server)
    with FakeServer({"hello there you": "hi"}) as server:
        assert ask(server).choices[0].message.content == "hi"
        with pytest.raises(openai.BadRequestError, match="no reply to 'other'"):
            ask(server, messages=[{"role": "user", "content": "other"}])
    with pytest.raises(InputError, match="a script is str"):
        FakeServer("hello")


def test_a_function_that_raises_is_answered_and_the_server_lives() -> None:
    def broken(body: Mapping[str, Any]) -> str:
        raise KeyError("where")

    with FakeServer(broken) as server:
        for _ in range(2):
            with pytest.raises(openai.BadRequestError, match="KeyError"):
                ask(server)
        assert [r.outcome for r in server.requests] == ["failed", "failed"]
        assert server.paid == {}


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("rate_limited", openai.RateLimitError),
        ("server_error", openai.InternalServerError),
        ("disconnected", openai.APIConnectionError),
        ("cut_body", openai.APIConnectionError),
    ],
)
def test_faults_that_raise_are_not_paid(fault: str, raised: type[Exception]) -> None:
    with FakeServer(lambda body: "a b", faults=Faults(**{fault: 1.0})) as server:
        with pytest.raises(raised):
            ask(server)
        assert server.requests[0].outcome == fault
        assert server.paid == {}
        assert server.in_flight_now == 0


@pytest.mark.parametrize("fault", ["disconnected", "cut_body"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_lost_reply_may_have_been_paid(fault: str, stream: bool) -> None:
    faults = Faults(**{fault: 1.0}, after_paying=True)
    with FakeServer(lambda body: "a b c d", faults=faults) as server:
        found = bare(server, posted({"model": "fake", "messages": HELLO, "stream": stream}))
        assert b"[DONE]" not in found
        assert (b'"a"' in found) is stream
        assert server.paid.total() == 1


def test_truncated_and_empty_replies_are_paid() -> None:
    with FakeServer(lambda body: "a b c d", faults=Faults(truncated=1.0)) as server:
        choice = ask(server).choices[0]
        assert (choice.message.content, choice.finish_reason) == ("a b", "length")
        assert server.paid.total() == 1
    with FakeServer(lambda body: "a b c d", faults=Faults(empty=1.0)) as server:
        assert ask(server).choices[0].message.content == ""
        assert server.paid.total() == 1


def test_malformed_replies_come_in_both_forms() -> None:
    with FakeServer(lambda body: "a", faults=Faults(malformed=1.0)) as server:
        found = {
            bare(server, posted({"model": "fake", "messages": HELLO}, connection="close")).split(b"\r\n\r\n")[
                1
            ]
            for _ in range(12)
        }
        assert found == {b"<html><body>Bad gateway", b'{"object": "chat.completion", "choices": 3}'}
        assert server.paid == {}


@pytest.mark.parametrize(("given", "said"), [(2.0, "2"), (0.25, "0.25"), (None, None)])
def test_retry_after_in_seconds(given: float | None, said: str | None) -> None:
    with FakeServer(lambda body: "a", faults=Faults(rate_limited=1.0, retry_after=given)) as server:
        with pytest.raises(openai.RateLimitError) as caught:
            ask(server)
        assert caught.value.response.headers.get("retry-after") == said


def test_retry_after_as_a_date() -> None:
    faults = Faults(rate_limited=1.0, retry_after="date")
    with (
        FakeServer(lambda body: "a", faults=faults) as server,
        pytest.raises(openai.RateLimitError) as caught,
    ):
        ask(server)
    moment = parsedate_to_datetime(caught.value.response.headers["retry-after"]).timestamp()
    assert 0 < moment - time.time() <= 2


def test_capacity_and_the_most_in_flight() -> None:
    faults = Faults(capacity=3, latency=(0.3, 0.3))
    with FakeServer(lambda body: "a", faults=faults) as server:

        def status(number: int) -> int:
            try:
                ask(server, messages=[{"role": "user", "content": str(number)}])
            except openai.RateLimitError:
                return 429
            return 200

        with ThreadPoolExecutor(5) as pool:
            found = sorted(pool.map(status, range(5)))
        assert found == [200, 200, 200, 429, 429]
        assert server.most_in_flight == 5
        assert (server.in_flight_now, server.log[-1].in_flight) == (0, 0)


def test_a_client_that_hangs_up_frees_its_place() -> None:
    with FakeServer(lambda body: "a", faults=Faults(latency=(30, 30))) as server:
        assert bare(server, posted({"model": "fake", "messages": HELLO})) == b""
        deadline = time.monotonic() + 5
        while server.in_flight_now and time.monotonic() < deadline:
            time.sleep(0.01)
        assert [r.outcome for r in server.requests] == ["hung_up"]
        assert server.paid.total() == 1  # the provider counts what nobody waited for


def test_the_key_is_demanded_and_never_kept() -> None:
    with FakeServer(lambda body: "a", api_key="sk-right") as server:
        with pytest.raises(openai.AuthenticationError):
            ask(server)
        with client(server, "sk-right") as one:
            one.chat.completions.create(model="fake", messages=HELLO)
        assert [r.status for r in server.requests] == [401, 200]
        assert "sk-right" not in repr(server.requests)
        assert server.requests[1].headers["authorization"] == "(kept secret)"


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[]", 400), (b"{}", 400), (b'{"messages": []}', 400), (b'{"messages": [1], "n": 2}', 400),
     (b'{"messages": [{"role": "user", "content": "x"}], "model": "none"}', 404),
     (b"[" * 100_000, 400)],
)  # fmt: skip
def test_what_is_no_chat_is_refused(body: bytes, status: int) -> None:
    with FakeServer(lambda body: "a") as server:
        head = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
        found = bare(server, head + body)
        assert found.startswith(b"HTTP/1.1 %d " % status)
        assert set(json.loads(found.split(b"\r\n\r\n", 1)[1])) == {"error"}


def test_other_addresses_and_bad_requests() -> None:
    with FakeServer(lambda body: "a") as server:
        assert bare(server, b"GET /v1/none HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404")
        assert bare(server, b"hello\r\n\r\n").startswith(b"HTTP/1.1 400")
        found = bare(server, b"GET /stats HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert json.loads(found.split(b"\r\n\r\n")[1])["requests"] == 1


def test_waiting_for_100_continue() -> None:
    body = json.dumps({"model": "fake", "messages": HELLO}).encode()
    head = b"POST /v1/chat/completions HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(
        body
    )
    with FakeServer(lambda body: "a") as server:
        port = int(server.base_url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(head)
            assert connection.recv(100).startswith(b"HTTP/1.1 100")
            connection.sendall(body)
            assert connection.recv(10_000).startswith(b"HTTP/1.1 200")


def test_requests_in_one_packet_are_answered_in_order() -> None:
    with FakeServer(request_text, faults=Faults(latency=(0.01, 0.05))) as server:
        asked = [
            posted({"model": "fake", "messages": [{"role": "user", "content": f"n{i}"}]}) for i in range(5)
        ]
        found = bare(server, b"".join(asked))
        places = [found.index(b'"n%d"' % i) for i in range(5)]
        assert places == sorted(places)


def test_it_starts_and_ends_cleanly() -> None:
    server = FakeServer(lambda body: "a")
    with pytest.raises(RunError, match="not running"):
        _ = server.base_url
    before = threading.active_count()
    with server:
        port = int(server.base_url.split(":")[2].split("/")[0])
        with pytest.raises(RunError, match="cannot be listened on"), FakeServer(lambda b: "", port=port):
            pass
        assert threading.active_count() == before + 1
    server.close()
    assert threading.active_count() == before


def test_thousands_of_requests_a_second() -> None:
    request = posted({"model": "fake", "messages": HELLO})
    with FakeServer(lambda body: "a b c") as server:
        port = int(server.base_url.split(":")[2].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            started = time.perf_counter()
            for _ in range(1000):
                connection.sendall(request)
                connection.recv(65536)
            seconds = time.perf_counter() - started
    assert seconds < 5  # 0.2 s on a quiet machine
