"""A pool's folder: what is written is what is read, and whatever is wrong is said with its place."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.errors import DataError, RunError
from kshot.methods.panda.pool import EncoderFacts, InsightPool, PoolHeader
from kshot.methods.panda.pool.lines import line_of, read_lines
from kshot.methods.panda.records import Candidate, Counters, ExpertFacts, Insight, Preference, Spent

HEADER = PoolHeader("irony", "classification", labels=("no", "yes"), expert=ExpertFacts("gold"))


def an_insight(row: int, key: str = "", **fields) -> Insight:
    key = key or f"text {row}"
    candidates = (Candidate("yes", "ironic", 0.75), Candidate("no", "", 0.25))
    preference = Preference(key, candidates, ExpertFacts("classifier", "head#1"), gold="no", flags=("x",))
    return Insight(row, key, f"because {row}", **{"preference": preference, "source": f"a:{row}"} | fields)


def a_pool(count: int = 3) -> InsightPool:
    return InsightPool([an_insight(row) for row in range(count)], HEADER)


texts = st.text(st.characters(exclude_categories=()), max_size=20)  # half characters too
insights = st.builds(
    Insight,
    row=st.integers(0, 5),
    key=texts,
    insight=texts,
    opening=texts,
    heuristic=st.sampled_from(["top1", "top2", "top3", "far", "last"]),
    flags=st.lists(texts, max_size=2).map(tuple),
    counters=st.builds(Counters, *[st.integers(0, 9)] * 3),
    spent=st.builds(Spent, usd=st.floats(0, 10)),
    origin=st.none() | st.dictionaries(texts, texts, max_size=2),
    preference=st.none()
    | st.builds(
        Preference,
        texts,
        st.lists(st.builds(Candidate, texts, texts, st.none() | st.floats(0, 1)), min_size=1, max_size=3).map(
            tuple
        ),
        st.just(ExpertFacts("lm", "a")),
        st.none() | texts,
    ),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(insights, max_size=5, unique_by=lambda insight: insight.id))
def test_what_is_written_is_what_is_read(tmp_path_factory, found):
    folder = tmp_path_factory.mktemp("pools") / "pool"
    pool = InsightPool(found, HEADER)
    pool.save(folder)
    again = InsightPool.load(folder)
    assert again.insights == pool.insights
    assert again.ids == tuple(insight.id for insight in again)
    assert replace(again.header, created="", updated="") == pool.header
    assert again.notes == ()


def test_the_order_is_that_of_the_rows_then_of_the_ids():
    found = [an_insight(2), an_insight(0, "b"), an_insight(0, "a"), an_insight(1)]
    pool = InsightPool(found, HEADER)
    assert [insight.row for insight in pool] == [0, 0, 1, 2]
    assert pool[0].id < pool[1].id
    assert pool.insights == InsightPool(found[::-1], HEADER).insights
    assert len(pool) == 4 == pool.header.counts["insights"]


def test_a_record_that_stands_twice_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="rows 1 and 3 of a pool are one record"):
        InsightPool([an_insight(0), an_insight(1, "a"), an_insight(3, "a")], HEADER)
    a_pool().save(tmp_path / "pool")
    path = tmp_path / "pool" / "insights.jsonl"
    path.write_bytes(path.read_bytes() + line_of(an_insight(9, "text 1")))
    with pytest.raises(DataError, match=r"insights.jsonl:4: is the record of line 2 again"):
        InsightPool.load(tmp_path / "pool")


def test_the_header_has_everything_and_no_key(tmp_path: Path):
    header = replace(
        HEADER,
        encoder=EncoderFacts("hashing", 1024),
        endpoint={"base_url": "http://127.0.0.1:1/v1?api-version=1", "model": "m", "api_key_env": "KEY"},
        decoding={"temperature": 0.0, "stop": ["\n"]},
        counts={"refused": 2},
    )
    InsightPool([], header).save(tmp_path / "pool")
    plain = json.loads((tmp_path / "pool" / "header.json").read_text())
    assert list(plain)[:3] == ["format", "version", "task"]
    assert plain["encoder"]["dim"] == 1024
    assert plain["counts"] == {"refused": 2, "insights": 0}
    assert len(plain["created"]) == len("2026-01-01T00:00:00+00:00")
    again = InsightPool.load(tmp_path / "pool")
    assert again.header.encoder == header.encoder
    assert again.header.endpoint == header.endpoint


@pytest.mark.parametrize(
    "endpoint",
    [
        {"api_key": "sk-secret"},
        {"base_url": "https://me:sk-secret@host/v1"},
        {"base_url": "https://host/v1?key=sk-secret"},
        {"base_url": "https://host/v1?Access_Token=sk-secret"},
    ],
)
def test_a_header_takes_no_secret_and_does_not_repeat_it(endpoint):
    with pytest.raises(DataError) as caught:
        PoolHeader("irony", endpoint=endpoint)
    assert "secret" not in str(caught.value)


WRONG_HEADERS = [
    (lambda h: h | {"version": 2}, "version 2, this kshot reads 1; update kshot"),
    (lambda h: h | {"version": True}, "version True"),
    (lambda h: h | {"format": "other"}, "is no header of an insight pool"),
    (lambda h: h | {"lables": []}, "unknown field 'lables'; did you mean 'labels'"),
    (lambda h: h | {"kind": "poem"}, "kind is 'poem', expected one of classification"),
    (lambda h: h | {"labels": [1]}, "labels are"),
    (lambda h: h | {"labels": "yes"}, "labels are 'yes', expected a list"),
    (lambda h: h | {"labels": 3}, "labels are 3, expected a list"),
    (lambda h: h | {"task": None}, "task is None, expected text"),
    (lambda h: h | {"counts": {"insights": "many"}}, "counts are"),
    (lambda h: h | {"encoder": {"id": "x"}}, "a field is missing or of another type"),
    (lambda h: h | {"expert": ["x"]}, "a field is missing or of another type"),
    (lambda h: h | {"endpoint": {"api_key": "sk"}}, "a key is never stored"),
    (lambda h: [h], "is no header of an insight pool"),
]


@pytest.mark.parametrize(("change", "told"), WRONG_HEADERS, ids=[told for _, told in WRONG_HEADERS])
def test_a_wrong_header_is_said(tmp_path: Path, change, told):
    a_pool().save(tmp_path / "pool")
    path = tmp_path / "pool" / "header.json"
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(DataError, match=r"header.json: .*" + told):
        InsightPool.load(tmp_path / "pool")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_a_header_that_is_no_json(tmp_path: Path, content):
    a_pool().save(tmp_path / "pool")
    (tmp_path / "pool" / "header.json").write_bytes(content)
    with pytest.raises(DataError, match=r"header\.json: cannot be read"):
        InsightPool.load(tmp_path / "pool")


def test_what_is_no_pool_is_said(tmp_path: Path):
    a_pool().save(tmp_path / "irony")
    with pytest.raises(DataError, match="did you mean 'irony'"):
        InsightPool.load(tmp_path / "irnoy")
    (tmp_path / "irony" / "header.json").unlink()
    with pytest.raises(DataError, match=r"has no header.json, so it is no insight pool"):
        InsightPool.load(tmp_path / "irony")
    with pytest.raises(DataError, match="is a file, expected the folder"):
        InsightPool.load(tmp_path / "irony" / "insights.jsonl")


WRONG_LINES = [
    (lambda r: r | {"row": -1}, "row is -1"),
    (lambda r: r | {"row": True}, "row is True"),
    (lambda r: r | {"row": "0"}, "row is '0'"),
    (lambda r: r | {"key": None}, "key is None, expected text"),
    (lambda r: {name: value for name, value in r.items() if name != "insight"}, "insight is None"),
    (lambda r: r | {"insight": {"choices": []}}, "insight is {'choices': ...?, expected text"),
    (lambda r: r | {"heuristic": ["top2"]}, "heuristic is"),
    (lambda r: r | {"flags": "cut"}, "flags is 'cut', expected a list of texts"),
    (lambda r: r | {"counters": {"shown": -1}}, "counters is"),
    (lambda r: r | {"counters": {"seen": 1}}, "expected shown, helped, hurt"),
    (lambda r: r | {"spent": {"usd": "1"}}, "spent is"),
    (lambda r: r | {"origin": []}, "origin is"),
    (lambda r: r | {"preference": []}, ""),  # an empty list is no preference, but no object either
    (lambda r: r | {"preference": r["preference"] | {"candidates": []}}, "expected at least one"),
    (lambda r: r | {"preference": r["preference"] | {"expert": None}}, "preference.expert is None"),
    (lambda r: r | {"preference": r["preference"] | {"gold": 1}}, "preference.gold is 1"),
    (
        lambda r: r | {"preference": r["preference"] | {"candidates": [{"answer": "a", "probability": 2}]}},
        "expected a probability from 0 to 1",
    ),
    (lambda r: r | {"new_field": 1}, "new_field"),
    (lambda r: [r], "holds list, expected an object"),
]


@pytest.mark.parametrize(("change", "told"), WRONG_LINES, ids=[str(n) for n in range(len(WRONG_LINES))])
def test_a_wrong_line_is_said_with_its_place(tmp_path: Path, change, told):
    a_pool().save(tmp_path / "pool")
    path = tmp_path / "pool" / "insights.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[1] = json.dumps(change(json.loads(lines[1]))).encode()
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(DataError, match=r"insights.jsonl:2: .*" + told):
        InsightPool.load(tmp_path / "pool")


@pytest.mark.parametrize("damage", [b'{"row": 0, "key"', b"\xff", b'{"row": NaN}', b"[" * 50_000, b"\0"])
def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path, damage):
    a_pool().save(tmp_path / "pool")
    path = tmp_path / "pool" / "insights.jsonl"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([lines[0], damage, *lines[2:]]))
    with pytest.raises(DataError, match=r"insights.jsonl:2: is no JSON in UTF-8"):
        InsightPool.load(tmp_path / "pool")


def test_many_wrong_lines_are_counted(tmp_path: Path):
    a_pool(5).save(tmp_path / "pool")
    path = tmp_path / "pool" / "insights.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"row":', b'"rwo":'))
    with pytest.raises(DataError, match="and 2 more of 5"):
        InsightPool.load(tmp_path / "pool")


def test_a_last_line_that_was_cut_anywhere_is_left_out_and_told(tmp_path: Path):
    pool = InsightPool([an_insight(0), an_insight(1, "größer\u2028\ud83d 🦊")], HEADER)
    pool.save(tmp_path / "pool")
    path = tmp_path / "pool" / "insights.jsonl"
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    for end in (*range(first + 1, len(content) - 1, 7), len(content) - 2):
        path.write_bytes(content[:end])
        found = read_lines(path)
        assert (len(found.insights), found.whole, found.unfinished) == (1, first, end - first)
    again = InsightPool.load(tmp_path / "pool")
    assert again.insights == pool.insights[:1]
    assert "was cut off" in again.notes[0]
    path.write_bytes(content[:-1])  # whole, but for its line end
    assert InsightPool.load(tmp_path / "pool").insights == pool.insights
    path.write_bytes(b"")
    assert len(InsightPool.load(tmp_path / "pool")) == 0
    path.unlink()
    assert len(InsightPool.load(tmp_path / "pool")) == 0


@pytest.mark.parametrize(
    "wrong", [{"spent": Spent(usd=float("nan"))}, {"flags": (1,)}, {"key": 3}, {"row": -1}]
)
def test_what_could_not_be_read_again_is_not_written(wrong):
    with pytest.raises(DataError):
        line_of(replace(an_insight(0), **wrong))


def test_a_pool_is_not_written_over(tmp_path: Path):
    folder = tmp_path / "pool"
    a_pool(2).save(folder)
    with pytest.raises(DataError, match="holds a pool already"):
        a_pool(3).save(folder)
    assert len(InsightPool.load(folder)) == 2
    (folder / "embeddings.npy").write_bytes(b"x")
    (folder / "notes.txt").write_text("mine")
    a_pool(3).save(folder, overwrite=True)
    assert len(InsightPool.load(folder)) == 3
    assert (folder / "embeddings.npy").read_bytes() == b"x"  # found by key, so it may stay
    assert [entry.name for entry in tmp_path.iterdir()] == ["pool"]


@pytest.mark.parametrize("name", ["thesis.txt", ".git"])
def test_other_things_are_never_replaced(tmp_path: Path, name):
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / name).write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(DataError, match="holds other things and no pool"):
            a_pool().save(folder, overwrite=overwrite)
    with pytest.raises(DataError, match="is a file; give a folder"):
        a_pool().save(folder / name)
    assert (folder / name).read_text() == "mine"


def test_the_old_pool_stays_where_the_new_one_cannot_be_placed(tmp_path: Path, monkeypatch):
    folder = tmp_path / "pool"
    a_pool(2).save(folder)
    rename = Path.rename

    def refusing(self, target):
        if self.name.endswith(".partial"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(RunError, match="No space left"):
        a_pool(3).save(folder, overwrite=True)
    monkeypatch.undo()
    assert len(InsightPool.load(folder)) == 2
    assert [entry.name for entry in tmp_path.iterdir()] == ["pool"]


def test_an_interrupted_replacement_names_where_the_old_pool_lies(tmp_path: Path):
    a_pool(2).save(tmp_path / ".pool.7.old")
    with pytest.raises(DataError, match=r"the old pool lies in .*\.pool\.7\.old"):
        InsightPool.load(tmp_path / "pool")


def test_an_empty_folder_takes_a_pool(tmp_path: Path):
    (tmp_path / "pool").mkdir()
    a_pool(1).save(tmp_path / "pool")
    assert len(InsightPool.load(str(tmp_path / "pool"))) == 1
