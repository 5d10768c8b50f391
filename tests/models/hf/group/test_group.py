"""Several experts in one forward against each of them alone with PEFT."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kshot.data.example import Example
from kshot.errors import ModelError
from kshot.models.hf.adapted import AdaptedModel
from kshot.models.hf.generate import Decoding
from kshot.models.hf.group import Answers, ExpertGroup
from kshot.models.hf.group.factors import linear_shapes, stacked, stored_factors
from kshot.models.lora.adapter import LoraAdapter
from kshot.models.lora.delta import LoraDelta

ROWS = [*tiny.ROWS, *(Example(f"word {i} " * (i + 1), "x") for i in range(4))]
TURNS, TARGETS = tiny.conversations(ROWS), tiny.targets(ROWS)
CHOICES = [["Paris", "Rome", "a longer choice"], ["Lima", "東京"], ["A"], ["x", "xx"], *[["?", "!"]] * 5]
DECODING = Decoding(10)
# name: rank, scaling, modules by a part of their name; * is every linear module but the head
EXPERTS = {
    "llama": {"all": (4, 2.0, "*"), "queries": (2, 0.5, "q_proj"), "wide": (7, 1.0, "v_proj down_proj")},
    "gpt2": {"all": (4, 2.0, "*"), "attention": (2, 0.5, "c_attn"), "wide": (7, 1.0, "mlp.c_proj c_fc")},
}


def save_experts(model, out, kind):
    """One folder for each of the kind's experts, by name."""
    shapes = {name: shape for name, shape in linear_shapes(model).items() if name != "lm_head"}
    folders = {}
    for seed, (expert, (rank, scaling, parts)) in enumerate(
        EXPERTS["gpt2" if kind == "gpt2" else "llama"].items()
    ):
        rng = np.random.default_rng(seed)
        modules = {
            name: LoraDelta(
                rng.normal(0, 0.2, (rank, columns)).astype(np.float32),
                rng.normal(0, 0.2, (rows, rank)).astype(np.float32),
                scaling,
            )
            for name, (rows, columns) in shapes.items()
            if parts == "*" or any(part in name for part in parts.split())
        }
        adapter = LoraAdapter(expert, modules, fan_in_fan_out=kind == "gpt2")
        folders[expert] = adapter.save(out / expert)
    return folders


def group_of(loaded, folders):
    modules = [name for name, _ in loaded.model.named_modules()]
    found = [stored_factors(folder, linear_shapes(loaded.model), modules) for folder in folders]
    return ExpertGroup(loaded, [one.name for one in found], stacked(found, next(loaded.model.parameters())))


def ending(loaded):
    """A model that ends many of its replies early: a third of its tokens count as ends."""
    return dataclasses.replace(loaded, end_ids=frozenset({2, 4, *range(5, 400, 3)}))


def alone(loaded, folder):
    return AdaptedModel(loaded, folder, base_id="base")


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    loaded = ending(tiny.loaded(seed=3))
    return loaded, list(save_experts(loaded.model, tmp_path_factory.mktemp("bank"), "llama").values())


@pytest.fixture(scope="module")
def whole(llama):
    """What the experts say in one batch."""
    return group_of(*llama).ask(TURNS, targets=TARGETS, choices=CHOICES, decoding=DECODING)


def check_answers(answers, expert):
    """All that one expert said is what it says alone."""
    for one, other in zip(answers.losses, expert.token_losses(TURNS, TARGETS), strict=True):
        np.testing.assert_allclose(one.nats, other.nats, rtol=1e-5, atol=2e-5)
        np.testing.assert_array_equal(one.answer, other.answer)
        np.testing.assert_array_equal(one.reasoning, other.reasoning)
    for one, other in zip(answers.choices, expert.choice_scores(TURNS, CHOICES), strict=True):
        np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=1e-5, atol=1e-4)
        np.testing.assert_array_equal(one.token_count, other.token_count)
        np.testing.assert_array_equal(one.char_count, other.char_count)
        assert one.prompt_tokens == other.prompt_tokens
    assert list(answers.replies) == expert.generate(TURNS, max_new_tokens=10)


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
@pytest.mark.parametrize("chat", [tiny.CHATML, None], ids=["chat", "plain"])
def test_every_expert_answers_as_it_does_alone(kind, chat, tmp_path):
    """Ranks, alphas and targets differ; losses, choices and replies come from one pass."""
    loaded = ending(tiny.loaded(kind, chat=chat, seed=3))
    folders = save_experts(loaded.model, tmp_path, kind)
    group = group_of(loaded, folders.values())
    assert group.names == tuple(folders)
    answers = group.ask(TURNS, targets=TARGETS, choices=CHOICES, decoding=DECODING)
    assert len({reply.text for one in answers for reply in one.replies}) > 5
    assert len({reply.completion_tokens for one in answers for reply in one.replies}) > 2
    for folder, one in zip(folders.values(), answers, strict=True):
        check_answers(one, alone(loaded, folder))


def test_each_question_can_be_asked_apart(llama):
    loaded, folders = llama
    group = group_of(loaded, folders)
    losses, choices = group.token_losses(TURNS, TARGETS), group.choice_scores(TURNS, CHOICES)
    replies = group.generate(TURNS, max_new_tokens=10)
    for g, folder in enumerate(folders):
        expert = alone(loaded, folder)
        for one, other in zip(losses[g], expert.token_losses(TURNS, TARGETS), strict=True):
            np.testing.assert_allclose(one.nats, other.nats, rtol=1e-5, atol=2e-5)
        for one, other in zip(choices[g], expert.choice_scores(TURNS, CHOICES), strict=True):
            np.testing.assert_allclose(one.log_likelihood, other.log_likelihood, rtol=1e-5, atol=1e-4)
        assert replies[g] == expert.generate(TURNS, max_new_tokens=10)
    assert group.ask([], targets=[], decoding=DECODING) == group.ask(TURNS) == [Answers()] * 3


@settings(max_examples=10)
@given(
    experts=st.lists(st.integers(0, 2), min_size=1, max_size=4),
    rows=st.lists(st.integers(0, len(ROWS) - 1), min_size=1, max_size=6),
    batch_tokens=st.sampled_from([1, 90, 300, 10_000]),
)
def test_neither_group_nor_batch_nor_order_is_felt(llama, whole, experts, rows, batch_tokens):
    """Experts and rows in any order, with repeats, in batches of any size."""
    loaded, folders = llama
    small = dataclasses.replace(loaded, batch_tokens=batch_tokens)
    part = group_of(small, [folders[g] for g in experts]).ask(
        [TURNS[i] for i in rows],
        targets=[TARGETS[i] for i in rows],
        choices=[CHOICES[i] for i in rows],
        decoding=DECODING,
    )
    for g, answers in zip(experts, part, strict=True):
        for place, i in enumerate(rows):
            nats = answers.losses[place].nats
            np.testing.assert_allclose(nats, whole[g].losses[i].nats, rtol=1e-5, atol=1e-4)
            likely = answers.choices[place].log_likelihood
            np.testing.assert_allclose(likely, whole[g].choices[i].log_likelihood, rtol=1e-5, atol=1e-4)
            assert answers.replies[place] == whole[g].replies[i]


@pytest.mark.parametrize("budget", [80, 120, 300, 10_000])
def test_no_batch_is_larger_than_the_budget_and_rows_that_are_done_leave_it(llama, budget):
    loaded, folders = llama
    loaded = dataclasses.replace(loaded, batch_tokens=budget)
    sizes = []
    with_hook = loaded.model.register_forward_pre_hook(
        lambda _m, _a, options: sizes.append(tuple(options["input_ids"].shape)), with_kwargs=True
    )
    group_of(loaded, folders).ask(TURNS, targets=TARGETS, choices=CHOICES, decoding=DECODING)
    with_hook.remove()
    assert max(rows * tokens for rows, tokens in sizes if rows > 1) <= budget  # one may be longer
    if budget == 10_000:  # one batch: its steps get narrower
        steps = [rows for rows, tokens in sizes if tokens == 1]
        assert steps == sorted(steps, reverse=True)
        assert steps[-1] <= steps[0] / 2


def test_what_all_prompts_share_is_read_once_for_each_expert(llama):
    loaded, folders = llama
    sizes = []
    with_hook = loaded.model.register_forward_pre_hook(
        lambda _m, _a, options: sizes.append(tuple(options["input_ids"].shape)), with_kwargs=True
    )
    group_of(loaded, folders).ask(TURNS, targets=TARGETS)
    with_hook.remove()
    shared, prompts, targets = sizes
    assert shared[0] == len(folders)
    assert prompts[0] == targets[0] == len(folders) * len(TURNS)
    assert shared[1] >= 8
    longest = max(len(loaded.text.encode_prompt(turns)) for turns in TURNS)
    assert shared[1] + prompts[1] == longest - 1


def test_losses_of_rows_that_share_nothing_take_one_pass(tmp_path):
    loaded = tiny.loaded(chat=None)
    folders = list(save_experts(loaded.model, tmp_path, "llama").values())
    turns, targets = [tiny.user(text) for text in ("France?", "a b", "x")], TARGETS[:3]
    asked = []
    hook = loaded.model.register_forward_pre_hook(
        lambda _m, _a, options: asked.append((len(options["input_ids"]), options["use_cache"])),
        with_kwargs=True,
    )
    found = group_of(loaded, folders).token_losses(turns, targets)
    hook.remove()
    assert asked == [(9, False)]
    for folder, losses in zip(folders, found, strict=True):
        for one, other in zip(losses, alone(loaded, folder).token_losses(turns, targets), strict=True):
            np.testing.assert_allclose(one.nats, other.nats, rtol=1e-5, atol=2e-5)


def test_stop_strings_end_replies_as_they_do_alone(llama):
    loaded, folders = llama
    first = group_of(loaded, folders).generate(TURNS, max_new_tokens=10)
    stop = [next(reply.text for reply in first[0] if len(reply.text) > 2)[1:3]]
    found = group_of(loaded, folders).generate(TURNS, max_new_tokens=10, stop=stop)
    assert found != first
    for folder, replies in zip(folders, found, strict=True):
        assert replies == alone(loaded, folder).generate(TURNS, max_new_tokens=10, stop=stop)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_a_prompt_of_one_token_and_one_that_leaves_little_room(kind, tmp_path):
    loaded = tiny.loaded(kind, chat=None, positions=60)
    folders = list(save_experts(loaded.model, tmp_path, kind).values())
    turns = [tiny.user("a"), tiny.user("word " * 9), tiny.user("b c")]
    assert len(loaded.text.encode_prompt(turns[1])) > 40
    targets = TARGETS[1:2] * 3
    answers = group_of(loaded, folders).ask(turns, targets=targets, decoding=Decoding(30))
    assert min(reply.completion_tokens for reply in answers[0].replies) < 30
    for folder, one in zip(folders, answers, strict=True):
        expert = alone(loaded, folder)
        for found, other in zip(one.losses, expert.token_losses(turns, targets), strict=True):
            np.testing.assert_allclose(found.nats, other.nats, rtol=1e-5, atol=1e-4)
        assert list(one.replies) == expert.generate(turns, max_new_tokens=30)


def test_a_base_in_bfloat16_is_rounded_as_peft_rounds(tmp_path):
    loaded = tiny.loaded(seed=3)
    folders = list(save_experts(loaded.model, tmp_path, "llama").values())
    exact = group_of(loaded, folders).token_losses(TURNS, TARGETS)
    loaded.model.to(torch.bfloat16)
    rough = group_of(loaded, folders).token_losses(TURNS, TARGETS)
    for folder, line, near in zip(folders, rough, exact, strict=True):
        for found, other, ideal in zip(
            line, alone(loaded, folder).token_losses(TURNS, TARGETS), near, strict=True
        ):
            np.testing.assert_allclose(found.nats, other.nats, atol=0.6)
            np.testing.assert_allclose(found.nats, ideal.nats, atol=1.2)


# -- the base, and what goes wrong -----------------------------------------------------------------


def test_the_base_is_as_it_was(llama):
    loaded, folders = llama
    weights = {key: tensor.clone() for key, tensor in loaded.model.state_dict().items()}
    group = group_of(loaded, folders)
    group.ask(TURNS, targets=TARGETS, decoding=DECODING)
    with pytest.raises(ModelError, match="9 conversations but 1 targets"):
        group.ask(TURNS, targets=TARGETS[:1])
    assert not any(module._forward_hooks for module in loaded.model.modules())
    assert all(torch.equal(weights[key], tensor) for key, tensor in loaded.model.state_dict().items())


def test_an_error_in_the_middle_leaves_nothing_behind(llama, monkeypatch):
    loaded, folders = llama
    group = group_of(loaded, folders)

    def fails(*_):
        raise KeyError("x")

    monkeypatch.setattr("kshot.models.hf.group.group.read_tails", fails)
    with pytest.raises(KeyError):
        group.token_losses(TURNS, TARGETS)
    assert not any(module._forward_hooks for module in loaded.model.modules())


@pytest.mark.parametrize("rows", [1, 2, 7])
def test_out_of_memory_halves_rows_then_experts_then_choices(llama, whole, rows):
    loaded, folders = llama

    def fails(_module, _args, options):
        if len(options["input_ids"]) > rows:
            raise RuntimeError("MPS backend out of memory")

    hook = loaded.model.register_forward_pre_hook(fails, with_kwargs=True)
    try:
        found = group_of(loaded, folders).ask(TURNS, targets=TARGETS, choices=CHOICES, decoding=DECODING)
    finally:
        hook.remove()
    for one, other in zip(found, whole, strict=True):
        assert one.replies == other.replies
        for a, b in zip(one.losses, other.losses, strict=True):
            np.testing.assert_allclose(a.nats, b.nats, rtol=1e-5, atol=1e-4)
        for a, b in zip(one.choices, other.choices, strict=True):
            np.testing.assert_allclose(a.log_likelihood, b.log_likelihood, rtol=1e-5, atol=1e-4)


def test_an_expert_that_overflows_is_named(llama, tmp_path):
    loaded, folders = llama
    adapter = LoraAdapter.load(folders[0]).scaled(1e38)
    bad = dataclasses.replace(adapter, name="huge").save(tmp_path / "huge")
    group = group_of(loaded, [folders[1], bad])
    with pytest.raises(ModelError, match=r"huge: row 0 has a loss that is no finite number"):
        group.token_losses(TURNS, TARGETS)
    with pytest.raises(ModelError, match=r"huge: the model's output is no number"):
        group.generate(TURNS)


def test_a_module_that_reads_some_rows_only_is_refused(llama):
    """As the experts of a mixture do, whose rows come in an order of their own."""
    loaded, folders = llama
    module = loaded.model.model.layers[0].mlp
    hook = module.down_proj.register_forward_pre_hook(lambda _m, args: (args[0][1:],))
    try:
        with pytest.raises(ModelError, match=r"layers.0.mlp.down_proj does not read whole rows"):
            group_of(loaded, folders).token_losses(TURNS, TARGETS)
    finally:
        hook.remove()


def test_a_group_that_is_closed_cannot_be_asked(llama):
    loaded, folders = llama
    group = group_of(loaded, folders)
    group.close()
    with pytest.raises(ModelError, match="the group is closed"):
        group.token_losses(TURNS, TARGETS)
