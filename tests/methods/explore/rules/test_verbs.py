"""The verbs that instructions open with."""

import time

import pytest

from kshot.methods.explore.rules import verb_of, verbs_of


@pytest.mark.parametrize(
    ("instruction", "verb"),
    [
        ("Write a poem.", "write"),
        ("  Please, list three birds.", "list"),
        ("Please briefly explain it.", "explain"),
        ("Can you write a letter?", "write"),
        ("Could you please help me to draft a note?", "draft"),
        ("I would like you to act as a judge.", "act"),
        ("I'd like you to act as a judge.", "act"),
        ("Your task is to sort these words.", "sort"),
        ("How do I bake bread?", "bake"),
        ("How to bake bread", "bake"),
        ("What is the capital of France?", "what"),
        ("Given a sentence, rewrite it.", "rewrite"),
        ("Based on the notes below, summarize the talk.", "summarize"),
        ("If x = 3, find y.", "find"),
        ("As a chef, in short, suggest a meal.", "as"),
        ("When did Rome fall?", "when"),
        ("1. Name a bird.", "name"),
        ('"Hello" - translate it.', "translate"),
        ("Re-write the text.", "re-write"),
        ("Apply the rule.", "apply"),
        ("First, clearly state the rule.", "state"),
        ("Write.", "write"),
        ("", ""),
        ("123 + 4 = ?", ""),
        ("please please please", ""),
        ("写一首诗", ""),
    ],
)
def test_english(instruction: str, verb: str) -> None:
    assert verb_of(instruction) == verb


@pytest.mark.parametrize(
    ("instruction", "verb"),
    [
        ("写一首诗。", "写"),
        ("请写一首诗。", "写"),
        ("请你帮我翻译下面的句子。", "翻译"),
        ("麻烦你列出三种鸟。", "列出"),
        ("你能解释一下什么是光合作用吗？", "解释"),
        ("如何计算圆的面积？", "计算"),
        ("请将下面的句子翻译成英文。", "翻译"),
        ("根据以下材料，总结主要观点。", "总结"),
        ("给下面的文章拟定一个标题。", "拟定"),
        ("1. 求解方程。", "求解"),
        ("谈谈你对环保的看法。", "谈谈"),
        ("Write a poem.", ""),
        ("", ""),
    ],
)
def test_chinese(instruction: str, verb: str) -> None:
    assert verb_of(instruction, "zh") == verb


def test_counts_most_frequent_first_and_ties_by_first_appearance() -> None:
    texts = ["List a.", "Name b.", "write c.", "Write d.", "Name e.", "3 + 4"]
    assert verbs_of(texts) == (("name", 2), ("write", 2), ("list", 1))
    assert verbs_of(texts, most=1) == (("name", 2),)
    assert verbs_of([]) == ()


def test_it_is_quick_whatever_the_text() -> None:
    start = time.perf_counter()
    for piece in ("please ", "请", "can you ", "given ", "a" * 50, "根据", " "):
        verbs_of([piece * 20_000], "zh" if not piece.isascii() else "en")
    verbs_of(["Please write a short poem about the sea."] * 5_000)
    assert time.perf_counter() - start < 1.0
