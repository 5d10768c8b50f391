"""TweetEval's folders as tasks: both layouts, the files' oddities, and the traps that are met and told."""

import json
from pathlib import Path

import pytest

from kshot.data.tweeteval import (
    NAMES,
    official_metric,
    read_tweeteval,
    tweeteval_task,
    tweeteval_tasks,
)
from kshot.errors import DataError, TaskError

SHARED = Path(__file__).parents[2].parent / "shared" / "data" / "tweeteval"


def released(folder, *, mapping="0\tno\n1\tyes", **splits):
    """A folder as cardiffnlp/tweeteval has it; each split is a list of (text, index)."""
    folder.mkdir(parents=True, exist_ok=True)
    if mapping is not None:
        (folder / "mapping.txt").write_text(mapping, encoding="utf-8")
    for split, rows in splits.items():
        (folder / f"{split}_text.txt").write_text("".join(text + " \n" for text, _ in rows), encoding="utf-8")
        (folder / f"{split}_labels.txt").write_text("".join(f"{code}\n" for _, code in rows))
    return folder


def many(count, word="tweet"):
    return [(f"{word} number {at}", at % 2) for at in range(count)]


def test_the_released_layout_is_read(tmp_path):
    released(tmp_path / "hate", train=many(30), test=many(6, "other"))
    rows = read_tweeteval(tmp_path, "hate")
    assert rows.labels == ("no", "yes")
    assert (len(rows.train), len(rows.test), rows.notes) == (30, 6, ())
    assert (rows.train[1].prompt, rows.train[1].answer) == ("tweet number 1", "yes")
    assert rows.test[0].source == "hate/test_text.txt:1"
    assert rows.official == "tweeteval:hate"


def test_lines_end_at_newlines_alone_and_a_last_one_may_lack_it(tmp_path):
    texts = ["one\u2028still one", "two\u0085still two", "three\x0bstill three"]
    place = released(tmp_path / "irony", train=many(4), test=[(text, 0) for text in texts])
    (place / "test_text.txt").write_text("\n".join(texts), encoding="utf-8")
    assert [row.prompt for row in read_tweeteval(tmp_path, "irony").test] == texts


def test_a_mapping_of_three_columns_gives_names_in_words(tmp_path):
    mapping = "0\t❤\t_red_heart_\n1\t📸\t_camera_with_flash_"  # no final newline
    released(tmp_path / "emoji", mapping=mapping, train=many(4), test=many(2, "other"))
    assert read_tweeteval(tmp_path, "emoji").labels == ("red heart", "camera with flash")


def test_the_targets_of_stance_share_a_mapping(tmp_path):
    mapping = "0\tnone\n1\tagainst\n2\tfavor\n"
    for target in ("abortion", "climate"):
        released(tmp_path / "stance" / target, mapping=None, train=many(4), test=many(2, target))
    (tmp_path / "stance" / "mapping.txt").write_text(mapping)
    assert read_tweeteval(tmp_path, "stance_climate").labels == ("none", "against", "favor")
    found = [("stance_abortion", tmp_path), ("stance_climate", tmp_path)]
    for named in (f"tweeteval:{tmp_path}", f"tweeteval:{tmp_path}/stance"):
        assert [(name, folder) for folder, name in tweeteval_tasks(named)] == found
    one = ((tmp_path, "stance_climate"),)
    assert tweeteval_tasks(f"tweeteval:{tmp_path}/stance/climate") == one
    assert tweeteval_tasks(f"tweeteval:{tmp_path}/stance_climate") == one
    assert official_metric("stance_climate") == "tweeteval:stance"


def test_where_the_train_texts_of_sentiment_are_missing_validation_serves(tmp_path):
    place = released(tmp_path / "sentiment", val=many(8), test=many(2, "other"))
    (place / "train_labels.txt").write_text("0\n1\n")
    rows = read_tweeteval(tmp_path, "sentiment")
    assert len(rows.train) == 8
    assert rows.notes == ("sentiment: the train texts are missing; 8 validation rows stand in for them.",)
    released(tmp_path / "hate", val=many(8), test=many(2, "other"))
    with pytest.raises(DataError, match=r"train_text\.txt: cannot be read"):
        read_tweeteval(tmp_path, "hate")


def test_rows_that_repeat_a_test_row_or_each_other_are_left_out_and_counted(tmp_path):
    train = [*many(4), ("OTHER  number 0", 1), ("tweet number 1", 0), ("", 1)]
    released(tmp_path / "offensive", train=train, test=many(2, "other"))
    rows = read_tweeteval(tmp_path, "offensive")
    assert [row.prompt for row in rows.train] == [text for text, _ in many(4)]
    assert rows.notes == (
        "offensive: 1 of 7 labelled rows were left out, as they have no text.",
        "offensive: 1 of 7 labelled rows were left out, as they have the text of a test row.",
        "offensive: 1 of 7 labelled rows were left out, as they repeat an earlier row's text.",
    )


def test_hashtags_that_give_irony_away_are_cut_out_of_test_texts(tmp_path):
    test = [("so  good #Irony", 1), ("#not", 1), ("keep  #nothing as it is", 0), ("#sarcasm! fine", 1)]
    train = [*many(4), ("so good", 0), ("so good #irony", 1)]
    released(tmp_path / "irony", train=train, test=test)
    rows = read_tweeteval(tmp_path, "irony")
    assert [row.prompt for row in rows.test] == ["so good", "(empty)", "keep  #nothing as it is", "! fine"]
    assert len(rows.train) == 4  # both have the text of a test row, as it was or as it is
    assert "3 of 4 test texts: they give the label away" in rows.notes[0]
    released(tmp_path / "hate", train=many(4), test=test)
    assert read_tweeteval(tmp_path, "hate").test[0].prompt == "so  good #Irony"


def test_shots_are_drawn_from_train_by_the_seed(tmp_path):
    released(tmp_path / "hate", train=many(60), test=many(6, "other"))
    rows = read_tweeteval(tmp_path, "hate")
    task = tweeteval_task(rows)
    assert (task.name, task.metric, len(task.shots), len(task.test)) == ("hate", "macro_f1", 20, 6)
    assert set(task.shots) <= set(rows.train)
    assert tweeteval_task(rows, k=20, seed=0).shots == task.shots != tweeteval_task(rows, seed=1).shots
    assert tweeteval_task(rows, metric="official").metric == "tweeteval:hate"
    assert task.settings.examples.k == 20
    assert task.splits()[0].test == rows.test
    with pytest.raises(TaskError, match="k is 61"):
        tweeteval_task(rows, k=61)


def test_what_is_wrong_with_a_folder_is_told(tmp_path):
    place = released(tmp_path / "hate", train=many(4), test=many(3, "other"))
    (place / "test_labels.txt").write_text("0\n1\n")
    with pytest.raises(DataError, match=r"3 lines, but test_labels\.txt has 2"):
        read_tweeteval(tmp_path, "hate")
    (place / "test_labels.txt").write_text("0\n1\n2\n")
    with pytest.raises(DataError, match=r"test_labels\.txt:3: label '2' is none of 0 to 1"):
        read_tweeteval(tmp_path, "hate")
    (place / "mapping.txt").write_text("0 no\n1\tyes\n")
    with pytest.raises(DataError, match=r"mapping\.txt:1: found '0 no'"):
        read_tweeteval(tmp_path, "hate")
    (place / "mapping.txt").write_text("0\tno\n2\tyes\n")
    with pytest.raises(DataError, match=r"indices are \[0, 2\]"):
        read_tweeteval(tmp_path, "hate")
    with pytest.raises(DataError, match="did you mean 'irony'"):
        tweeteval_tasks(f"tweeteval:{tmp_path}/ironie")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no task of TweetEval"):
        tweeteval_tasks(f"tweeteval:{tmp_path}/empty")
    with pytest.raises(DataError, match="no such task"):
        read_tweeteval(tmp_path, "irony")


def test_rows_in_jsonl_are_read(tmp_path):
    place = tmp_path / "hate"
    place.mkdir()
    (place / "labels.txt").write_text("no\nyes\n")
    for split, word in (("train", "tweet"), ("test", "other")):
        lines = [json.dumps({"text": text, "label": ("no", "yes")[code]}) for text, code in many(6, word)]
        (place / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    rows = read_tweeteval(tmp_path, "hate")
    assert (rows.labels, len(rows.train), rows.test[0].source) == (("no", "yes"), 6, "hate/test.jsonl:1")
    (place / "test.jsonl").write_text(json.dumps({"text": "a", "label": "maybe"}) + "\n")
    with pytest.raises(DataError, match="label 'maybe'"):
        read_tweeteval(tmp_path, "hate")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the development data is not here")
def test_the_development_data():
    found = {name: read_tweeteval(folder, name) for folder, name in tweeteval_tasks(f"tweeteval:{SHARED}")}
    assert set(found) == set(NAMES) - {"emoji", "hate", "sentiment"}
    sizes = {name: (len(rows.train), len(rows.test)) for name, rows in found.items()}
    assert sizes["irony"] == (2862, 784)
    assert sizes["emotion"] == (3257 - 25, 1421)
    assert sum(len(rows.test) for name, rows in found.items() if name.startswith("stance")) == 1249
    assert "431 of 784" in found["irony"].notes[0]
    assert "#irony" not in " ".join(row.prompt for row in found["irony"].test).lower().split()
