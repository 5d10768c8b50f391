"""A request's key: what makes a difference, what does not, and what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.errors import DataError
from kshot.models.journal import request_key
from kshot.models.journal.keys import canonical, check_address, without_secrets

REQUEST = {
    "model": "m",
    "messages": [{"role": "user", "content": "2 + 2?"}],
    "temperature": 0.0,
    "max_tokens": 64,
    "sample": 0,
}
LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


def test_a_key_has_32_hexadecimal_digits_and_stays() -> None:
    # a changed key would make everybody pay for everything again
    assert request_key(REQUEST) == "364f77e45cd40d16ef2e54aece3da71c"


@pytest.mark.parametrize(
    "change",
    [
        {"model": "n"},
        {"messages": [{"role": "user", "content": "2 + 2? "}]},
        {"messages": [{"role": "system", "content": "2 + 2?"}]},
        {"temperature": 0.1},
        {"max_tokens": 65},
        {"sample": 1},
        {"seed": None},
        {"logprobs": True},
    ],
)
def test_what_is_asked_makes_another_key(change: dict[str, Any]) -> None:
    assert request_key(REQUEST | change) != request_key(REQUEST)


def test_how_it_travels_does_not() -> None:
    travels = {"stream": True, "stream_options": {"include_usage": True}, "timeout": 3, "user": "u"}
    assert request_key(REQUEST | travels) == request_key(REQUEST)
    nested = {"tools": [{"parameters": {"properties": {"user": {"type": "string"}}}}]}
    assert "user" in canonical(nested)


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=4))
def test_order_and_a_way_through_json_make_no_difference(request: dict[str, Any]) -> None:
    try:
        key = request_key(request)
    except DataError:  # a drawn name of a field was one of headers or secrets
        return
    assert request_key(dict(reversed(request.items()))) == key
    assert request_key(json.loads(json.dumps(request))) == key
    assert request_key(json.loads(canonical(request))) == key


def test_whole_floats_are_integers_and_tuples_are_lists() -> None:
    assert request_key({"a": (1.0, -0.0)}) == request_key({"a": [1, 0]})
    assert request_key({"a": 1}) != request_key({"a": True})
    assert request_key({"a": 1}) != request_key({"a": "1"})
    assert request_key({"a": 2.0**60}) == request_key({"a": 2.0**60})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: "a"}, b"bytes", {"set"}, object()])
def test_what_is_no_json_is_refused(value: object) -> None:
    with pytest.raises(DataError, match="request"):
        request_key({"model": "m", "value": value})


@pytest.mark.parametrize(
    "name",
    [
        "api_key",
        "apikey",
        "API-Key",
        "authorization",
        "Authorization",
        "x-api-key",
        "access_token",
        "password",
    ],
)
def test_a_secret_is_refused_and_not_shown(name: str) -> None:
    for request in ({name: "sk-very-secret"}, {"extra": [{name: "sk-very-secret"}]}):
        with pytest.raises(DataError, match="may hold a secret") as found:
            request_key(request)
        assert "very" not in str(found.value)


def test_headers_are_refused_at_the_top() -> None:
    for name in ("headers", "extra_headers", "default_headers"):
        with pytest.raises(DataError, match="may hold a secret"):
            request_key({name: {"x": "y"}})


def test_a_tool_may_have_a_parameter_of_such_a_name() -> None:
    properties = {"api_key": {"type": "string"}, "headers": {"type": "object"}}
    assert request_key({"tools": [{"parameters": {"properties": properties}}], "max_tokens": 3})


def test_credentials_in_an_address_are_refused() -> None:
    check_address("http://127.0.0.1:8000/v1")
    check_address("local: a model")
    with pytest.raises(DataError, match="is no address"):
        check_address("http://[::1")
    for address in ("https://me:hunter2@host/v1", "https://token@host/v1", "https://host/v1?api_key=x"):
        with pytest.raises(DataError, match="plain base URL") as found:
            check_address(address)
        assert "hunter2" not in str(found.value)
        assert "=x" not in str(found.value)


@pytest.mark.parametrize(
    "said",
    [
        "Incorrect API key provided: sk-proj-abcd1234.",
        "Authorization: Bearer abc.def-123, denied",
        "key 'sk-ant-REDACTED' is wrong",
        "hf_AbCdEfGhIjKl has no access",
    ],
)
def test_what_looks_like_a_key_is_cut_out_of_errors(said: str) -> None:
    shown = without_secrets(said)
    assert "[secret]" in shown
    for word in ("abcd1234", "abc.def", "99999", "AbCd"):
        assert word not in shown


def test_plain_words_stay() -> None:
    for said in ("the task-force", "no bearer of news", "risk-based", "HTTP 429: rate limited"):
        assert without_secrets(said) == said
