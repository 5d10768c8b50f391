"""Files of trees: which form a file has is seen from its ending."""

from __future__ import annotations

from pathlib import Path

from kshot.data.nearest import no_such_path
from kshot.errors import DataError
from kshot.methods.explore.formats.nested import plain, tree_of
from kshot.methods.explore.formats.outline import outline_of, tree_of_outline
from kshot.methods.explore.formats.released import META, load_released
from kshot.methods.explore.formats.text import json_text, read_json, read_text, write_file
from kshot.methods.explore.tree import DomainTree

_OUTLINES = (".md", ".markdown")
_ENDINGS = "expected .json (everything) or .md (an outline)"


def load_tree(path: Path) -> DomainTree:
    """The tree of a file or folder; see ``DomainTree.load``.

    Raises:
        DataError: It cannot be read, or is no tree.
    """
    try:
        is_folder = path.is_dir()
        if not path.exists():
            raise DataError(f"{path}: {no_such_path(path)}")
    except OSError as error:
        raise DataError(f"{path}: the file cannot be read ({error.strerror or error})") from None
    if is_folder:
        if not (path / META).is_file():
            raise DataError(f"{path}: the folder has no {META}; give a tree's file, or a released folder")
        return load_released(path)[0].without_progress()  # its rows are not here
    ending = path.suffix.lower()
    if ending not in (".json", *_OUTLINES):
        raise DataError(f"{path}: no tree is known by the ending {ending!r}; {_ENDINGS}")
    if ending in _OUTLINES:
        return tree_of_outline(read_text(path), source=str(path))
    value = read_json(path)
    try:
        return tree_of(value)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def save_tree(path: Path, tree: DomainTree) -> None:
    """Writes a tree by the file's ending; see ``DomainTree.save``.

    Raises:
        DataError: The ending is no tree's, or the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending in _OUTLINES:
        write_file(path, outline_of(tree))
    elif ending == ".json":
        write_file(path, json_text(plain(tree), indent=2) + "\n")
    else:
        raise DataError(f"{path}: a tree is not written to the ending {ending!r}; {_ENDINGS}")
