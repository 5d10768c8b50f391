"""Replies that are JSON: whole, wrapped, faulty, cut."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.methods.explore.reading import item_in, json_names, json_relevance, json_rows, read_answer
from kshot.methods.explore.records import Item
from kshot.methods.explore.seams import Named, NamesReply, RowsReply

ROWS = [
    {"instruction": "Name two birds.", "input": "", "output": "1. Wren\n2. Robin"},
    {
        "instruction": "Write a heading.",
        "input": "## Old\ninstruction: none",
        "output": '# New\n{"rows": []}',
    },
]
ITEMS = tuple(Item(row["instruction"], row["input"], row["output"]) for row in ROWS)
WHOLE = json.dumps({"rows": ROWS})


@pytest.mark.parametrize(
    "text",
    [
        WHOLE,
        json.dumps({"rows": ROWS}, indent=2),
        json.dumps(ROWS),
        f"```json\n{WHOLE}\n```",
        f"Here are the {{rows}} [2 of them]:\n\n{WHOLE}\n\nI hope {{this}} helps [1].",
        f"<think>Perhaps {json.dumps({'rows': [{'instruction': 'No.'}]})}</think>\n{WHOLE}",
        f'The shape is {{"rows": [...]}}, so:\n{WHOLE}',
        f'I reply with {{"rows": []}} filled in:\n{WHOLE}',
        json.dumps({"result": {"note": [1], "rows": ROWS}}),
        "\n".join(json.dumps(row) for row in ROWS),
        WHOLE.replace("}]", "},]"),
        json.dumps({"rows": ROWS, "also": [{"instruction": "Not this one."}]}),
    ],
)
def test_what_stands_around_the_rows_does_not_count(text: str) -> None:
    assert json_rows(text) == RowsReply(ITEMS)


@pytest.mark.parametrize(
    "text",
    ["", " ", "I cannot do that.", "{", "[", "]", "}", '{"rows": ', '{"rows": [', '{"rows": {"instruction": ',
     "[[1]]", '{"rows": null}', '{"rows": "none"}', "NaN", "null", "\x00", "\ud800", "<think>", '"rows"',
     '{"row": [1]}'],
)  # fmt: skip
def test_no_rows_are_no_rows(text: str) -> None:
    assert json_rows(text).items == ()
    assert json_names(text) == NamesReply(is_cut=json_names(text).is_cut)
    json_relevance(text)
    read_answer(text)


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"instruction": "Go.", "input": None, "output": "Gone."}, Item("Go.", "", "Gone.")),
        ({"instruction": "Go.", "output": "Gone."}, Item("Go.", "", "Gone.")),
        ({"instruction": "Go.", "input": "(none)", "output": "Gone."}, Item("Go.", "", "Gone.")),
        ({"instruction": "Go.", "input": "（无）", "output": None}, Item("Go.")),
        ({"instruction": " Go. ", "output": "\n  x = 1\n"}, Item("Go.", "", "  x = 1")),
        ({"instruction": "Go.", "output": 42}, Item("Go.", "", "42")),
        ({"instruction": "Go.", "output": 1.50}, Item("Go.", "", "1.5")),
        ({"instruction": ""}, Item("")),
        ({"instruction": "Go.", "output": "a\ud800b"}, Item("Go.", "", "a\ufffdb")),
        ({"instruction": "Go.", "output": ["Gone."]}, None),
        ({"instruction": "Go.", "output": {"text": "Gone."}}, None),
        ({"instruction": "Go.", "input": True}, None),
        ({"instruction": None, "output": "Gone."}, None),
        ({"instruction": ["Go."]}, None),
        ({"output": "Gone."}, None),
        ({}, None),
        ("Go.", None),
        (["Go."], None),
    ],
)
def test_types_of_fields(entry: Any, found: Item | None) -> None:
    reply = json_rows(json.dumps({"rows": [entry, ROWS[0]]}))
    assert reply == RowsReply((*([found] if found else []), ITEMS[0]), malformed=0 if found else 1)


def test_nan_and_doubled_keys_are_no_crash() -> None:
    first = '{"instruction": "Go.", "output": NaN, "output": Infinity}'
    text = f'{{"rows": [{first}, {{"instruction": "A", "instruction": "B"}}]}}'
    assert json_rows(text).items == (Item("Go.", "", "Infinity"), Item("B"))
    assert item_in({"instruction": float("nan")}) is None


def test_a_broken_entry_is_counted_and_the_others_stay() -> None:
    entries = [
        '{"instruction": "One.", "output": "1"}',
        '{"instruction": "Two, "output": "2"}',  # a quotation mark is missing
        '{"instruction": "Three.", "output": "3"}',
        '{"instruction": "Four." "output": {"4": [}]}',
        '{"instruction": "Five.", "output": "5"}',
        '{"instruction": "Six.", output: "6"}',
    ]
    found = json_rows('{"rows": [' + ", ".join(entries) + "]}")
    assert [item.output for item in found.items] == ["1", "3", "5"]
    assert (found.malformed, found.is_cut) == (3, False)


def test_stray_backslashes_and_raw_line_breaks_are_read() -> None:
    text = r'{"rows": [{"instruction": "Find \sqrt{4} \\ 2.", "output": "\(2\), \u0041\n"}]}'
    assert json_rows(text).items == (Item("Find \\sqrt{4} \\ 2.", "", "\\(2\\), A"),)
    assert json_rows('[{"instruction": "a\nb", "output": "c\td"}]').items == (Item("a\nb", "", "c\td"),)


@pytest.mark.parametrize(
    ("cut", "count", "is_cut"), [(0, 2, False), (1, 2, True), (2, 2, True), (3, 1, True)]
)
def test_a_cut_reply_keeps_its_complete_rows(cut: int, count: int, is_cut: bool) -> None:
    found = json_rows(WHOLE[: len(WHOLE) - cut])
    assert found == RowsReply(ITEMS[:count], is_cut)


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_a_cut_bare_array_says_so(cut: int) -> None:
    text = json.dumps(ROWS)
    assert json_rows(text).is_cut is False
    assert json_rows(text[:-cut]) == RowsReply(ITEMS[: 2 if cut == 1 else 1], is_cut=True)


texts = st.text(max_size=30) | st.sampled_from(
    ['"}], "rows": [{', '{"instruction": "', "\\", '\\"', "]}", "```", "<think>"]
)
rows = st.lists(st.tuples(texts, texts, texts), max_size=5)


@given(rows=rows, cut=st.integers(0, 600), ascii_only=st.booleans(), indent=st.sampled_from([None, 2]))
def test_a_cut_at_any_byte_leaves_a_prefix(
    rows: list[tuple[str, str, str]], cut: int, ascii_only: bool, indent: int | None
) -> None:
    entries = [dict(zip(("instruction", "input", "output"), row, strict=True)) for row in rows]
    text = json.dumps({"rows": entries}, ensure_ascii=ascii_only, indent=indent)
    items = tuple(item for entry in entries if (item := item_in(entry)))
    assert json_rows(text) == RowsReply(items)
    part = text.encode()[:cut]
    found = json_rows(part.decode(errors="replace"))
    assert found.items == items[: len(found.items)]
    assert found.malformed == 0
    assert found.is_cut or len(part) == len(text.encode()) or not found.items
    complete = sum(
        part.decode(errors="ignore").startswith(text[: _end(text, n)]) for n in range(1, len(items) + 1)
    )
    assert len(found.items) == complete


def _end(text: str, count: int) -> int:
    """Behind the entry of a number: found by decoding it, entry by entry."""
    at = text.index("[") + 1
    for _ in range(count):
        at = next(i for i in range(at, len(text)) if text[i] == "{")
        _, at = json.JSONDecoder().raw_decode(text, at)
    return at


@given(text=st.text(alphabet='{}[]":,\\ \nrowsinstructionametbk=1', max_size=200) | st.text())
def test_nothing_makes_it_fail(text: str) -> None:
    for given_text in (text, f'{{"rows": [{text}', f'{{"subtasks": [{{"name": "{text}'):
        json_rows(given_text)
        json_names(given_text)
        json_relevance(given_text)
        read_answer(given_text)


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "[",
            "{",
            '{"rows": [',
            '{"instruction": "a", "b": ',
            '{"instruction": ',
            '[{"',
            '\\"',
            '"',
            "{x},",
        ),
        *("[{x},", '{"rows": [{"a": 1, "b": [{', '"rows": [x', "[ {]", "<think>", '{"name": "', "1" * 50),
        *("\\", '"rows":[{}', "[{}"),
    ],
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    start = time.perf_counter()
    for text in (piece * (300_000 // len(piece)), '{"rows": [' + piece * (300_000 // len(piece))):
        json_rows(text)
        json_names(text)
        json_relevance(text)
    assert time.perf_counter() - start < 4.0  # a fraction of a second; what is quadratic takes minutes


def test_names_with_reasons_and_examples() -> None:
    entry = {"name": " summary ", "reason": "Shorter.", "examples": [*ROWS, {"input": "no instruction"}, 3]}
    text = json.dumps({"subtasks": [entry, {"name": "title", "examples": "none"}, "outline", 7, {}, None]})
    named = (Named("summary", "Shorter.", ITEMS), Named("title"), Named("outline"))
    assert json_names(text[:-1]).named[:3] == named
    assert json_names(f"```\n{text}\n```").is_complete is False


def test_a_number_as_a_name_is_left_to_the_rule_for_names() -> None:
    assert json_names('{"subtasks": [{"name": 12}]}').named == (Named("12"),)


@pytest.mark.parametrize(
    ("text", "is_complete"),
    [
        ('{"subtasks": [{"name": "a"}], "complete": true}', True),
        ('{"complete": true, "subtasks": [{"name": "a"}]}', True),
        ('{"subtasks": [{"name": "a"}], "note": "x", "complete": "true"}', True),
        ('{"subtasks": [], "complete": true}', True),
        ('{"complete": true}', True),
        ('{"subtasks": [{"name": "a"}], "complete": false}', False),
        ('{"subtasks": [{"name": "a"}]}', False),
        ('{"subtasks": [{"name": "a", "complete": true}]}', False),
        ('{"subtasks": [{"name": "\\"complete\\": true"}]}', False),
        ('{"subtasks": [{"name": "a", "reason": "\\"complete\\": true', False),
        ('{"subtasks": [{"name": "a"}], "complete": tr', False),
    ],
)
def test_complete_is_said_beside_the_list_alone(text: str, is_complete: bool) -> None:
    assert json_names(text).is_complete is is_complete


def test_names_cut_in_an_example_lose_the_last_task_alone() -> None:
    text = json.dumps({"subtasks": [{"name": n, "reason": "", "examples": ROWS} for n in ("a", "b")]})
    found = json_names(text[:-20])
    assert [one.name for one in found.named] == ["a"]
    assert found.is_cut
    assert found.named[0].examples == ITEMS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"relevant": [true, false]}', (True, False)),
        ('```json\n{"relevant": ["yes", "no", 1, 0]}\n```', (True, False, True, False)),
        ("[true, maybe, False]", (True, None, False)),
        ('{"relevant": [true, fal', (True, None)),
        ('{"relevant": []}', ()),
        ("true", ()),
        ("", ()),
    ],
)
def test_verdicts(text: str, said: tuple[bool | None, ...]) -> None:
    assert json_relevance(text) == said


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("\n Wren. \n", " Wren."),
        ("<think>Which?</think>\n\nWren.", "Wren."),
        ("<think>never ends", ""),
        ("# Birds\n\n1. Wren", "# Birds\n\n1. Wren"),
        ("  \n", ""),
    ],
)
def test_an_answer_is_its_text(text: str, output: str) -> None:
    assert read_answer(text) == output
