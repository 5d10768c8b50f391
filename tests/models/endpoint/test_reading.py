import json

import pytest

from kshot.models.endpoint.reading import Received, Trouble, read_reply, read_status, retry_after


def body(content: object = "yes", *, reason: str | None = "stop", **more: object) -> bytes:
    message = {"content": content, **more.pop("message", {})}
    return json.dumps({"choices": [{"message": message, "finish_reason": reason, **more}]}).encode()


def with_usage(prompt: object, completion: object, content: str = "yes") -> bytes:
    found = json.loads(body(content))
    return json.dumps(found | {"usage": {"prompt_tokens": prompt, "completion_tokens": completion}}).encode()


def test_a_reply_with_counts() -> None:
    assert read_reply(with_usage(7, 2)) == Received("yes", "stop", 7, 2)


@pytest.mark.parametrize(
    "content",
    [
        body(),
        with_usage(None, 2),
        with_usage("many", 2),
        with_usage(-5, -9),
        with_usage(10**30, 2),
        with_usage(float("nan"), 2),
        with_usage(True, 2),
        body()[:-1] + b', "usage": [1]}',
    ],
)
def test_without_counts_they_are_estimated_and_said_to_be(content: bytes) -> None:
    found = read_reply(content)
    assert isinstance(found, Received)
    assert (found.estimated, found.prompt_tokens, found.completion_tokens) == (True, -1, 1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>busy</html>",
        b'{"choices": [{"mess',
        b"[]",
        b"null",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": null}]}',
        b'{"choices": [{"message": {"content": 7}}]}',
        b"\xff\xfe\xfa",
        b"[" * 100_000,
    ],
)
def test_a_body_of_another_shape_is_lost_and_asked_for_again(content: bytes) -> None:
    found = read_reply(content)
    assert isinstance(found, Trouble)
    assert found.kind == "lost"


def test_an_error_with_status_200_says_what_it_is_and_was_not_served() -> None:
    found = read_reply(b'{"error": {"message": "overloaded", "code": 529}}')
    assert isinstance(found, Trouble)
    assert (found.kind, found.code) == ("busy", "529")
    assert found.told == "an error in place of a reply: overloaded"


def test_what_fails_one_question_only() -> None:
    refusal = read_reply(body(None, message={"refusal": "I will not."}))
    assert (refusal.kind, refusal.told) == ("refused", "refused: I will not.")
    assert read_reply(body("half", reason="content_filter")).kind == "refused"
    assert read_reply(body("", reason="length")).told == "the limit of tokens was used up before any text"
    assert read_reply(body(" \n")).kind == "empty"
    assert read_reply(body(None)).kind == "empty"


def test_content_in_parts() -> None:
    assert read_reply(body([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}])).text == "ab"


def test_a_stop_string_that_was_left_in_is_taken_out() -> None:
    found = read_reply(body("yes\nand no", reason="length"), ["\n"])
    assert (found.text, found.finish_reason) == ("yes", "stop")
    assert read_reply(body("yes", reason="length"), ["\n"]).finish_reason == "length"


def test_log_probabilities_of_the_first_token() -> None:
    top = [{"token": "A", "logprob": -0.5}, {"token": "B", "logprob": -1.5}]
    found = read_reply(body("A", logprobs={"content": [{"token": "A", "top_logprobs": top}]}))
    assert found.logprobs == (("A", -0.5), ("B", -1.5))
    assert read_reply(body("A", logprobs={"content": []})).logprobs == ()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "refused"),
        (401, "stop"),
        (402, "stop"),
        (403, "stop"),
        (404, "refused"),
        (408, "busy"),
        (413, "refused"),
        (422, "refused"),
        (429, "limited"),
        (500, "busy"),
        (503, "busy"),
        (529, "busy"),
        (308, "stop"),
    ],
)
def test_what_a_status_means(status: int, kind: str) -> None:
    assert read_status(status, {}, b"{}").kind == kind


def test_an_account_without_credit_is_no_rate_limit() -> None:
    content = b'{"error": {"message": "You exceeded your quota", "code": "insufficient_quota"}}'
    found = read_status(429, {}, content)
    assert (found.kind, found.told) == ("stop", "status 429: You exceeded your quota")


@pytest.mark.parametrize(
    "content", [b"", b"no json", b'{"error": "text"}', b'{"error": {}}', b"[1]", b"\xff"]
)
def test_any_error_body_is_read(content: bytes) -> None:
    assert read_status(500, {}, content).told.startswith("status 500")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:47 GMT"}, 10.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:27 GMT"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=784111777.0) == seconds
