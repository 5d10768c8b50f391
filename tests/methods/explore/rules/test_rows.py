"""Each row rule at its edge, by name, and switched off."""

import json
from pathlib import Path

import pytest

from kshot.errors import InputError
from kshot.methods.explore.records import Item
from kshot.methods.explore.rules import ROW_RULES, RuleOptions, broken, row_rules
from kshot.methods.explore.seams import Language

DEMO = Path(__file__).parents[5] / "shared" / "data" / "explore_demo"


def words(count: int) -> Item:
    return Item(" ".join(["word"] * count), "", "An answer.")


def characters(count: int) -> Item:
    return Item("写" * count, "", "好。")


@pytest.mark.parametrize(
    ("count", "rule"),
    [(0, "empty_instruction"), (2, "too_short"), (3, ""), (150, ""), (151, "too_long")],
)
def test_an_english_instruction_has_3_to_150_words(count: int, rule: str) -> None:
    assert broken(words(count), row_rules()) == rule


@pytest.mark.parametrize(
    ("count", "rule"),
    [(0, "empty_instruction"), (3, "too_short"), (4, ""), (300, ""), (301, "too_long")],
)
def test_a_chinese_instruction_has_4_to_300_characters(count: int, rule: str) -> None:
    assert broken(characters(count), row_rules(language="zh")) == rule


def test_blanks_in_chinese_do_not_count() -> None:
    assert broken(Item("写 一 句", "", "好。"), row_rules(language="zh")) == "too_short"


def test_the_limits_can_be_set() -> None:
    rules = row_rules(RuleOptions(least_words=2, most_words=3))
    assert [broken(words(n), rules) for n in (1, 2, 3, 4)] == ["too_short", "", "", "too_long"]
    rules = row_rules(RuleOptions(least_characters=1, most_characters=2), "zh")
    assert [broken(characters(n), rules) for n in (1, 2, 3)] == ["", "", "too_long"]


BROKEN = {
    "empty_instruction": Item("  \n", "", "An answer."),
    "too_short": Item("Go on.", "", "An answer."),
    "too_long": words(151),
    "wrong_language": Item("写一首关于春天的诗。 a b c", "", "春眠不觉晓"),
    "placeholder_input": Item("Shorten this sentence.", "<sentence>", "Short."),
    "empty_output": Item("Name a small bird.", "", " \n"),
    "echo": Item("Name a small bird.", "", "name a small bird"),
    "needs_other_media": Item("Describe the attached photo.", "", "A wren."),
}


@pytest.mark.parametrize("name", ROW_RULES)
def test_each_rule_has_its_name_and_its_switch(name: str) -> None:
    assert list(row_rules()) == list(ROW_RULES)
    assert broken(BROKEN[name], row_rules()) == name
    others = row_rules(RuleOptions(off=(name,)))
    assert name not in others
    assert broken(BROKEN[name], others) == ("too_short" if name == "empty_instruction" else "")


def test_a_rule_names_itself_alone() -> None:
    rules = row_rules()
    nothing = Item("", "", "")
    assert {name for name, rule in rules.items() if rule(nothing)} == {
        "empty_instruction",
        "too_short",
        "empty_output",
    }
    assert broken(nothing, rules) == "empty_instruction"
    assert broken(nothing, {}) == ""


@pytest.mark.parametrize(
    "options",
    [{"least_words": -1}, {"least_words": 5, "most_words": 4}, {"least_characters": 9, "most_characters": 8}],
)
def test_impossible_limits_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InputError, match="expected 0 <= least <= most"):
        RuleOptions(**options)


def test_a_rule_that_does_not_exist_cannot_be_switched_off() -> None:
    with pytest.raises(InputError, match=r"no row rule 'to_short'; did you mean 'too_short'\?"):
        RuleOptions(off=("echo", "to_short"))


@pytest.mark.parametrize(
    "text",
    ["<text>", "<insert your text here>", "(your text here)", "(The article.)", "（此处填写文章）",
     "【请输入文本】", "[Insert sentence here]", "{text}", "<>", "()", " <input> ", "[文章内容]"],
)  # fmt: skip
def test_a_lone_placeholder_is_no_input(text: str) -> None:
    assert broken(Item("Shorten this sentence.", text, "Short."), row_rules()) == "placeholder_input"


@pytest.mark.parametrize(
    "text",
    ["", "(3, 4)", "[1, 2, 3]", '{"a": 1}', "(x)", "<p>Hello there</p>", "(a) first (b) second", "《红楼梦》",
     '["insert", "text"]', "He said (quietly) no.", "x < y and y > z", "[Paris, Rome]", "{Paris, Rome}"],
)  # fmt: skip
def test_an_input_with_brackets_may_be_one(text: str) -> None:
    assert broken(Item("Do something with it.", text, "Done."), row_rules()) == ""


@pytest.mark.parametrize(
    ("item", "is_echo"),
    [
        (Item("Shorten the text:", "A long text.", "Shorten the text: A long text."), True),
        (Item("Say hello to me!", "", "  SAY HELLO - to me."), True),
        (Item("请重复这句话。", "", "请重复这句话"), True),
        (Item("Correct the sentence if needed.", "All is well.", "All is well."), False),
        (Item("Name a small bird.", "", "Name a small bird: wren."), False),
        (Item("Which sign is this?", "?!", "?!"), False),
    ],
)
def test_an_echo_is_the_request_again(item: Item, is_echo: bool) -> None:
    assert bool(row_rules(language="en").get("echo", str)(item)) is is_echo


@pytest.mark.parametrize(
    ("text", "language", "fits"),
    [
        ("Write a poem about spring.", "en", True),
        ('Translate "今天天气很好" into English.', "en", True),
        ('Say "今天天气很好，我们一起去公园散步吧" in English.', "en", True),
        ("“今天天气很好”", "en", False),
        ("把《春晓》翻译成现代文。", "zh", True),
        ("写一个函数 calculate_total_sum，求列表之和。", "zh", True),
        ("用Python实现quicksort", "zh", True),
        ("求 f(x)=sin(x)+cos(x) 的导数。", "zh", True),
        ("把“hello world, how are you today”翻译成中文。", "zh", True),
        ("3x + 5 = 20", "zh", True),
        ("3x + 5 = 20", "en", True),
        ("∑ α² + β² = π", "en", True),
        ("1 + 1 = ?", "zh", True),
        ("Écris un poème sur le printemps.", "en", True),  # Latin letters: not told apart
        ("写一首关于春天的诗。", "en", False),
        ("Напиши стихотворение о весне.", "en", False),
        ("Write 一首关于春天的美丽的诗", "en", False),
        ("Write a poem about spring.", "zh", False),
        ("Write a poem about 春天.", "zh", False),
        ("春についての詩を書いてください。", "zh", False),
        ("春についての詩を書いてください。", "en", False),
        ("봄에 대한 시를 써라.", "zh", False),
        ("Напиши стихотворение о весне.", "zh", False),
    ],
)
def test_language_is_told_by_scripts(text: str, language: Language, fits: bool) -> None:
    rules = row_rules(RuleOptions(off=("too_short",)), language)
    assert (broken(Item(text, "", "An answer."), rules) == "") is fits


@pytest.mark.skipif(not DEMO.is_dir(), reason="the shared data are not here")
def test_real_rows_pass() -> None:
    items = [
        Item(row["instruction"], row["input"], row["output"])
        for file in sorted(DEMO.glob("*.json"))
        for row in json.loads(file.read_text(encoding="utf-8")).get("examples", [])
    ]
    rules = row_rules()
    assert len(items) == 4433
    assert [item for item in items if broken(item, rules)] == []
