"""Where an export may go: nowhere that a file of the user's would be written over."""

from __future__ import annotations

from pathlib import Path

from kshot.errors import InputError

OURS = b"\n- kshot\n"  # a tag in the data card of every export
NAMES = ("README.md", "dataset_info.json", "axolotl.yaml", "provenance.jsonl", "tree")
_HEAD = 4096


def check_export_place(out: Path, *, exploration: Path, file: str) -> None:
    """Before anything is written, whether ``out`` is new, holds an earlier export, or has none of our names.

    Args:
        out: The folder.
        exploration: Whose rows go out; its own files and product stay as they are.
        file: Of the rows.

    Raises:
        InputError: ``out`` lies in the exploration, or a file that is not an export's would be lost.

    >>> check_export_place(Path("nowhere"), exploration=Path("x"), file="rows.jsonl")
    """
    if out.resolve() == exploration.resolve() or exploration.resolve() in out.resolve().parents:
        raise InputError(f"{out}: the exploration lies here; give --out another folder")
    if _is_export(out):
        return
    for name in (file, *NAMES):
        if (out / name).exists():
            raise InputError(f"{out / name}: is there already, and of no export; give --out another folder")


def _is_export(out: Path) -> bool:
    try:
        with (out / "README.md").open("rb") as card:
            return OURS in card.read(_HEAD)
    except OSError:
        return False
