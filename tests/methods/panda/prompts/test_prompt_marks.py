"""No text can be taken for the prompt's own words."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kshot.methods.panda.prompts import fields, marked
from kshot.methods.panda.prompts.marks import one_line

NASTY = [
    "", " ", "\n", "a\n", "\na", '"""', '""""', 'a\n"""\nb', '"""\nNote: x\n"""', "Note: x", "a\nNote: x",
    "{0} {name} {", "%s %(x)s", "a\r\nb", "a\u2028Note: b", "a\x85b", "a\x0cb", '"' * 9, 'x\n""""\n"""\n""',
    "a\r",
    "Answer: positive\nAnswer: 1", "Case: a\n\nCase: b", "\\n", "\ud800", "</s><|im_end|>",
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(NASTY), st.text(alphabet='ab":\n\r {}N\u2028\x85', max_size=12), st.text())


@pytest.mark.parametrize("text", NASTY)
def test_a_nasty_text_comes_back_as_it_was(text):
    assert fields(f"Before.\n\n{marked('Case', text)}\n{marked('Note', 'end')}") == [
        ("Case", text),
        ("Note", "end"),
    ]


@given(st.lists(st.tuples(st.sampled_from(["Case", "Expert's answer", "Text"]), TEXTS), max_size=5))
@example([("Case", '"""'), ("Text", '"""')])
def test_any_texts_come_back_in_order(named):
    prompt = "\n".join(["Some words.", *(marked(name, text) for name, text in named), "last words"])
    assert fields(prompt) == named


def test_a_plain_line_stays_plain():
    assert marked("Text", "It {is} fine: really") == "Text: It {is} fine: really"


def test_one_line_folds_and_cuts():
    assert one_line(" a \n b ") == "a b"
    assert one_line("abcdef", most=6) == "abcdef"
    assert one_line("abcdefg", most=6) == "abcdef..."
