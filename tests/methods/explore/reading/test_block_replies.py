"""Replies in marked blocks: the traps of parsers that look for field names and numbers."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.methods.explore.reading import block_lines, block_names, block_relevance, block_rows, item_in
from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import Named, NamesReply, RowsReply

END = "=== end ==="


def written(items: list[Item]) -> str:
    return "\n".join([*(line for item in items for line in block_lines(item, kind="row")), END])


TRAPS = [
    "1. Wren\n2. Robin\n3. Owl",
    "# A heading\n\n## Another\ntext",
    "instruction: do this\ninput: that\noutput: those",
    "name: a task\nreason: none",
    "Example 2:\n### Instruction\nx\n### Output\ny",
    "=== row ===",
    "=== row ===\n=== instruction ===\nbogus\n=== output ===\nbogus",
    "=== subtask ===\n=== name ===\nbogus",
    "=== end ===\nmore",
    "\\=== row ===",
    "\\\\=== end ===\n===",
    "===========\ntable\n===========",
    "=== Results ===\n1",
    "a === row === b",
    '{"rows": [{"instruction": "x"}]}',
    "```python\nprint('=== end ===')\n=== end ===\n```",
    "42. and \\boxed{42.}",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "a\r\nb",
    "",
]


@pytest.mark.parametrize("text", TRAPS)
def test_a_text_survives_whatever_stands_in_it(text: str) -> None:
    row = Item("Do it.", text, text)
    last = Item("And this.", "", "Done.")
    assert block_rows(written([row, last, row])) == RowsReply((row, last, row))
    named = Named("a task", "A reason.", (row, last))
    found = block_names(
        "\n".join([*block_lines(named, kind="subtask"), *block_lines(named, kind="subtask"), END])
    )
    assert found == NamesReply((named, named))


@pytest.mark.parametrize(
    "text",
    [
        "=== input ===\nthe file",
        "=== instruction ===\nx",
        "=== row ===\n1, 2, 3",
        "=== name ===",
        "=== complete ===",
    ],
)
def test_a_marker_where_none_may_stand_is_text_even_unescaped(text: str) -> None:
    reply = f"=== row ===\n=== instruction ===\nGo.\n=== output ===\n{text}\n{END}"
    assert block_rows(reply) == RowsReply((Item("Go.", "", text),))


def test_what_stands_around_the_blocks_does_not_count() -> None:
    item = Item("Name a bird.", "", "Wren.")
    for text in (
        f"Here they are:\n```\n{written([item])}\n```\nI hope this helps.",
        f"<think>=== row ===\n=== instruction ===\nno</think>\n{written([item])}",
        written([item])
        .upper()
        .replace("NAME A BIRD.", "Name a bird.")
        .replace("WREN.", "Wren.")
        .replace("(NONE)", ""),
        written([item]).replace("===\n", "===:  \n"),
        written([item]).replace("===\n", "===\r\n"),
        written([item]).replace("=== input ===\n(none)\n", ""),
        f"{written([item])}\n\n",
    ):
        assert block_rows(text) == RowsReply((item,))


def test_each_row_may_have_its_own_end() -> None:
    items = (Item("Name a bird.", "", "Wren."), Item("Name a fish.", "", "Cod."))
    assert block_rows("\n".join(written([item]) for item in items)) == RowsReply(items)


def test_a_reply_without_its_end_loses_the_last_row_alone() -> None:
    items = [Item("Name a bird.", "", "Wren."), Item("Name a fish.", "", "Cod.")]
    assert block_rows(written(items).removesuffix(END)) == RowsReply((items[0],), is_cut=True)


def test_an_entry_without_instruction_is_counted() -> None:
    text = f"=== row ===\n=== instruction ===\n=== output ===\nOnly this.\n{END}"
    assert block_rows(text) == RowsReply((Item("", "", "Only this."),))
    assert block_rows(f"=== row ===\n=== output ===\nOnly this.\n{END}") == RowsReply()


@given(
    rows=st.lists(st.tuples(*[st.text(max_size=20) | st.sampled_from(TRAPS)] * 3), max_size=4),
    cut=st.integers(0, 800),
)
def test_a_cut_at_any_byte_leaves_a_prefix(rows: list[tuple[str, str, str]], cut: int) -> None:
    items = [item_in(dict(zip(("instruction", "input", "output"), row, strict=True))) for row in rows]
    kept = [item for item in items if item is not None]
    text = written(kept)
    assert block_rows(text) == RowsReply(tuple(kept))
    found = block_rows(text.encode()[:cut].decode(errors="replace"))
    assert found.items == tuple(kept[: len(found.items)])


@given(text=st.text(alphabet="= \nrowinstucpleadm\\", max_size=200) | st.text())
def test_nothing_makes_it_fail(text: str) -> None:
    block_rows(text)
    block_names(text)
    block_relevance(text)


def test_names_say_that_they_are_complete() -> None:
    one = "\n".join(block_lines(Named("title", "Short."), kind="subtask"))
    assert block_names(f"{one}\n=== complete ===\n{END}") == NamesReply(
        (Named("title", "Short."),), is_complete=True
    )
    assert block_names(f"=== complete ===\n{END}") == NamesReply(is_complete=True)
    assert block_names(f"{one}\n{one}") == NamesReply((Named("title", "Short."),), is_cut=True)
    assert block_names("") == NamesReply()


def test_names_cut_in_an_example_lose_the_last_task_alone() -> None:
    lines = block_lines(Named("title", "Short.", (Item("Go.", "", "Gone."),)), kind="subtask")
    found = block_names("\n".join([*lines, *lines]))
    assert found == NamesReply((Named("title", "Short.", (Item("Go.", "", "Gone."),)),), is_cut=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1. yes\n2. no", (True, False)),
        ("Here:\n 1: Yes, it is.\n 2) NO\n4. yes", (True, False, None, True)),
        ("1. 是\n2、否", (True, False)),
        ("1. **yes**", (True,)),
        ("1. notable", ()),
        ("yes", ()),
        ("", ()),
    ],
)
def test_verdicts(text: str, said: tuple[bool | None, ...]) -> None:
    assert block_relevance(text) == said


@pytest.mark.parametrize(
    "piece", ["=== row ===\n", "=== row ===\n=== instruction ===\n", "\n", "=", "\\", " ", "1. "]
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    start = time.perf_counter()
    text = piece * (300_000 // len(piece))
    block_rows(text)
    block_names(text)
    block_relevance(text)
    assert time.perf_counter() - start < 3.0
