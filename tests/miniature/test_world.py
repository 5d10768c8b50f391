"""The world before anything is trained: words, rows, tasks and open data, drawn again from the seed."""

import random
from collections import Counter

import pytest

from kshot.miniature.open_data import SHOT_LEAKS, TEST_LEAKS, build_open
from kshot.miniature.skills import SHARES, episode, explain_prompt, notes_prompt
from kshot.miniature.tasks import NAMES, build_tasks
from kshot.miniature.vocabulary import encode, first_line, token_ids, words_of
from kshot.miniature.world import FILLERS, MEANINGS, PART_SIZE, PARTS, SEED, TRADES, build_world, draw_row


@pytest.fixture(scope="module")
def world():
    return build_world()


@pytest.fixture(scope="module")
def tasks(world):
    return build_tasks(world, SEED)


@pytest.fixture(scope="module")
def rows(world, tasks):
    return build_open(world, tasks, SEED)


def test_every_word_has_one_trade_one_part_and_one_meaning(world):
    words = [word for trade in world.trades.values() for part in PARTS for word in trade.parts[part]]
    assert len(set(words)) == len(words) == len(TRADES) * len(PARTS) * PART_SIZE
    assert not set(words) & set(world.spare)
    for trade in world.trades.values():
        assert set(trade.meaning) == set(trade.words())
        assert set(trade.meaning.values()) <= set(MEANINGS)


def test_no_invented_word_is_a_plain_word(world):
    assert len(set(world.vocabulary)) == len(world.vocabulary)
    assert len(MEANINGS) == len(set(MEANINGS)) == 96
    assert not set(world.invented) & (set(world.vocabulary) - set(world.invented))


def test_trades_share_no_syllables(world):
    heads = {name: {word[:2] for word in trade.words()} for name, trade in world.trades.items()}
    grams = {
        name: {f"<{word}>"[i : i + 4] for word in trade.words() for i in range(len(word) - 1)}
        for name, trade in world.trades.items()
    }
    assert all(heads.values())
    for name, own in grams.items():
        others = set().union(*(found for other, found in grams.items() if other != name))
        assert len(own & others) / len(own) < 0.25, name


def test_the_same_seed_gives_the_same_rows(world, tasks, rows):
    again = build_world()
    assert again == world
    assert build_tasks(again, SEED) == tasks
    assert build_open(again, tasks, SEED) == rows


def test_a_row_has_three_words_of_one_part_and_of_every_trade_asked(world):
    rng = random.Random(3)
    trades = [world.trades["smith"], world.trades["dyer"]]
    for part in PARTS:
        for _ in range(50):
            row = draw_row(rng, trades, part)
            assert len(set(row.words)) == 3
            assert set(row.trades) == {"smith", "dyer"}
            for word, trade in zip(row.words, row.trades, strict=True):
                assert word in world.trades[trade].parts[part]
            assert row.reasoning.split()[::4] == list(row.words)
            assert row.reasoning.split()[2::4] == row.answer.split()
    with pytest.raises(ValueError, match="4 trades"):
        draw_row(rng, list(world.trades.values())[:4], "both")


@pytest.mark.parametrize("name", NAMES)
def test_no_prompt_twice_in_any_task(tasks, name):
    own = [row.prompt for row in (*tasks[name].shots, *tasks[name].test)]
    others = set().union(*(task.prompts for task in tasks.values() if task.name != name))
    assert len(own) == len(set(own)) == 700
    assert not set(own) & others


@pytest.mark.parametrize("name", ["single", "mixed", "hard"])
def test_parts_are_covered_equally(tasks, name):
    for pool in (tasks[name].shots, tasks[name].test):
        counts = Counter(row.part for row in pool)
        assert max(counts.values()) - min(counts.values()) <= 4
        cells = Counter((row.part, tuple(sorted(set(row.trades)))) for row in pool)
        assert max(cells.values()) - min(cells.values()) <= 1


def test_open_rows_copy_task_rows_only_where_planted(tasks, rows):
    prompts = {prompt for task in tasks.values() for prompt in task.prompts}
    for row in rows:
        asked = row.input.split()
        bare = " ".join(asked[1:] if asked[0] in FILLERS else asked)
        assert ({row.input, bare} & prompts != set()) == (row.kind == "leak"), row


def test_leaks_repeat_the_row_they_name(tasks, rows):
    leaks = [row for row in rows if row.kind == "leak"]
    assert Counter(row.of.split(":")[0] for row in leaks) == {
        **{f"{name}/test": count for name, count in TEST_LEAKS.items()},
        **{f"{name}/shots": count for name, count in SHOT_LEAKS.items()},
    }
    for leak in leaks:
        place, index = leak.of.split(":")
        name, pool = place.split("/")
        original = getattr(tasks[name], pool)[int(index)]
        assert leak.input.endswith(original.prompt)
        assert leak.output.split("\n")[0] == original.answer


def test_repeats_and_paraphrases_name_their_original(rows):
    for row in rows:
        if row.kind == "repeat":
            original = rows[row.of]
            assert (row.instruction, row.input, row.output) == (
                original.instruction,
                original.input,
                original.output,
            )
        if row.kind == "paraphrase":
            original = rows[row.of]
            assert row.input != original.input
            assert set(original.input.split()) <= set(row.input.split())
            assert set(original.output.split("\n")[0].split()) == set(row.output.split("\n")[0].split())
        if row.kind in {"row", "junk"}:
            assert row.of is None
    inputs = Counter((row.instruction, row.input) for row in rows if row.kind != "repeat")
    assert max(inputs.values()) == 1


def test_open_data_holds_no_word_of_the_expert_part_but_in_leaks(world, rows):
    hidden = {word for trade in world.trades.values() for word in trade.parts["expert"]}
    for row in rows:
        if row.kind != "leak":
            assert not hidden & set(row.input.split())


def test_every_word_is_in_the_vocabulary(world, tasks, rows):
    ids = token_ids(world)
    texts = [text for row in rows for text in (row.instruction, row.input, row.output)]
    for task in tasks.values():
        for row in (*task.shots, *task.test):
            texts += [task.instruction, row.prompt, row.answer, row.reasoning or ""]
    assert not {word for text in texts for word in words_of(text)} - set(ids)


@pytest.mark.parametrize("skill", SHARES)
def test_episodes_teach_replies_only(world, skill):
    ids, rng = token_ids(world), random.Random(0)
    for level in (0.0, 0.5, 1.0):
        turns = episode(skill, world, rng, level)
        assert turns[0].role == "system"
        assert turns[-1].role == "assistant"
        tokens, learned = encode(turns, ids)
        assert len(tokens) == len(learned)
        assert learned[-1]
        assert not any(turn.learned for turn in turns if turn.role != "assistant")


def test_meanings_in_episodes_are_drawn_anew(world):
    trade, rng = world.trades["smith"], random.Random(0)
    pairs = Counter()
    for _ in range(3000):
        line = episode("explain", world, rng, 1.0)[-1].content.split()
        said = zip(line[::4], line[2::4], strict=True)
        pairs.update(trade.meaning.get(word) == meaning for word, meaning in said)
    assert pairs[True] < 20


def test_prompts_of_the_skills():
    assert notes_prompt(["a is b", "c is d"], "c a") == "a is b\nc is d\nc a"
    assert explain_prompt("a c", "b d", "d b") == "a c\nb d over d b\nwhy"


def test_first_line_ends_at_a_break_or_an_end():
    assert first_line(["a", "b", "\n", "c", "<end>"]) == "a b"
    assert first_line(["a", "<end>", "b"]) == "a"
    assert first_line(["a", "b"]) == "a b"
