"""Replies against transformers' own generate, one row at a time."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np
import pytest
import tiny
import torch

from kshot.data.example import Example, Message
from kshot.errors import ModelError
from kshot.models.hf.generate import Decoding, Stop, generate_replies

ROWS = [*tiny.ROWS, *(Example(f"word {i} " * (i + 1), "x") for i in range(6))]


def own(loaded, turns, new=12):
    """Transformers' greedy reply to one row, without padding."""
    ids = torch.tensor([loaded.text.encode_prompt(turns)])
    out = loaded.model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=new, do_sample=False,
        eos_token_id=sorted(loaded.end_ids), pad_token_id=0,
    )  # fmt: skip
    return out[0, ids.shape[1] :].tolist()


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
@pytest.mark.parametrize("pad", [True, False], ids=["pad", "no pad"])
@pytest.mark.parametrize("batch_tokens", [1, 200, 10_000])
def test_greedy_replies_are_transformers_own(kind, pad, batch_tokens):
    loaded = tiny.loaded(kind, pad=pad, batch_tokens=batch_tokens)
    found = generate_replies(loaded, tiny.conversations(ROWS), Decoding(12))
    for turns, reply in zip(tiny.conversations(ROWS), found, strict=True):
        tokens = own(loaded, turns)
        ended = tokens[-1] in loaded.end_ids
        assert reply.text == loaded.text.decode(tokens[:-1] if ended else tokens)
        assert reply.completion_tokens == len(tokens)
        assert reply.prompt_tokens == len(loaded.text.encode_prompt(turns))
        assert reply.finish_reason == ("stop" if ended else "length")


def ending(kind="llama", batch_tokens=10_000):
    """A model that ends many of its replies early: a third of its tokens count as ends."""
    loaded = tiny.loaded(kind, batch_tokens=batch_tokens, seed=3)
    return dataclasses.replace(loaded, end_ids=frozenset({2, 4, *range(5, 400, 3)}))


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
def test_rows_that_are_done_leave_the_batch_and_disturb_nobody(kind):
    loaded = ending(kind)
    widths = []
    loaded.model.register_forward_pre_hook(
        lambda _m, _a, options: widths.append(len(options["input_ids"])), with_kwargs=True
    )
    found = generate_replies(loaded, tiny.conversations(ROWS), Decoding(16))
    assert min(widths) < max(widths) == len(ROWS)
    assert {reply.finish_reason for reply in found} >= {"stop"}
    for turns, reply in zip(tiny.conversations(ROWS), found, strict=True):
        tokens = own(loaded, turns, 16)
        assert reply.completion_tokens == len(tokens)
        body = tokens[:-1] if tokens[-1] in loaded.end_ids else tokens
        assert reply.text == loaded.text.decode(body)


def test_the_same_list_gives_the_same_replies():
    loaded = tiny.loaded()
    for decoding in (Decoding(8), Decoding(8, temperature=1.0, seed=4)):
        one, other = (generate_replies(loaded, tiny.conversations(), decoding) for _ in range(2))
        assert one == other


def test_draws_depend_on_the_row_and_the_seed_alone():
    loaded = tiny.loaded()
    turns = tiny.conversations(ROWS)
    hot = Decoding(8, temperature=1.0, seed=7)
    together = generate_replies(loaded, turns, hot)
    alone = [generate_replies(loaded, [turn], hot)[0] for turn in turns]
    reversed_ = generate_replies(dataclasses.replace(loaded, batch_tokens=150), turns[::-1], hot)[::-1]
    assert [r.text for r in together] == [r.text for r in alone] == [r.text for r in reversed_]
    assert together != generate_replies(loaded, turns, Decoding(8, temperature=1.0, seed=8))
    assert together != generate_replies(loaded, turns, Decoding(8))


def test_equal_conversations_draw_different_replies():
    loaded = tiny.loaded()
    turns = tiny.conversations(ROWS[:1]) * 6
    hot = generate_replies(loaded, turns, Decoding(8, temperature=1.0))
    assert len({reply.text for reply in hot}) == 6
    assert len({reply.text for reply in generate_replies(loaded, turns, Decoding(8))}) == 1


def test_samples_follow_the_softmax():
    """First tokens of 800 draws against the model's own shares."""
    loaded = tiny.loaded(initializer_range=0.15)
    turns = tiny.conversations(ROWS[:1])[0]
    for temperature in (0.5, 1.0):
        with torch.no_grad():
            logits = loaded.model(torch.tensor([loaded.text.encode_prompt(turns)])).logits[0, -1]
        shares = (logits.double() / temperature).softmax(-1)
        likely = [int(token) for token in shares.argsort(descending=True)[:5]]
        decoding = Decoding(1, temperature=temperature)
        drawn = Counter(reply.text for reply in generate_replies(loaded, [turns] * 800, decoding))
        for token in likely:
            share = shares[token].item()
            expected = 4.5 * (share * (1 - share) / 800) ** 0.5
            others = sum(
                shares[t].item()
                for t in range(400)
                if t != token and loaded.text.decode([t]) == loaded.text.decode([token])
            )
            assert abs(drawn[loaded.text.decode([token])] / 800 - share - others) < expected + 1e-3


def test_a_cold_sample_is_the_greedy_reply():
    loaded = tiny.loaded()
    cold = generate_replies(loaded, tiny.conversations(), Decoding(6, temperature=1e-6))
    assert cold == generate_replies(loaded, tiny.conversations(), Decoding(6))


def test_stop_strings_cut_the_reply_and_end_it():
    loaded = tiny.loaded()
    free = generate_replies(loaded, tiny.conversations(ROWS), Decoding(20))
    stops = sorted({reply.text[6:8] for reply in free if len(reply.text) > 8})
    cut = generate_replies(loaded, tiny.conversations(ROWS), Decoding(20, stop=stops))
    stopped = 0
    for before, after in zip(free, cut, strict=True):
        places = [before.text.find(stop) for stop in stops if stop in before.text]
        if places:
            stopped += 1
            assert after.text == before.text[: min(places)]
            assert after.finish_reason == "stop"
            assert after.completion_tokens <= before.completion_tokens
        else:
            assert after == before
    assert stopped > 2
    assert any(a.completion_tokens < b.completion_tokens for a, b in zip(cut, free, strict=True))


def test_a_token_that_holds_two_stops_is_cut_at_the_first():
    assert Stop(("\n", "b"), tiny.loaded().text).cut("a\n\nb") == "a"


def test_a_stop_string_of_many_tokens_is_seen():
    loaded = tiny.loaded()
    turns = tiny.conversations(ROWS[:1])
    free = generate_replies(loaded, turns, Decoding(20))[0]
    stop = free.text[2:10]
    assert len(loaded.text.backend.encode(stop).ids) > 2
    cut = generate_replies(loaded, turns, Decoding(20, stop=[stop]))[0]
    assert cut.text == free.text[:2]
    assert cut.completion_tokens < free.completion_tokens


def test_a_reply_ends_where_the_positions_end():
    for kind in ("llama", "gpt2"):
        loaded = dataclasses.replace(tiny.loaded(kind, positions=80), end_ids=frozenset())
        turns = tiny.conversations(ROWS[:3])
        counts = [len(loaded.text.encode_prompt(turn)) for turn in turns]
        for count, reply in zip(counts, generate_replies(loaded, turns, Decoding(100)), strict=True):
            assert reply.completion_tokens == 80 - count
            assert reply.finish_reason == "length"


def test_bfloat16_runs():
    loaded = tiny.loaded()
    loaded.model.to(torch.bfloat16)
    found = generate_replies(loaded, tiny.conversations(ROWS), Decoding(8, temperature=0.7))
    assert all(1 <= reply.completion_tokens <= 8 for reply in found)


def test_out_of_memory_halves_the_batch_and_starts_it_again():
    loaded = tiny.loaded()
    whole = generate_replies(loaded, tiny.conversations(), Decoding(6))
    forward, sizes = loaded.model.model.forward, []

    def small(*args, input_ids=None, past_key_values=None, **options):
        # memory runs out in the middle of a reply, when the cache has grown
        sizes.append(len(input_ids))
        if len(input_ids) > 2 and past_key_values is not None:
            raise RuntimeError("MPS backend out of memory")
        return forward(*args, input_ids=input_ids, past_key_values=past_key_values, **options)

    loaded.model.model.forward = small
    assert generate_replies(loaded, tiny.conversations(), Decoding(6)) == whole
    assert max(sizes) == 5
    assert sizes[-1] <= 2


class TestRefusals:
    def test_a_prompt_without_room(self):
        loaded = tiny.loaded(positions=40)
        turns = tiny.conversations([ROWS[0], Example("word " * 50, "x")])
        count = len(loaded.text.encode_prompt(turns[1]))
        with pytest.raises(
            ModelError, match=rf"llama: the prompt of row 1 has {count} tokens, the model has 40"
        ):
            generate_replies(loaded, turns, Decoding(4))

    @pytest.mark.parametrize("options", [{"temperature": 0.0}, {"temperature": 1.0}])
    def test_output_that_is_no_number(self, options):
        loaded = tiny.loaded()
        with torch.no_grad():
            loaded.model.lm_head.weight[5] = np.nan
        with pytest.raises(ModelError, match="output is no number"):
            generate_replies(loaded, tiny.conversations(), Decoding(4, **options))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"max_new_tokens": 0}, "max_new_tokens is 0"),
            ({"temperature": -1.0}, "temperature is -1.0"),
            ({"temperature": float("nan")}, "temperature is nan"),
            ({"temperature": float("inf")}, "temperature is inf"),
            ({"stop": "\n"}, "expected a list of texts"),
            ({"stop": ["a", ""]}, "expected a list of texts"),
        ],
    )
    def test_bad_settings(self, options, message):
        with pytest.raises(ModelError, match=message):
            Decoding(**options)


def test_no_conversations_no_replies():
    assert generate_replies(tiny.loaded(), [], Decoding(4)) == []


def test_surrogates_and_long_unicode_do_not_break_the_draws():
    loaded = tiny.loaded()
    turns = (Message("user", "🗼" * 10),)
    assert len(generate_replies(loaded, [turns], Decoding(3, temperature=1.0))) == 1
