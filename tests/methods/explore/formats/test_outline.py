"""Outlines: what a person writes is read, and whatever a tree holds comes back."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kshot.errors import DataError
from kshot.methods.explore.formats import outline_of, tree_of_outline
from kshot.methods.explore.tree import DomainTree

ODD = [
    "- a",
    "# a",
    "> a",
    "1. a",
    "a: b",
    "a:",
    "a：b",
    '"a"',
    '"a',
    "`a`",
    " a",
    "a ",
    "a\nb",
    "a\r",
    "\ud800",
]
TEXT = (
    st.text(st.characters(), max_size=12) | st.sampled_from(ODD) | st.text("-#>:：\"' \n\\1.a改", max_size=8)
)
NAME = TEXT.filter(str.strip)


def shape(tree: DomainTree) -> list[tuple[str, str, int]]:
    return [(node.name, node.reason, node.depth) for node in tree]


@st.composite
def trees(draw: st.DrawFn) -> DomainTree:
    tree = DomainTree.planted(draw(NAME), draw(TEXT))
    for _ in range(draw(st.integers(0, 8))):
        parent = draw(st.sampled_from([node.id for node in tree]))
        name = draw(NAME)
        if name not in [child.name for child in tree.children(parent)]:
            tree.add(parent, name, reason=draw(TEXT))
    return tree


@given(trees())
@example(DomainTree.planted("a", "one\n\ntwo"))
@example(DomainTree.planted("a", "\n\n"))
@example(DomainTree.planted("a", '"one'))
@example(DomainTree.planted("a", '"one\n\ntwo"'))
def test_every_tree_comes_back(tree: DomainTree) -> None:
    text = outline_of(tree)
    text.encode("utf-8")
    back = tree_of_outline(text)
    assert shape(back) == shape(tree)
    assert [node.id for node in back] == [node.id for node in tree]
    assert outline_of(back) == text


def test_what_is_plain_is_written_plain() -> None:
    tree = DomainTree.planted("改写", "文字变了。\n\nThe meaning stays.")
    child = tree.add(tree.root.id, "ratio 3:1", reason="With: colons, “quotes”, `ticks`.")
    tree.add(child.id, "style: formal")
    expected = (
        "# 改写\n\n文字变了。\n\nThe meaning stays.\n\n"
        "- ratio 3:1: With: colons, “quotes”, `ticks`.\n"
        '  - "style: formal"\n'
    )
    assert outline_of(tree) == expected


def test_what_a_person_writes_is_read() -> None:
    text = """# rewriting

Texts are changed,
their meaning stays.

* paraphrase:
    Says the same
    in other words.

    + for children
    + 译文：用另一种语言
* letters
      Formal and not.
  "style: formal"
"""
    tree = tree_of_outline(text.replace("\n", "\r\n"))
    assert shape(tree) == [
        ("rewriting", "Texts are changed, their meaning stays.", 0),
        ("paraphrase", "Says the same in other words.", 1),
        ("for children", "", 2),
        ("译文", "用另一种语言", 2),
        ("letters", 'Formal and not. "style: formal"', 1),
    ]
    assert [node.origin for node in tree] == ["root", *["person"] * 4]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("paraphrase\n", "o.md:1: found 'paraphrase'; expected the domain as '# name'"),
        ("\n#\n", "o.md:2: found '#'; expected the domain"),
        ('# "a" b', 'o.md:1: the domain has no name'),
        ('# "a', "o.md:1: '\"a' begins with a quote"),
        ("# a\n- \n", "o.md:2: a task has no name"),
        ("# a\n- : why\n", "o.md:2: a task has no name"),
        ("# a\n- b\n- c\n- b\n", "o.md:4: 'a' has two children named 'b'"),
        ("# a\n- b\nmore\n", "o.md:3: found 'more'; expected a task"),
        ("# a\n- b\n  1. c\n", "o.md:3: found '1. c'; expected a task"),
        ("# a\n\n1. c\n", "o.md:3: found '1. c' before the first task; begin each task with '- '"),
        ("# a\n## b\n- c\n", "o.md:2: found '## b' before the first task"),
        ("# a\n- b\n    - c\n  - d\n", "o.md:4: the task is indented by 2 blanks, like no task above it"),
        ("# a\n  - b\n- c\n", "o.md:3: the task is indented by 0 blanks"),
        ('# a\n- "b" c\n', "o.md:2: found 'c' after a name in quotes"),
        ("# a\n" + "".join(f"{'  ' * i}- n{i}\n" for i in range(13)), "o.md:14: task 'n12' is 13 levels"),
    ],
)  # fmt: skip
def test_faults_have_their_line(text: str, words: str) -> None:
    with pytest.raises(DataError) as error:
        tree_of_outline(text, source="o.md")
    assert words in str(error.value)
