"""A key goes to the server it is for, in one header, and stays nowhere."""

import io
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from endpoint_questions import question, questions, served

from kshot.errors import KshotError
from kshot.models.asking import replies
from kshot.models.endpoint import Endpoint
from kshot.models.fake import FakeReply, FakeServer

KEY = "very+secret/0123456789"  # no usual form, by which a key could be guessed


def test_a_key_stands_in_no_journal_log_error_or_reply(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)

    def repeats(body: Mapping[str, Any]) -> str | FakeReply:
        last = body["messages"][-1]["content"]
        return FakeReply(f"bad key? {KEY}", status=400) if last == "question 1" else "ok"

    try:
        with served(
            repeats, api_key=KEY, api_key_env="MY_KEY", journal=tmp_path / "calls.sqlite", most_failed=1.0
        ) as (server, endpoint):
            found = replies(endpoint, questions(30))
            assert found[0].text == "ok"
            assert found[1].error == "status 400: bad key? [secret]"
            assert endpoint.journal is not None
            shown = [repr(found), repr(endpoint), repr(vars(endpoint)), repr(endpoint.usage())]
            shown += [str(call.to_json()) for call in endpoint.journal.calls()]
            endpoint.journal.export(tmp_path / "export.jsonl")
            monkeypatch.setenv("MY_KEY", KEY + "-wrong")
            with Endpoint(server.base_url, "fake", options=endpoint._options) as other:
                with pytest.raises(KshotError) as caught:
                    replies(other, questions(3))
                shown.append(str(caught.value))
    finally:
        root.removeHandler(handler)
        root.setLevel(before)
    shown += [written.getvalue(), *capfd.readouterr()]
    assert "HTTP" in written.getvalue()  # the log did see the requests
    assert not any(KEY in text for text in shown)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) >= 2
    assert not any(KEY.encode() in path.read_bytes() for path in files)


def test_a_reply_that_repeats_the_key_is_kept_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    file = tmp_path / "calls.sqlite"
    with served(
        lambda body: f"your header was Bearer {KEY}", api_key=KEY, api_key_env="MY_KEY", journal=file
    ) as (_, endpoint):
        assert replies(endpoint, [question("a")])[0].text == "your header was Bearer [secret]"
    assert not any(KEY.encode() in path.read_bytes() for path in tmp_path.iterdir())


def test_nothing_that_the_environment_says_of_openai_is_sent_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.setenv(name, "leaked-value")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://leaked.example/v1")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Leaked: leaked-value\nAuthorization: leaked-value")
    seen: list[bytes] = []

    with served() as (server, endpoint):
        server_exchange = server._exchange

        def watched(request: Any) -> Any:
            seen.append(repr(request.headers).encode())
            return server_exchange(request)

        monkeypatch.setattr(server, "_exchange", watched)
        replies(endpoint, [question("a")])
        headers = server.requests[-1].headers
    assert "leaked" not in str(headers)
    assert "x-stainless-os" not in headers
    assert headers["user-agent"] == "kshot"


def test_no_proxy_stands_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with served() as (_, endpoint):
        assert replies(endpoint, [question("a")])[0].text == "re: a"


def test_a_proxy_is_used_for_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with FakeServer(lambda body: "x") as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url.removesuffix("/v1"))
        with Endpoint("http://llm.example/v1", "fake") as endpoint, pytest.raises(KshotError):
            replies(endpoint, [question("a")])
        assert [r.path for r in proxy.requests] == ["http://llm.example/v1/chat/completions"]
