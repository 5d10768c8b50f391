"""Folders that are there in full or not at all."""

from __future__ import annotations

import pytest

from kshot.errors import ModelError
from kshot.models.folders import check_free, new_folder


def test_a_folder_appears_at_the_end_of_the_block(tmp_path):
    out = tmp_path / "deep" / "folder"
    with new_folder(out) as part:
        (part / "a").write_text("x")
        assert not out.exists()
    assert (out / "a").read_text() == "x"
    assert [path.name for path in out.parent.iterdir()] == ["folder"]


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    with new_folder(tmp_path / "out") as part:
        (part / "a").write_text("x")
    assert (tmp_path / "out" / "a").exists()


def test_an_error_in_the_block_leaves_nothing(tmp_path):
    def fill():
        with new_folder(tmp_path / "out") as part:
            (part / "a").write_text("x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["file", "full folder", "under a file"])
def test_a_place_that_is_taken_is_refused(tmp_path, kind):
    out = tmp_path / "out"
    if kind == "full folder":
        out.mkdir()
        (out / "mine").write_text("keep")
    else:
        out.write_text("keep")
    place = out / "below" if kind == "under a file" else out
    with pytest.raises(ModelError, match=r"not empty|cannot be written"), new_folder(place):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("target", ["nowhere", "empty"])
def test_a_link_is_refused_before_anything_is_done(tmp_path, target):
    (tmp_path / "empty").mkdir()
    out = tmp_path / "out"
    out.symlink_to(tmp_path / target)
    with pytest.raises(ModelError, match="is a link"):
        check_free(out)
