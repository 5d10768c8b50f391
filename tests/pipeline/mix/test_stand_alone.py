"""``kshot mix`` as one call: each way to weights, the numbers in the folder, the card, alpha."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from mix_folders import contents, family, reference, tensors

from kshot.data.example import Example
from kshot.errors import InputError, ModelError
from kshot.methods.cocktail import mixing_weights
from kshot.models.checkpoint.members import open_member
from kshot.models.checkpoint.resident import ResidentMix, score_members
from kshot.models.lora import LoraAdapter, LoraDelta
from kshot.pipeline.mix import MixJob, Weighing, mixed, planned

SHOTS = tuple(Example(f"The capital of country {n}?", f"It is Lima {n}") for n in range(4))
GENERAL = tuple(Example(f"Reply {n}", f"joy {n}") for n in range(3))


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A base and two fine-tunes."""
    return [str(place) for place in family(tmp_path_factory.mktemp("family"))]


def weights_in(done) -> np.ndarray:
    return np.array([member["weight"] for member in done.facts["members"]])


def assert_is_sum(folder, models, weights) -> None:
    expected, found = reference(map(Path, models), weights), tensors(folder)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name].double().numpy(), value, atol=2e-7)


def test_weights_by_hand(models, tmp_path) -> None:
    done = mixed(MixJob(tuple(models), weights=(0.5, 0.3, 0.2), command="kshot mix"), tmp_path / "out")
    assert_is_sum(done.folder, models, (0.5, 0.3, 0.2))
    facts = json.loads((done.folder / "kshot_mix.json").read_text())
    assert [member["weight"] for member in facts["members"]] == [0.5, 0.3, 0.2]
    card = (done.folder / "README.md").read_text()
    assert "kshot mix" in card
    assert "0.300000" in card
    assert str(tmp_path) not in card


def test_the_card_tells_how_near_members_are_to_the_base(models, tmp_path) -> None:
    done = mixed(MixJob((models[0], models[0]), weights=(0.5, 0.5)), tmp_path / "out")
    (kin,) = done.facts["lineage"]
    assert (kin["distance"], kin["cosine"]) == (0.0, pytest.approx(1))
    assert kin["delta_cosines"][0] is None  # the base has no change
    assert "cosine 1.0000" in (done.folder / "README.md").read_text()


def test_weights_from_shots_are_the_softmax_of_losses(models, tmp_path) -> None:
    job = MixJob(tuple(models), examples=SHOTS, weighing=Weighing(temperature=0.1))
    done = mixed(job, tmp_path / "out")
    own = [each.mean() for each in score_members([open_member(m) for m in models], "decoder", SHOTS)]
    np.testing.assert_allclose(weights_in(done), mixing_weights(own, temperature=0.1), atol=1e-6)
    assert_is_sum(done.folder, models, weights_in(done))
    member = done.facts["members"][1]
    assert member["low"] <= member["weight"] <= member["high"]
    assert member["uniform"] == pytest.approx(1 / 3)
    assert done.facts["loss"] is not None
    assert any("selection score" in line for line in done.lines())


def test_the_paper_counts_batches(models, tmp_path) -> None:
    how = Weighing(temperature=0.1, aggregate="paper", batch_size=2)
    done = mixed(MixJob(tuple(models), examples=SHOTS[:3], weighing=how), tmp_path / "out")
    own = score_members([open_member(m) for m in models], "decoder", SHOTS[:3])
    batches = [each.mean("paper", batch_size=2) for each in own]
    assert not np.allclose(batches, [each.mean() for each in own], atol=1e-6)
    np.testing.assert_allclose(weights_in(done), mixing_weights(batches, temperature=0.1), atol=1e-6)


@pytest.mark.parametrize("rule", ["best", "uniform", "greedy", "simplex", "cma"])
def test_each_rule_ends_in_weights_that_sum_to_one(models, tmp_path, rule) -> None:
    how = Weighing(rule, evaluations=12)
    done = mixed(MixJob(tuple(models), examples=SHOTS, weighing=how), tmp_path / "out")
    assert weights_in(done).sum() == pytest.approx(1)
    if rule == "best":
        losses = [member["loss"] for member in done.facts["members"]]
        assert weights_in(done).argmax() == int(np.argmin(losses))
    assert_is_sum(done.folder, models, weights_in(done))


def test_temperature_auto_shows_its_grid(models, tmp_path) -> None:
    job = MixJob(tuple(models), examples=SHOTS, weighing=Weighing(temperature="auto"))
    heat = mixed(job, tmp_path / "out").facts["temperature"]
    assert heat["asked"] == "auto"
    assert heat["chosen"] in [row["temperature"] for row in heat["rows"]]
    assert len(heat["rows"]) >= 5


def test_base_peers_and_fine_tuned_in_one_pass(models, tmp_path) -> None:
    base, peer, tuned = models
    job = MixJob((peer,), base=base, fine_tuned=tuned, alpha=0.4, examples=SHOTS)
    done = mixed(job, tmp_path / "out")
    own = [each.mean() for each in score_members([open_member(m) for m in (base, peer)], "decoder", SHOTS)]
    expected = np.append(0.6 * mixing_weights(own), 0.4)
    np.testing.assert_allclose(weights_in(done), expected, atol=1e-6)
    assert done.facts["members"][2]["loss"] is None  # the fine-tuned model is never weighed by the shots
    first = done.facts["members"][0]
    assert first["low"] <= first["weight"] <= first["high"]
    assert any("without the fine-tuned model" in line for line in done.lines())


def test_a_given_alpha_does_not_load_the_fine_tuned_model(models, tmp_path, monkeypatch) -> None:
    base, peer, tuned = models
    held: list[list[str]] = []
    whole = ResidentMix.open

    def spied(members, *given, **named):
        held.append([member.name for member in members])
        return whole(members, *given, **named)

    monkeypatch.setattr(ResidentMix, "open", spied)
    mixed(MixJob((peer,), base=base, fine_tuned=tuned, alpha=0.4, examples=SHOTS), tmp_path / "out")
    assert held == [[base, peer]]


def test_equal_weights_come_with_losses_where_there_are_examples(models, tmp_path) -> None:
    done = mixed(MixJob(tuple(models), examples=SHOTS, weighing=Weighing("uniform")), tmp_path / "out")
    own = score_members([open_member(m) for m in models], "decoder", SHOTS)
    told = [member["loss"] for member in done.facts["members"]]
    np.testing.assert_allclose(told, [each.mean() for each in own], atol=1e-6)
    assert done.facts["loss"] == done.facts["uniform_loss"]


def test_examples_beside_weights_by_hand_are_not_silent(models, tmp_path) -> None:
    done = mixed(MixJob(tuple(models), weights=(0.5, 0.3, 0.2), examples=SHOTS), tmp_path / "out")
    assert any("examples were not used" in line for line in done.lines())


def test_alpha_one_is_the_fine_tuned_model(models, tmp_path) -> None:
    done = mixed(MixJob((), base=models[0], fine_tuned=models[1], alpha=1.0), tmp_path / "out")
    expected, found = tensors(Path(models[1])), tensors(done.folder)
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def test_alpha_auto_sweeps_both_ends(models, tmp_path) -> None:
    job = MixJob((), base=models[0], fine_tuned=models[2], alpha="auto", examples=SHOTS, general=GENERAL)
    done = mixed(job, tmp_path / "out")
    sweep = done.facts["alpha_sweep"]
    assert sweep["alphas"] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert sweep["target"]["n"] == 4
    assert sweep["general"]["n"] == 3
    np.testing.assert_allclose(weights_in(done), [1 - sweep["chosen"], sweep["chosen"]], atol=1e-12)
    own = score_members([open_member(models[0])], "decoder", SHOTS)[0].mean()
    assert sweep["target"]["mean"][0] == pytest.approx(own, abs=1e-5)
    page = tmp_path / "page.html"
    done.write_page(page)
    assert "plot-alpha" in page.read_text()


def test_layers_with_weights_of_their_own(models, tmp_path) -> None:
    rows = (("model.layers.0.*", (0.0, 1.0)),)
    done = mixed(MixJob(tuple(models[:2]), weights=(0.5, 0.5), layer_weights=rows), tmp_path / "out")
    found, tuned = tensors(done.folder), tensors(Path(models[1]))
    name = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(found[name], tuned[name])
    half = reference(map(Path, models[:2]), (0.5, 0.5))
    name = "model.layers.1.mlp.up_proj.weight"
    np.testing.assert_allclose(found[name].numpy(), half[name], atol=2e-7)


def test_the_plan_alone_writes_nothing(models, tmp_path) -> None:
    told = planned(MixJob(tuple(models), weights=(0.5, 0.3, 0.2)))
    assert told.to_json()["refusals"] == []
    assert told.to_json()["write_bytes"] > 0
    assert any("tensors are mixed" in line for line in told.lines())
    assert list(tmp_path.iterdir()) == []


def test_the_plan_counts_passes_and_looks_at_weights(models) -> None:
    once = planned(MixJob(tuple(models), weights=(0.5, 0.3, 0.2))).to_json()
    twice = planned(MixJob(tuple(models), weights=(0, 0.5, 0.5), operation="ties")).to_json()
    assert (once["passes"], twice["passes"]) == (1, 2)
    assert twice["seconds"] > once["seconds"]
    with pytest.raises(InputError, match=r"0\.9"):
        planned(MixJob(tuple(models), weights=(0.5, 0.3, 0.1)))
    with pytest.raises(InputError, match=r"0\.9"):
        planned(MixJob(tuple(models[:2]), fine_tuned=models[2], alpha="auto", weights=(0.5, 0.4),
                       examples=SHOTS, general=GENERAL))  # fmt: skip


def test_nothing_is_written_where_models_do_not_fit(models, tmp_path) -> None:
    other = family(tmp_path / "other", "gpt2", count=1)[0]
    with pytest.raises(ModelError, match=r"GPT2|gpt2"):
        mixed(MixJob((models[0], str(other)), examples=SHOTS), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_weights_that_do_not_sum_to_one_write_nothing(models, tmp_path) -> None:
    with pytest.raises(InputError, match=r"0\.9"):
        mixed(MixJob(tuple(models), weights=(0.5, 0.3, 0.1)), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_full_folder_is_left_alone(models, tmp_path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ModelError, match="not empty"):
        mixed(MixJob(tuple(models), weights=(0.5, 0.3, 0.2)), tmp_path)
    assert contents(tmp_path) == {"mine.txt": b"mine"}


class TestAdapters:
    @pytest.fixture
    def adapters(self, models, tmp_path):
        rng, made = np.random.default_rng(0), []
        base = tensors(Path(models[0]))
        for rank in (2, 3):
            modules = {}
            for name in ("model.layers.0.self_attn.q_proj", "model.layers.1.mlp.up_proj"):
                out, inner = base[f"{name}.weight"].shape
                a, b = rng.normal(size=(rank, inner)), 0.1 * rng.normal(size=(out, rank))
                modules[name] = LoraDelta(a.astype(np.float32), b.astype(np.float32), 2.0)
            adapter = LoraAdapter(f"lora{rank}", modules, base="base")
            made.append(str(adapter.save(tmp_path / f"lora{rank}")))
        return made

    def test_one_lora_from_two(self, adapters, tmp_path) -> None:
        done = mixed(MixJob(tuple(adapters), weights=(0.25, 0.75), adapter=True), tmp_path / "out")
        one, two, mix = (LoraAdapter.load(folder) for folder in (*adapters, done.folder))
        for name in one.modules:
            expected = 0.25 * one.delta(name) + 0.75 * two.delta(name)
            np.testing.assert_allclose(mix.delta(name), expected, rtol=1e-6, atol=1e-7)
        assert done.facts["exact"]
        assert (done.folder / "README.md").is_file()

    def test_weights_of_changes_that_do_not_sum_to_one_are_told(self, adapters, tmp_path) -> None:
        done = mixed(MixJob(tuple(adapters), weights=(0.5, 0.9), adapter=True), tmp_path / "out")
        assert any("sum to 1.4" in line for line in done.lines())

    def test_examples_for_one_lora_want_its_base(self, adapters, tmp_path) -> None:
        with pytest.raises(ModelError, match="--base to score them on"):
            mixed(MixJob(tuple(adapters), examples=SHOTS, adapter=True), tmp_path / "out")

    def test_adapters_of_different_bases_are_warned_about(self, adapters, tmp_path) -> None:
        other = replace(LoraAdapter.load(adapters[1]), base="stranger").save(tmp_path / "other")
        job = MixJob((adapters[0], str(other)), weights=(0.5, 0.5), adapter=True)
        done = mixed(job, tmp_path / "out")
        assert any("different base models" in line for line in done.lines())
        same = mixed(MixJob(tuple(adapters), weights=(0.5, 0.5), adapter=True), tmp_path / "same")
        assert same.facts["warnings"] == []

    def test_cut_to_a_rank_tells_what_is_kept(self, adapters, tmp_path) -> None:
        done = mixed(MixJob(tuple(adapters), weights=(0.5, 0.5), adapter=True, rank=1), tmp_path / "out")
        assert 0 < done.facts["kept_energy"] < 1
        assert "rank 1" in done.lines()[-1]

    def test_into_a_full_model(self, models, adapters, tmp_path) -> None:
        job = MixJob(tuple(adapters), base=models[0], weights=(0.25, 0.75))
        done = mixed(job, tmp_path / "out")
        base, found = tensors(Path(models[0])), tensors(done.folder)
        one, two = (LoraAdapter.load(folder) for folder in adapters)
        name = next(iter(one.modules))
        expected = base[f"{name}.weight"].double().numpy() + 0.25 * one.delta(name) + 0.75 * two.delta(name)
        np.testing.assert_allclose(found[f"{name}.weight"].double().numpy(), expected, atol=2e-6)

    def test_their_base_must_be_named(self, adapters, tmp_path) -> None:
        with pytest.raises(ModelError, match="--base"):
            mixed(MixJob(tuple(adapters), weights=(0.5, 0.5)), tmp_path / "out")

    def test_a_full_model_is_no_adapter(self, models, adapters, tmp_path) -> None:
        with pytest.raises(InputError, match="full model"):
            mixed(MixJob((models[1], *adapters), weights=(0.4, 0.3, 0.3), adapter=True), tmp_path / "out")
