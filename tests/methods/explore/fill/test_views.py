"""What requests show of a task's rows: the same, however the rows came together."""

from hypothesis import given
from hypothesis import strategies as st
from row_writer import nonsense

from kshot.methods.explore.fill.views import REMEMBERED, SHORT, View, views_of
from kshot.methods.explore.records import Item, Row

ITEM = st.sampled_from(
    [Item(nonsense(n), "", "x") for n in range(30)] + [Item("", "", ""), Item("请写一首诗。")]
)


@given(items=st.lists(ITEM, max_size=30), cuts=st.sets(st.integers(0, 30)), more=st.lists(ITEM, max_size=4))
def test_rounds_or_all_at_once(items, cuts, more) -> None:
    stepwise, part = View("en"), []
    for number, item in enumerate(items):
        part.append(item)
        if number in cuts:
            stepwise.add(part)
            part = []
            stepwise.nearby(6)
    stepwise.add(part)
    whole = views_of([Row(str(n), "a", item) for n, item in enumerate(items)], "en").get("a", View("en"))
    texts = [item.instruction for item in more]
    assert stepwise.verbs(texts) == whole.verbs(texts)
    assert stepwise.nearby(6, texts) == whole.nearby(6, texts)
    assert list(stepwise.examples) == list(whole.examples)
    assert len(set(whole.nearby(6, texts))) == len(whole.nearby(6, texts)) <= 6


def test_half_of_what_is_near_is_central_and_half_is_new() -> None:
    view = View("en")
    view.add([Item(f"Write a letter to {name} about rain.") for name in ("Ann", "Bob", "Cid", "Dan")])
    view.add(
        [Item(text) for text in ("Sort eleven odd numbers.", "Praise cold soup.", "Count seven green birds.")]
    )
    assert view.nearby(4, ["Sing."]) == (
        "Write a letter to Ann about rain.",
        "Write a letter to Bob about rain.",
        "Sing.",
        "Count seven green birds.",
    )
    assert view.nearby(0) == ()


def test_long_rows_of_the_user_are_not_shown() -> None:
    view = View("en")
    view.add([Item("Shorten this.", "long " * SHORT, "x"), Item("word " * SHORT), Item("Sing a song.")])
    assert [item.instruction for item in view.examples] == ["Sing a song."]
    assert set(view.nearby(6)) == {"Shorten this.", "Sing a song."}


def test_the_most_central_are_of_the_newest() -> None:
    view = View("en")
    view.add([Item("Write a letter to Ann about rain.")] * 50)
    view.add([Item(nonsense(n)) for n in range(REMEMBERED)])
    assert "Write a letter to Ann about rain." not in view.nearby(20)
