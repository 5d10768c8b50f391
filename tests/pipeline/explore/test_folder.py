"""The folder of an exploration: whole after each round, resumed, edited by a person, honest about damage."""

from __future__ import annotations

import errno
import json

import pytest

from kshot.errors import DataError, InputError, RunError
from kshot.methods.explore.records import Item, Refusal, Row, row_id
from kshot.methods.explore.seams import Progress
from kshot.methods.explore.tree import DomainTree
from kshot.pipeline.explore import folder as module
from kshot.pipeline.explore.folder import ExploreFolder


def planted():
    tree = DomainTree.planted("rewriting", "Texts are changed.")
    tree.add(tree.root.id, "paraphrase", reason="Other words.")
    tree.add(tree.root.id, "改写", reason="中文")
    return tree


def row(tree, text):
    node = tree.children(tree.root.id)[0].id
    item = Item(text, "", "done \ud800")
    return Row(row_id(node, item), node, item, f"fill:{node}:0")


def filled(place):
    """A folder with one committed round of two rows and a refusal."""
    with ExploreFolder(place).open(make=True) as folder:
        saved = folder.begin(planted(), {"language": "en"})
        add(folder, saved, "one", "two")
    return place


def add(folder, saved, *texts):
    rows = tuple(row(saved.found.tree, text) for text in texts)
    refused = (Refusal("row", rows[0].node, "overlap", "again", score=0.8, near=rows[0].id),)
    saved.found.rows.extend(rows)
    saved.found.refused.extend(refused)
    folder.commit(saved, Progress("fill", 1, rows, refused))


def loaded(place):
    with ExploreFolder(place).open() as folder:
        return folder.load()


def test_what_was_committed_is_there_again(tmp_path):
    place = filled(tmp_path / "out")
    saved = loaded(place)
    assert [one.item.instruction for one in saved.found.rows] == ["one", "two"]
    assert saved.found.rows[0].item.output == "done \ud800"
    assert [one.rule for one in saved.found.refused] == ["overlap"]
    assert [node.name for node in saved.found.tree] == ["rewriting", "paraphrase", "改写"]
    assert saved.rounds == {"fill": 1}
    assert saved.notes == ()


def test_lines_after_the_commit_point_are_cut_off(tmp_path):
    """A process died between appending rows and writing the state."""
    place = filled(tmp_path / "out")
    before = (place / "rows.jsonl").read_bytes()
    with (place / "rows.jsonl").open("ab") as file:
        file.write(b'{"id": "half')
    saved = loaded(place)
    assert len(saved.found.rows) == 2
    assert (place / "rows.jsonl").read_bytes() == before


def test_rows_are_appended_after_the_commit_point(tmp_path):
    place = filled(tmp_path / "out")
    with (place / "rows.jsonl").open("ab") as file:
        file.write(b"rubbish\n")
    with ExploreFolder(place).open() as folder:
        saved = folder.load()
        add(folder, saved, "three")
    assert [one.item.instruction for one in loaded(place).found.rows] == ["one", "two", "three"]


def test_a_full_disk_leaves_the_last_commit(tmp_path, monkeypatch):
    place = filled(tmp_path / "out")
    full = OSError(errno.ENOSPC, "No space left on device")

    def refuse(path, content):
        raise full

    with ExploreFolder(place).open() as folder:
        saved = folder.load()
        monkeypatch.setattr(module, "write_atomically", refuse)
        with pytest.raises(RunError, match=r"no space is left.*goes on from here"):
            add(folder, saved, "three")
    monkeypatch.undo()
    assert [one.item.instruction for one in loaded(place).found.rows] == ["one", "two"]


@pytest.mark.parametrize("name", ["tree.md", "tree.json"])
def test_an_edited_tree_is_taken_in(tmp_path, name):
    place = filled(tmp_path / "out")
    text = (place / name).read_text(encoding="utf-8")
    (place / name).write_text(text.replace("改写", "formal tone"), encoding="utf-8")
    saved = loaded(place)
    assert [node.name for node in saved.found.tree] == ["rewriting", "paraphrase", "formal tone"]
    assert saved.found.tree.children(saved.found.tree.root.id)[1].origin == "person"
    assert len(saved.found.rows) == 2
    assert "was edited" in saved.notes[0]


def test_rows_of_a_removed_task_are_not_used_but_stay_on_disk(tmp_path):
    place = filled(tmp_path / "out")
    lines = (place / "tree.md").read_text(encoding="utf-8").splitlines(keepends=True)
    (place / "tree.md").write_text(
        "".join(line for line in lines if "paraphrase" not in line), encoding="utf-8"
    )
    saved = loaded(place)
    assert saved.found.rows == []
    assert "2 rows of removed tasks" in " ".join(saved.notes)
    assert len((place / "rows.jsonl").read_bytes().splitlines()) == 2


def test_a_task_that_comes_back_has_its_rows_and_their_counts(tmp_path):
    place = filled(tmp_path / "out")
    outline = place / "tree.md"
    before = outline.read_text()
    outline.write_text("# rewriting\n\n- 改写: 中文\n")
    with ExploreFolder(place).open() as folder:
        folder.commit(folder.load())
    outline.write_text(before)
    saved = loaded(place)
    node = saved.found.tree.children(saved.found.tree.root.id)[0]
    assert (node.name, len(saved.found.rows)) == ("paraphrase", 2)
    assert (node.rows.kept, node.rows.delivered, node.rows.refused) == (2, 3, (("overlap", 1),))


def test_two_edited_trees_are_refused(tmp_path):
    place = filled(tmp_path / "out")
    for name in ("tree.md", "tree.json"):
        text = (place / name).read_text(encoding="utf-8")
        (place / name).write_text(text.replace("paraphrase", "rephrase"), encoding="utf-8")
    with pytest.raises(DataError, match=r"both tree\.json and tree.md were edited"):
        loaded(place)


def test_a_tree_one_commit_behind_is_no_edit(tmp_path):
    """A process died between writing the state and writing the trees."""
    place = filled(tmp_path / "out")
    behind = (place / "tree.md").read_bytes()
    with ExploreFolder(place).open() as folder:
        saved = folder.load()
        saved.found.tree.add(saved.found.tree.root.id, "formal tone")
        folder.commit(saved)
    (place / "tree.md").write_bytes(behind)
    saved = loaded(place)
    assert saved.notes == ()
    assert len(saved.found.tree) == 4


def test_an_edit_is_taken_in_once_even_if_its_first_commit_is_cut_short(tmp_path, monkeypatch):
    place = filled(tmp_path / "out")
    outline = place / "tree.md"
    outline.write_text(outline.read_text() + "- poems\n")
    whole = module.write_atomically

    def killed(path, content):
        if path.name != "state.json":
            raise KeyboardInterrupt
        whole(path, content)

    monkeypatch.setattr(module, "write_atomically", killed)
    with ExploreFolder(place).open() as folder:
        saved = folder.load()
        saved.found.tree.add(saved.found.tree.root.id, "grown after the edit")
        with pytest.raises(KeyboardInterrupt):
            folder.commit(saved)
    saved = loaded(place)
    assert [node.name for node in saved.found.tree][-2:] == ["poems", "grown after the edit"]
    assert saved.notes == ()


def test_missing_tree_files_are_written_again(tmp_path):
    place = filled(tmp_path / "out")
    (place / "tree.md").unlink()
    (place / "tree.json").unlink()
    with ExploreFolder(place).open() as folder:
        folder.commit(folder.load())
    assert (place / "tree.md").is_file()


def swapped(file, before, after):
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after, 1))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda place: (place / "state.json").write_bytes(b"{"), "was damaged"),
        (lambda place: (place / "state.json").write_text("[]"), "not written by this version"),
        (lambda place: (place / "state.json").write_text('{"version": 1}'), "was damaged"),
        (lambda place: swapped(place / "state.json", '"seconds": 0.0', '"seconds": "x"'), "changed by hand"),
        (lambda place: swapped(place / "state.json", '"calls": 0', '"calls": null'), "changed by hand"),
        (lambda place: swapped(place / "rows.jsonl", "one", "one more"), "changed by hand"),
        (lambda place: (place / "rows.jsonl").write_bytes(b""), "0 of"),
        (lambda place: (place / "rows.jsonl").unlink(), "cannot be read"),
    ],
)
def test_damage_is_told(tmp_path, damage, message):
    place = filled(tmp_path / "out")
    damage(place)
    with pytest.raises((DataError, InputError, RunError), match=message):
        loaded(place)


def test_one_process_at_a_time(tmp_path):
    place = filled(tmp_path / "out")
    with (
        ExploreFolder(place).open(),
        pytest.raises(RunError, match="another process"),
        ExploreFolder(place).open(),
    ):
        pass


def test_places_that_cannot_be_used(tmp_path):
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(InputError, match="a file stands"), ExploreFolder(file).open(make=True):
        pass
    with pytest.raises(InputError, match="not empty"), ExploreFolder(tmp_path).open(make=True):
        pass
    with pytest.raises(InputError, match="no exploration here"), ExploreFolder(tmp_path / "none").open():
        pass
    with (
        pytest.raises(InputError, match="no folder can have this name"),
        ExploreFolder(tmp_path / "a\0b").open(),
    ):
        pass


def test_a_folder_is_begun_once(tmp_path):
    place = filled(tmp_path / "out")
    with (
        ExploreFolder(place).open() as folder,
        pytest.raises(InputError, match="holds an exploration already"),
    ):
        folder.begin(planted(), {})


def test_the_state_holds_no_key(tmp_path):
    state = json.loads((filled(tmp_path / "out") / "state.json").read_text())
    assert set(state) == {
        "version", "sum", "settings", "rounds", "spent", "paid", "seconds", "stopped", "lengths", "trees",
        "tree",
    }  # fmt: skip
