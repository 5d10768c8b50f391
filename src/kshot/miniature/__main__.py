"""Prints where the miniature lies: `python -m kshot.miniature`."""

from __future__ import annotations

from kshot.miniature import NAMES, bank_folder, base_folder, fixed_hash, open_rows, task_file


def main() -> None:
    """One line for each thing."""
    lines = {"base": base_folder(), "bank": bank_folder(), "open data": open_rows()}
    lines |= {f"task {name}": task_file(name) for name in NAMES}
    for name, path in lines.items():
        print(f"{name:12} {path}")
    print(f"{'content':12} sha256 {fixed_hash()}")


if __name__ == "__main__":
    main()
