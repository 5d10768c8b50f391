"""A mixture as a plain LoRA: exact where it can be, labelled where it cannot."""

import numpy as np
import pytest
import tiny
import torch
from mixture_folders import ids, mixture
from peft import PeftModel

import kshot.peft  # noqa: F401 - registers the type
from kshot.errors import AdapterError, DataError, ModelError
from kshot.methods.moe import export_lora, read_mixture
from kshot.methods.moe.parity import bake, compare, parity
from kshot.models.hf.loading import quiet
from kshot.models.hf.model import HfModel
from kshot.models.lora import LoraAdapter, LoraDelta


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("exports")


def logits(folder, kind="llama"):
    with quiet():
        return PeftModel.from_pretrained(tiny.model(kind), folder)(ids()).logits


def model(kind="llama"):
    made = tiny.loaded(kind)
    return HfModel(made, tiny.tokenizer(chat=tiny.CHATML), id=kind)


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
@pytest.mark.parametrize("normalise", [True, False])
def test_static_gates_export_exactly(place, tmp_path, kind, normalise):
    """Property 10.5: on the fly, exported and baked agree."""
    name = f"static-{kind}-{normalise}"
    folder = mixture(place, kind, name=name, gates="static", normalise=normalise)
    told = export_lora(folder, tmp_path / "plain")
    assert (told.exact, told.kept_energy) == (True, 1.0)
    expected = logits(folder, kind)
    assert torch.allclose(logits(told.folder, kind), expected, rtol=1e-5, atol=2e-5)
    baked = bake(model(kind), folder, tmp_path / "baked")
    again = HfModel.load(baked, dtype="float32")
    assert torch.allclose(again.model(ids()).logits, expected, rtol=1e-5, atol=2e-5)


def test_one_hot_scalars_give_that_adapter_alone(place, tmp_path):
    folder = mixture(place, name="one-hot", gates="static", normalise=False)
    mix = read_mixture(folder)
    for module in mix.routers:
        mix.routers[module][:] = [0.0, 1.0, 0.0]
    from kshot.methods.moe import build_mixture

    build_mixture(mix.adapters, out=tmp_path / "hot", settings=mix.settings, routers=mix.routers)
    export_lora(tmp_path / "hot", tmp_path / "plain")
    plain = LoraAdapter.load(tmp_path / "plain")
    alone = LoraAdapter.load(place / "llama-1")
    assert plain.cosine(alone) == pytest.approx(1.0, abs=1e-12)
    assert plain.norm() == pytest.approx(alone.norm(), rel=1e-6)


def test_a_routed_mixture_needs_mean_gates_and_is_approximate(place, tmp_path):
    folder = mixture(place, name="routed")
    with pytest.raises(AdapterError, match="depend on the token"):
        export_lora(folder, tmp_path / "plain")
    mix = read_mixture(folder)
    gates = {module: np.full(3, 1 / 3) for module in mix.routers}
    told = export_lora(folder, tmp_path / "plain", gates=gates)
    assert not told.exact
    assert "approximate" in (told.folder / "README.md").read_text()
    plain = LoraAdapter.load(told.folder)
    for module in mix.routers:
        expected = sum(a.delta(module) / 3 for a in mix.adapters if module in a.modules)
        assert np.allclose(plain.delta(module), expected, atol=1e-6)


def test_a_lone_expert_is_exact_whatever_its_router_says(place, tmp_path):
    folder = mixture(place, count=1, name="lone")
    assert export_lora(folder, tmp_path / "plain").exact
    assert torch.allclose(logits(tmp_path / "plain"), logits(folder), atol=1e-5)


class TestRank:
    def test_the_kept_energy_is_of_all_modules(self, place, tmp_path):
        folder = mixture(place, name="cut", gates="static")
        told = export_lora(folder, tmp_path / "cut", rank=2)
        whole = export_lora(folder, tmp_path / "whole", rank=99)
        assert (whole.exact, whole.kept_energy) == (True, 1.0)
        assert not told.exact
        big, small = LoraAdapter.load(tmp_path / "whole"), LoraAdapter.load(tmp_path / "cut")
        assert {small.rank(module) for module in small.modules} == {2}
        assert told.kept_energy == pytest.approx((small.norm() / big.norm()) ** 2, rel=1e-6)
        assert f"{told.kept_energy:.1%} of the squared norm" in (tmp_path / "cut" / "README.md").read_text()

    def test_a_cut_that_loses_nothing_is_exact(self, tmp_path):
        from kshot.methods.moe import MixtureSettings, build_mixture

        one = LoraAdapter("one", {"q": LoraDelta(np.ones((3, 4)), np.ones((5, 3)), 1.0)})
        build_mixture([one, one], out=tmp_path / "m", settings=MixtureSettings(train="static"))
        told = export_lora(tmp_path / "m", tmp_path / "plain", rank=1)
        assert told.exact
        assert told.kept_energy == pytest.approx(1.0, abs=1e-12)
        assert LoraAdapter.load(told.folder).rank("q") == 1

    def test_experts_without_effect(self, tmp_path):
        from kshot.methods.moe import MixtureSettings, build_mixture, fresh_experts

        like = LoraAdapter("like", {"q": LoraDelta(np.ones((3, 4)), np.ones((5, 3)), 1.0)})
        build_mixture(fresh_experts(like, 2), out=tmp_path / "m", settings=MixtureSettings(train="static"))
        assert export_lora(tmp_path / "m", tmp_path / "plain", rank=1).kept_energy == 1.0


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("static-r", {"rank": 0}, "rank is 0"),
        ("static-r", {"rank": True}, "rank is True"),
        ("static-r", {"gates": {}}, "do not depend on the token"),
        ("routed-r", {"gates": {}}, "q_proj: mean gates are nan, expected 3 numbers"),
        ("routed-r", {"gates": {"x": [1, 1, 1]}}, "expected 3 numbers"),
    ],
)
def test_refused(place, tmp_path, name, options, message):
    folder = place / name
    if not folder.exists():
        mixture(place, name=name, gates="static" if "static" in name else "token")
    with pytest.raises(AdapterError, match=message):
        export_lora(folder, tmp_path / "plain", **options)
    assert list(tmp_path.iterdir()) == []


class TestParity:
    def test_an_exact_export(self, place, tmp_path):
        folder = mixture(place, name="parity", gates="static")
        export_lora(folder, tmp_path / "plain")
        told = parity(model(), folder, tmp_path / "plain", tiny.conversations(), max_new_tokens=6)
        assert told.rows == len(tiny.ROWS)
        assert told.tokens > told.rows
        assert told.largest <= 1e-4
        assert told.mean <= told.largest
        assert told.equal_share == 1.0

    def test_an_export_that_is_far_off_is_seen(self, place, tmp_path):
        folder = mixture(place, name="parity-routed")
        gates = {module: [5.0, 0.0, -5.0] for module in read_mixture(folder).routers}
        export_lora(folder, tmp_path / "plain", gates=gates)
        told = parity(model(), folder, tmp_path / "plain", tiny.conversations(), max_new_tokens=6)
        assert told.largest > 0.5
        assert told.equal_share < 1.0

    def test_a_model_against_itself(self):
        told = compare(model(), model(), tiny.conversations()[:2], max_new_tokens=3)
        assert (told.largest, told.mean, told.equal_share) == (0.0, 0.0, 1.0)

    def test_no_conversation(self):
        with pytest.raises(DataError, match="no conversation"):
            compare(model(), model(), [])


class TestBake:
    def test_the_base_stays_as_it_is(self, place, tmp_path):
        folder, base = mixture(place, name="bake", gates="static"), model()
        before = base.model(ids()).logits
        bake(base, folder, tmp_path / "baked")
        assert torch.equal(base.model(ids()).logits, before)

    @pytest.mark.filterwarnings("ignore:Model has `tie_word_embeddings=True`")
    def test_a_shared_weight_is_refused(self, tmp_path):
        from kshot.methods.moe import MixtureSettings, build_mixture

        head = LoraAdapter("head", {"lm_head": LoraDelta(np.ones((1, 32)), np.ones((400, 1)), 1.0)})
        build_mixture([head], out=tmp_path / "m", settings=MixtureSettings(train="static"))
        with pytest.raises(ModelError, match="shares its weight"):
            bake(model("llama-tied"), tmp_path / "m", tmp_path / "baked")

    def test_another_base_is_refused(self, place, tmp_path):
        folder = mixture(place, name="bake-other", gates="static")
        with pytest.raises(AdapterError, match="does not fit"):
            bake(model("gpt2"), folder, tmp_path / "baked")
