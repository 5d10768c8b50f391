"""The journal in one process: found, settled, listed, exported, cleared; the four modes."""

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_calls import call, key

from kshot.errors import DataError, InputError, RunError
from kshot.models.journal import Journal, Prices, default_journal, request_key

DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 6)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "deep" / "calls.sqlite")


def test_a_settled_reply_is_found_whole(journal: Journal) -> None:
    settled = call(
        1, prices=Prices(1.0, 2.0), usd=0.5, logprobs=(("a", -0.5),), latency_s=1.5, attempts=2, step="learn",
        endpoint="http://h/v1", finish_reason="length", prompt_tokens=9, completion_tokens=4,
    )  # fmt: skip
    assert journal.find(key(1)) is None
    journal.settle(settled)
    assert journal.find(key(1)) == settled
    assert journal.find_many([key(2), key(1), key(1)]) == {key(1): settled}


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journal]:
    with Journal(tmp_path_factory.mktemp("any") / "calls.sqlite") as journal:
        yield journal


@given(st.text(st.characters(), max_size=40))
def test_any_text_is_kept(shared: Journal, text: str) -> None:
    request = {"messages": [text]}
    settled = call(
        1, key=request_key(request), text=text, error=text, request=request, endpoint="local " + text
    )
    shared.settle(settled)
    found = shared.find(settled.key)
    assert found is not None
    assert replace(found, created=settled.created) == settled


def test_many_keys_at_once(journal: Journal) -> None:
    journal.settle_many([call(i) for i in range(1000)])
    found = journal.find_many([key(i) for i in range(500, 1500)])
    assert set(found) == {key(i) for i in range(500, 1000)}
    assert all(found[key(i)].text == f"answer {i}" for i in range(500, 1000))
    assert journal.claim([key(i) for i in range(1500)]) == {key(i) for i in range(1000, 1500)}


def test_a_failure_is_listed_but_never_found(journal: Journal) -> None:
    journal.settle(call(1, status="failed", error="HTTP 500", text=""))
    assert journal.find(key(1)) is None
    assert journal.claim([key(1)]) == {key(1)}
    journal.settle(call(1))
    journal.settle(call(1, status="failed", error="late"))
    found = journal.find(key(1))
    assert found is not None
    assert found.text == "answer 1"
    assert [c.status for c in journal.calls()] == ["failed", "done", "failed"]


def test_the_first_reply_stands_and_both_are_on_the_bill(journal: Journal) -> None:
    journal.settle(call(1, text="first", usd=1.0))
    journal.settle(call(1, text="second", usd=2.0))
    found = journal.find(key(1))
    assert found is not None
    assert found.text == "first"
    assert journal.usage()[0].usd == 3.0


def test_refresh_asks_anew_and_finds_its_own(journal: Journal) -> None:
    journal.settle(call(1, text="old"))
    journal.close()
    with Journal(journal.path, mode="refresh") as fresh:
        assert fresh.find(key(1)) is None
        assert fresh.claim([key(1)]) == {key(1)}
        assert fresh.claim([key(1)]) == set()
        fresh.settle(call(1, text="new"))
        found = fresh.find(key(1))
        assert found is not None
        assert found.text == "new"
        assert fresh.claim([key(1)]) == set()
        fresh.settle(call(2, status="failed"))
        assert fresh.claim([key(2)]) == {key(2)}
    with Journal(journal.path) as again:
        found = again.find(key(1))
        assert found is not None
        assert found.text == "new"
        assert [c.text for c in again.calls(status="done")] == ["old", "new"]
        assert again._file is not None
        with again._file.reading() as connection:
            standing = connection.execute("SELECT text FROM calls WHERE is_current = 1").fetchall()
        assert standing == [("new",)]


def test_read_only_finds_and_never_writes(journal: Journal) -> None:
    journal.settle(call(1))
    journal.close()
    before = journal.path.read_bytes()
    with Journal(journal.path, mode="read_only") as reader:
        assert reader.find(key(1)) == next(reader.calls())
        assert reader.claim([key(1)]) == set()
        with pytest.raises(InputError, match="1 of 2 replies are not in the journal"):
            reader.claim([key(1), key(2)])
        for write in (
            lambda: reader.settle(call(2)),
            lambda: reader.release([key(1)]),
            lambda: reader.renew([key(1)]),
            lambda: reader.clear(),
        ):
            with pytest.raises(InputError, match="read_only, nothing is written"):
                write()
    assert journal.path.read_bytes() == before


def test_read_only_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no journal"):
        Journal(tmp_path / "calls.sqlite", mode="read_only")
    assert list(tmp_path.iterdir()) == []


def test_off_reads_and_writes_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "none" / "calls.sqlite", mode="off") as off:
        assert off.claim([key(1), key(1)]) == {key(1)}
        off.settle(call(1))
        assert off.find(key(1)) is None
        assert off.find_many([key(1)]) == {}
        assert off.renew([key(1)]) == {key(1)}
        off.release([key(1)])
        assert list(off.calls()) == [] == list(off.matching(key(1)))
        assert off.usage() == ()
        assert off.clear() == 0
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_mode_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'on' of a journal is none of use, refresh"):
        Journal(tmp_path / "calls.sqlite", mode="on")  # type: ignore[arg-type]


def filled(journal: Journal) -> None:
    for i, (step, model, status) in enumerate(
        [("learn", "m", "done"), ("learn", "n", "failed"), ("answer", "m", "done"), ("answer", "n", "done")]
    ):
        journal.settle(call(i, step=step, model=model, status=status, created=DAYS[i].isoformat()))


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"step": "learn"}, [0, 1]),
        ({"model": "m"}, [0, 2]),
        ({"status": "failed"}, [1]),
        ({"since": DAYS[1]}, [1, 2, 3]),
        ({"until": DAYS[1]}, [0]),
        ({"since": DAYS[1].isoformat(), "until": DAYS[3] + timedelta(microseconds=1)}, [1, 2, 3]),
        ({"step": "answer", "model": "n", "status": "done"}, [3]),
        ({"step": "' OR 1=1 --"}, []),
        ({"limit": 2}, [0, 1]),
        ({"limit": 0}, []),
        ({"limit": -2}, [2, 3]),
        ({"limit": -9}, [0, 1, 2, 3]),
        ({"step": "learn", "limit": -1}, [1]),
    ],
)
def test_calls_are_chosen(journal: Journal, chosen: dict[str, object], expected: list[int]) -> None:
    filled(journal)
    assert [c.key for c in journal.calls(**chosen)] == [key(i) for i in expected]  # type: ignore[arg-type]


def test_calls_come_page_by_page_while_others_write(journal: Journal) -> None:
    journal.settle_many([call(i) for i in range(450)])
    seen = []
    for position, found in enumerate(journal.calls()):
        seen.append(found.key)
        if position == 0:
            journal.settle(call(450))
    assert seen == [key(i) for i in range(451)]
    assert len(list(journal.calls(limit=201))) == 201
    assert len(list(journal.calls(limit=-201))) == 201


def test_a_key_is_found_by_its_first_digits(journal: Journal) -> None:
    filled(journal)
    journal.settle(call(0, text="another"))
    assert [c.text for c in journal.matching(key(0)[:7].upper())] == ["answer 0", "another"]
    assert [c.text for c in journal.matching(key(0))] == ["answer 0", "another"]
    assert {c.key for c in journal.matching(key(1)[:1])} >= {key(1)}
    for wrong in ("", "xyz", "0" * 65):
        with pytest.raises(InputError, match="digits 0-9 and a-f"):
            journal.matching(wrong)


def test_usage_adds_up_by_step_and_model(journal: Journal) -> None:
    paid = {"prices": Prices(1, 1), "usd": 0.5, "prompt_tokens": 10, "completion_tokens": 2, "latency_s": 1.5}
    journal.settle_many(
        [call(1, step="learn", **paid), call(2, step="learn", **paid), call(3, step="answer")]
    )
    journal.settle(call(4, step="learn", status="failed", prompt_tokens=1))
    journal.find_many([key(1), key(2), key(9)])
    journal.find(key(2))
    journal.find(key(2), is_hit=False)
    answer, learn = journal.usage()
    assert (answer.step, answer.model, answer.calls, answer.unpriced, answer.usd) == (
        "answer",
        "m",
        1,
        1,
        0.0,
    )
    assert (learn.calls, learn.failed, learn.unpriced, learn.prompt_tokens) == (3, 1, 1, 21)
    assert (learn.completion_tokens, learn.usd, learn.seconds) == (4, 1.0, 3.0)
    assert (learn.hits, learn.usd_saved) == (3, 1.5)


def test_hits_are_written_with_the_next_settle_and_at_the_end(journal: Journal) -> None:
    journal.settle(call(1))
    journal.find(key(1))
    journal.settle(call(2))
    journal.find(key(1))
    journal.close()
    with Journal(journal.path, mode="read_only") as reader:
        reader.find(key(1))
        assert reader.usage()[0].hits == 2


def test_hits_outlive_a_settle_that_failed(journal: Journal) -> None:
    journal.settle(call(1))
    journal.find(key(1))
    with pytest.raises(TypeError):
        journal.settle(call(2, text=3))
    with pytest.raises(DataError):
        journal.settle(call(2, request={"api_key": "x"}))
    with pytest.raises(RunError):
        journal.settle(call(2, latency_s={}))
    assert journal.usage()[0].hits == 1


def test_an_export_holds_everything_or_nothing(journal: Journal, tmp_path: Path) -> None:
    from kshot.models.journal import Call

    filled(journal)
    journal.settle(call(9, text="half an emoji \ud83d, and ä"))
    out = tmp_path / "calls.jsonl"
    assert journal.export(out) == 5
    rows = [Call.from_json(json.loads(line)) for line in out.read_text(encoding="utf-8").split("\n") if line]
    assert rows == list(journal.calls())
    assert journal.export(out, step="learn", status="failed") == 1
    assert journal.export(out, step="nothing") == 0
    assert out.read_text() == ""
    with pytest.raises(InputError, match="the journal itself"):
        journal.export(journal.path)
    with pytest.raises(RunError, match="cannot be written"):
        journal.export(tmp_path / "missing" / "calls.jsonl")


def test_clear_takes_what_is_chosen(journal: Journal) -> None:
    filled(journal)
    assert journal.clear(step="nothing") == 0
    assert journal.clear(step="learn", model="m") == 1
    assert journal.find(key(0)) is None
    assert journal.clear(before=DAYS[2]) == 1
    assert journal.clear(keys=[key(3), key(7)]) == 1
    assert [c.key for c in journal.calls()] == [key(2)]
    assert journal.clear() == 1
    assert journal.usage() == ()
    assert journal.claim([key(i) for i in range(4)]) == {key(i) for i in range(4)}


def test_clear_leaves_neither_room_nor_words(journal: Journal) -> None:
    word = "vermilion-giraffe"
    journal.settle_many(
        [call(i, text=f"{word} {i} " * 40, request={"q": [f"{word} {i}"]}) for i in range(500)]
    )
    journal.settle_many([call(i, text=f"{word} {i}") for i in range(500, 4500)])
    journal.settle(call(9999, text="stays"))
    folder = journal.path.parent
    assert any(word.encode() in file.read_bytes() for file in folder.iterdir())
    assert journal.clear(keys=[key(i) for i in range(4500)]) == 4500
    assert not any(word.encode() in file.read_bytes() for file in folder.iterdir())
    assert sum(file.stat().st_size for file in folder.iterdir()) < 300_000
    found = journal.find(key(9999))
    assert found is not None
    assert found.text == "stays"


def test_only_the_user_may_read_it(journal: Journal) -> None:
    journal.settle(call(1))
    for file in journal.path.parent.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_secret_in_a_request_is_not_written(journal: Journal) -> None:
    with pytest.raises(DataError, match="may hold a secret"):
        journal.settle_many([call(1), call(2, request={"api_key": "sk-very-secret"})])
    assert list(journal.calls()) == []
    assert not any(b"very-secret" in file.read_bytes() for file in journal.path.parent.iterdir())


def test_a_closed_journal_says_so(journal: Journal) -> None:
    journal.close()
    journal.close()
    with pytest.raises(RunError, match="this journal is closed"):
        journal.find(key(1))
    with pytest.raises(RunError, match="this journal is closed"):
        journal.settle(call(1))


def test_the_default_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KSHOT_JOURNAL", str(tmp_path / "mine.sqlite"))
    assert default_journal() == tmp_path / "mine.sqlite"
    monkeypatch.delenv("KSHOT_JOURNAL")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_journal() == tmp_path / "kshot" / "calls.sqlite"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert default_journal() == tmp_path / "home" / ".cache" / "kshot" / "calls.sqlite"
    assert list(tmp_path.iterdir()) == []
