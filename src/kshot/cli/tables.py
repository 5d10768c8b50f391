"""Tables in the terminal: cut to its width there, whole where the output goes elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

WHOLE = 100_000


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Prints rows under headers; cells are shown literally, None as nothing.

    Neither rich's markup nor terminal codes in a cell have effect. On a terminal long cells fold; in a pipe
    or a file every row is one line.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from kshot.report.terminal import printable

    is_terminal = sys.stdout.isatty()
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=not is_terminal)
    for row in rows:
        table.add_row(*(Text("" if cell is None else printable(str(cell))) for cell in row))
    console = Console(width=None if is_terminal else WHOLE)
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n")))
