"""A call: checked, in UTC, and the same after a way through JSON."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from kshot.errors import DataError
from kshot.models.journal import Call, Prices, request_key
from kshot.models.journal.call import microseconds

KEY = request_key({"model": "m"})
FULL = Call(
    KEY,
    "m",
    endpoint="http://127.0.0.1:1/v1",
    step="learn",
    request={"model": "m"},
    text="half an emoji: \ud83d",
    finish_reason="length",
    prompt_tokens=7,
    completion_tokens=3,
    usd=0.25,
    prices=Prices(1.0, 2.0),
    latency_s=0.5,
    attempts=3,
    logprobs=(("yes", -0.1), ("no", -2.5)),
    created="2026-01-02T03:04:05.678901+00:00",
)


def test_it_comes_back_from_json() -> None:
    assert Call.from_json(json.loads(json.dumps(FULL.to_json()))) == FULL


def test_times_are_kept_in_utc() -> None:
    moment = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert Call(KEY, "m", created=moment.isoformat()).created == "2026-01-02T03:04:05.000000+00:00"
    assert microseconds(moment) == microseconds(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    before = datetime.now(UTC)
    assert before <= datetime.fromisoformat(Call(KEY, "m").created) <= datetime.now(UTC)


def test_a_pair_will_do_for_prices() -> None:
    assert Call(KEY, "m", prices=(1, 2)).prices == Prices(1, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"key": "abc"}, "no key of a request"),
        ({"key": "g" * 32}, "no key of a request"),
        ({"key": " " + "0" * 31}, "no key of a request"),
        ({"status": "pending"}, "none of done, failed"),
        ({"created": "yesterday"}, "no time in ISO 8601"),
        ({"created": "2026-01-02T03:04:05"}, "has no zone"),
        ({"endpoint": "https://me:secret@host/v1"}, "plain base URL"),
    ],
)
def test_what_is_no_call_is_refused(change: dict[str, str], words: str) -> None:
    with pytest.raises(DataError, match=words) as found:
        Call(**{"key": KEY, "model": "m", **change})  # type: ignore[arg-type]
    assert "secret" not in str(found.value)


@pytest.mark.parametrize("plain", [{}, {"key": KEY}, FULL.to_json() | {"extra": 1}])
def test_other_json_is_refused(plain: dict[str, object]) -> None:
    with pytest.raises(DataError, match="no call of a journal"):
        Call.from_json(plain)


def test_an_error_never_shows_a_key() -> None:
    assert "abcdef" not in Call(KEY, "m", status="failed", error="wrong key sk-abcdef99").error
