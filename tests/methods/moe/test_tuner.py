"""A mixture's life inside PEFT: loaded, run, trained, switched, saved; D3 and the properties of a model."""

import re
import shutil

import numpy as np
import pytest
import tiny
import torch
from mixture_folders import adapters, ids, mixture
from peft import AutoPeftModelForCausalLM, LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file

import kshot.peft
from kshot.errors import AdapterError, ModelError
from kshot.methods.moe import MixtureSettings, build_mixture, fresh_experts, read_mixture
from kshot.models.hf.adapted import AdaptedModel
from kshot.models.hf.loading import quiet
from kshot.models.lora import LoraAdapter
from kshot.peft import KshotMoeConfig, mixture_layers


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("mixtures")


@pytest.fixture(scope="module")
def folder(place):
    return mixture(place)


def loaded(folder, kind="llama", **options):
    with quiet():
        return PeftModel.from_pretrained(tiny.model(kind), folder, **options)


def learning(folder):
    """Ready to train, on a base that drops nothing out itself."""
    with quiet():
        return PeftModel.from_pretrained(tiny.model(attention_dropout=0.0), folder, is_trainable=True)


CHECKPOINTING = pytest.mark.filterwarnings("ignore:`gradient_checkpointing_enable` is deprecated")


def trained(made):
    """Names of the parameters that learn, without the adapter's."""
    return sorted({re.sub(r"\.default$", "", n) for n, p in made.named_parameters() if p.requires_grad})


@torch.no_grad()
def by_hand(folder, kind, tokens):
    """Logits of a base whose linear modules add the mixture by the equation, token by token."""
    made, mix = tiny.model(kind), read_mixture(folder)
    for module, router in mix.routers.items():
        experts = [(e, a.modules[module]) for e, a in enumerate(mix.adapters) if module in a.modules]

        def add(_module, inputs, out, experts=experts, router=router):
            flat, part = inputs[0].reshape(-1, inputs[0].shape[-1]).numpy(), []
            for token in flat.astype(np.float64):
                logits = {e: float(router[e] @ token) for e, _ in experts}
                chosen = sorted(logits, key=lambda e: (-logits[e], e))[: mix.settings.top_k]
                shares = np.exp([logits[e] - max(logits.values()) for e in chosen])
                shares = dict(zip(chosen, shares / shares.sum(), strict=True))
                part.append(sum(shares[e] * (d.dense() @ token) for e, d in experts if e in shares))
            return out + torch.tensor(np.array(part), dtype=out.dtype).reshape(out.shape)

        made.get_submodule(module).register_forward_hook(add)
    return made(tokens).logits


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
def test_logits_equal_the_equation_by_hand(place, kind):
    """D3, on five architectures with mixed ranks and targets."""
    made = loaded(mixture(place, kind, name=f"by-hand-{kind}"), kind)
    assert torch.allclose(
        made(ids()).logits, by_hand(place / f"by-hand-{kind}", kind, ids()), atol=1e-5, rtol=1e-5
    )


def test_d3(tmp_path):
    """4 routers, 36 trainable tensors, factors bit-equal to the adapters'."""
    base = {"vocabulary": 64, "intermediate_size": 64}
    experts = []
    for at in range(4):
        with quiet():
            made = get_peft_model(
                tiny.model(**base), LoraConfig(r=4, lora_alpha=4, target_modules=["q_proj", "v_proj"])
            )
        for name, value in made.named_parameters():
            if "lora_" in name:
                value.data = torch.randn(value.shape)
        made.save_pretrained(tmp_path / str(at))
        experts.append(LoraAdapter.load(tmp_path / str(at)))
    folder = build_mixture(experts, out=tmp_path / "mixture")
    with quiet():
        made = PeftModel.from_pretrained(tiny.model(**base), folder, is_trainable=True).eval()
    names = trained(made)
    assert len(names) == 36
    assert sum(name.endswith("kshot_moe_router") for name in names) == 4
    layer = mixture_layers(made)["model.layers.1.self_attn.v_proj"]
    stored = load_file(tmp_path / "2" / "adapter_model.safetensors")
    key = "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight"
    assert torch.equal(layer.weights().b[2], stored[key])


@pytest.mark.parametrize("kind", tiny.ARCHITECTURES)
def test_one_expert_is_pefts_lora(place, kind):
    """Within 1e-6, any router."""
    expert = adapters(place, kind, count=1)[0]
    folder = build_mixture([expert], out=place / f"one-{kind}", settings=MixtureSettings(top_k=1))
    plain = loaded(place / f"{kind}-0", kind)(ids()).logits
    assert (loaded(folder, kind)(ids()).logits - plain).abs().max() <= 1e-6


def test_equal_experts_make_the_router_idle_and_b_zero_is_the_base(place):
    expert = adapters(place, count=1)[0]
    plain = loaded(place / "llama-0")(ids()).logits
    for seed in range(2):
        copies = build_mixture(
            [expert] * 3, out=place / f"copies-{seed}", settings=MixtureSettings(seed=seed)
        )
        assert (loaded(copies)(ids()).logits - plain).abs().max() <= 2e-5
    fresh = build_mixture(fresh_experts(expert, 3), out=place / "fresh")
    assert torch.equal(loaded(fresh)(ids()).logits, tiny.model()(ids()).logits)


class TestLife:
    def test_save_and_reload_in_another_place(self, folder, tmp_path):
        made = loaded(folder)
        made.save_pretrained(tmp_path / "first")
        shutil.move(tmp_path / "first", tmp_path / "moved")
        assert sorted(f.name for f in (tmp_path / "moved").iterdir()) == [
            "README.md", "adapter_config.json", "adapter_model.safetensors"
        ]  # fmt: skip
        assert torch.equal(loaded(tmp_path / "moved")(ids()).logits, made(ids()).logits)
        one, other = (load_file(f / "adapter_model.safetensors") for f in (folder, tmp_path / "moved"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
        again, before = read_mixture(tmp_path / "moved"), read_mixture(folder)
        assert (again.names, again.settings) == (before.names, before.settings)

    def test_auto_class_and_generate(self, place, tmp_path):
        base = tiny.save(tmp_path / "base")
        experts = [LoraAdapter(a.name, a.modules, str(base)) for a in adapters(place)]
        folder = build_mixture(experts, out=tmp_path / "mixture")
        with quiet():
            made = AutoPeftModelForCausalLM.from_pretrained(folder).eval()
        with_cache = made.generate(input_ids=ids()[:1], max_new_tokens=8, do_sample=False)
        without = made.generate(input_ids=ids()[:1], max_new_tokens=8, do_sample=False, use_cache=False)
        assert torch.equal(with_cache, without)
        assert with_cache.shape[1] == 17

    def test_disabled_is_the_base_and_unloaded_is_too(self, folder):
        made, base = loaded(folder), tiny.model()(ids()).logits
        with made.disable_adapter():
            assert torch.equal(made(ids()).logits, base)
        assert not torch.allclose(made(ids()).logits, base, atol=0.1)
        assert torch.equal(made.unload()(ids()).logits, base)

    def test_two_mixtures_on_one_model(self, folder, place):
        other = mixture(place, count=2, name="other", top_k=1)
        made = loaded(folder)
        first = made(ids()).logits
        with quiet():
            made.load_adapter(other, "other")
        assert torch.equal(made(ids()).logits, first)
        made.set_adapter("other")
        assert torch.equal(made(ids()).logits, loaded(other)(ids()).logits)
        made.set_adapter("default")
        made.delete_adapter("other")
        assert torch.equal(made(ids()).logits, first)
        assert not [name for name, _ in made.named_parameters() if "other" in name]

    def test_padding_and_batch_change_nothing(self, folder):
        made, row = loaded(folder), ids()[:1]
        alone = made(row).logits[0]
        pad = torch.full((1, 4), 7)
        for tokens, mask in (
            (torch.cat([pad, row], 1), torch.tensor([[0] * 4 + [1] * 9])),
            (torch.cat([row, pad], 1), torch.tensor([[1] * 9 + [0] * 4])),
        ):
            positions = (mask.cumsum(-1) - 1).clamp(min=0)
            logits = made(tokens, attention_mask=mask, position_ids=positions).logits[0]
            assert (logits[mask[0].bool()] - alone).abs().max() <= 1e-4
        assert (made(ids()).logits[0] - alone).abs().max() <= 1e-5

    def test_kshots_own_loader(self, folder):
        base = tiny.loaded()
        model = AdaptedModel(base, folder, base_id="tiny")
        before = base.model(ids()).logits
        replies = model.generate(tiny.conversations(), max_new_tokens=4)
        losses = model.token_losses(tiny.conversations(), tiny.targets())
        scores = model.choice_scores(tiny.conversations()[:1], [["Paris", "Lima"]])
        assert len(replies) == len(losses) == len(tiny.ROWS)
        assert np.isfinite(scores[0].log_likelihood).all()
        assert torch.equal(base.model(ids()).logits, before)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    def test_a_16_bit_base_keeps_its_dtype_and_the_adapters_theirs(self, folder, dtype):
        with quiet():
            made = PeftModel.from_pretrained(tiny.model().to(dtype), folder)
        layer = next(iter(mixture_layers(made).values()))
        assert {t.dtype for t in (layer.weights().router, *layer.weights().a)} == {torch.float32}
        assert made(ids()).logits.dtype == dtype
        with quiet():
            made = PeftModel.from_pretrained(tiny.model().to(dtype), folder, autocast_adapter_dtype=False)
        assert next(iter(mixture_layers(made).values())).weights().router.dtype == dtype
        assert made(ids()).logits.isfinite().all()

    def test_low_memory_loading(self, folder):
        made = loaded(folder, low_cpu_mem_usage=True)
        assert torch.equal(made(ids()).logits, loaded(folder)(ids()).logits)

    def test_a_lora_beside_it_in_the_same_process(self, folder, place):
        assert torch.isfinite(loaded(place / "llama-0")(ids()).logits).all()
        assert torch.isfinite(loaded(folder)(ids()).logits).all()


class TestRefused:
    def test_another_base(self, folder):
        with pytest.raises(AdapterError, match="use the base model that"):
            loaded(folder, "gpt2")
        with (
            quiet(),
            pytest.raises(AdapterError, match="maps 16 to 16, but the mixture was made for 32 to 32"),
        ):
            PeftModel.from_pretrained(tiny.model(hidden_size=16), folder)

    def test_by_kshots_own_loader(self, folder, tmp_path):
        with pytest.raises(
            AdapterError, match=r"mixture: does not fit this base model .*use the base model|module"
        ):
            AdaptedModel(tiny.loaded("gpt2"), folder, base_id="tiny")
        from safetensors.torch import save_file

        shutil.copytree(folder, tmp_path / "broken")
        state = load_file(folder / "adapter_model.safetensors")
        key = next(name for name in state if "router" in name)
        save_file(
            {k: v for k, v in state.items() if k != key}, tmp_path / "broken" / "adapter_model.safetensors"
        )
        with pytest.raises(AdapterError, match=rf"broken: tensor {key} is missing"):
            AdaptedModel(tiny.loaded(), tmp_path / "broken", base_id="tiny")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"experts": []}, "experts of a mixture are"),
            ({"experts": [1]}, "experts of a mixture are"),
            ({"experts": ["a"]}, "a mixture without modules"),
            (
                {"experts": ["a"], "target_modules": ["embed_tokens"]},
                "is a Embedding, expected a linear layer",
            ),
            ({"experts": ["a"], "target_modules": ["q_proj"], "r": 0}, "r is 0"),
        ],
    )
    def test_fresh_configurations(self, options, message):
        with quiet(), pytest.raises(AdapterError, match=message):
            get_peft_model(tiny.model(), KshotMoeConfig(**options))


class TestMerge:
    @pytest.mark.parametrize("kind", ["llama", "gpt2"])
    def test_static_gates_merge_and_come_off_again(self, place, kind):
        folder = mixture(place, kind, name=f"static-{kind}", train="static")
        made = loaded(folder, kind)
        routed = made(ids()).logits
        made.merge_adapter(safe_merge=True)
        assert torch.allclose(made(ids()).logits, routed, atol=1e-4)
        with made.disable_adapter():
            assert torch.allclose(made(ids()).logits, tiny.model(kind)(ids()).logits, atol=1e-4)
        assert torch.allclose(made(ids()).logits, routed, atol=1e-4)
        assert torch.allclose(made.merge_and_unload()(ids()).logits, routed, atol=1e-4)

    def test_a_routed_mixture_does_not(self, folder):
        with pytest.raises(ModelError, match="export it with mean gates"):
            loaded(folder).merge_and_unload()

    def test_a_lone_routed_expert_does(self, place):
        made = loaded(mixture(place, count=1, name="lone"))
        routed = made(ids()).logits
        assert torch.allclose(made.merge_and_unload()(ids()).logits, routed, atol=1e-4)

    def test_what_would_break_the_weights_is_refused(self, place):
        made = loaded(mixture(place, name="static-nan", train="static"))
        next(iter(mixture_layers(made).values())).weights().a[0].data.fill_(torch.nan)
        with pytest.raises(ModelError, match="NaN or infinity"):
            made.merge_adapter(safe_merge=True)


class TestTraining:
    @pytest.mark.parametrize(
        ("settings", "kinds"),
        [
            ({"train": "joint"}, {"A", "B", "router"}),
            ({"train": "router"}, {"router"}),
            ({"train": "static"}, {"router"}),
            ({"train": "joint", "gates": "static"}, {"A", "B", "router"}),
        ],
    )
    def test_what_trains_stands_in_the_folder(self, place, settings, kinds):
        """Property 10.4: whatever is switched on and off, the base and the frozen part get no gradient."""
        folder = mixture(place, name="-".join(["train", *settings.values()]), **settings)
        made = loaded(folder, is_trainable=True)
        made.base_model.disable_adapter_layers()
        made.base_model.enable_adapter_layers()
        made.set_adapter("default")
        made.set_requires_grad("default")
        found = {re.search(r"kshot_moe_(router|A|B)", name).group(1) for name in trained(made)}
        assert found == kinds
        made.train()(ids(), labels=ids()).loss.backward()
        assert all("kshot_moe_" in name for name, p in made.named_parameters() if p.grad is not None)
        assert all(p.grad is not None for p in made.parameters() if p.requires_grad)
        assert trained(loaded(folder)) == []

    def test_fresh_through_get_peft_model(self, tmp_path):
        """The way of TRL and other trainers: a configuration instead of a folder."""
        config = KshotMoeConfig(
            experts=["a", "b"],
            target_modules="all-linear",
            r=2,
            alpha=4,
            task_type="CAUSAL_LM",
            train="router",
        )
        with quiet():
            made = get_peft_model(tiny.model(), config)
        assert torch.equal(made.eval()(ids()).logits, tiny.model()(ids()).logits)
        made.save_pretrained(tmp_path)
        mix = read_mixture(tmp_path)
        assert len(mix.routers) == 14
        assert mix.adapters[0].modules["model.layers.0.mlp.up_proj"].scaling == 2
        assert mix.settings.train == "router"
        loaded(tmp_path)

    def test_fresh_on_conv1d(self, tmp_path):
        config = KshotMoeConfig(experts=["a", "b"], target_modules=["c_attn"], r=2, task_type="CAUSAL_LM")
        with quiet():
            get_peft_model(tiny.model("gpt2"), config).save_pretrained(tmp_path)
        assert all(a.fan_in_fan_out for a in read_mixture(tmp_path).adapters)

    @pytest.mark.parametrize("kind", ["switch", "mole"])
    def test_the_balance_loss_is_added_in_training_alone(self, place, kind):
        folder = mixture(place, name=f"balance-{kind}", balance=0.1, balance_kind=kind, dropout=0.0)
        made = learning(folder)
        plain = made.eval()(ids(), labels=ids()).loss
        balanced = made.train()(ids(), labels=ids()).loss
        assert balanced > plain + 0.09
        as_tuple = made(ids(), labels=ids(), return_dict=False)[0]
        assert torch.equal(as_tuple, balanced)
        assert torch.equal(made(ids()).logits, made.eval()(ids()).logits)
        assert made.train()(ids()).loss is None

    def test_the_balance_loss_by_hand(self, place):
        made = learning(mixture(place, name="balance-hand", balance=0.5, dropout=0.0))
        seen = {}
        for name, layer in mixture_layers(made).items():
            layer.register_forward_pre_hook(lambda _, inputs, name=name: seen.update({name: inputs[0]}))
        plain = made.eval()(ids(), labels=ids()).loss
        terms = []
        for name, layer in mixture_layers(made).items():
            present = list(layer.mixers["default"].present)
            if len(present) > 1:
                logits = (seen[name] @ layer.weights().router.T)[..., present].reshape(-1, len(present))
                share = (layer.gates(seen[name])[..., present].reshape(-1, len(present)) > 0).float().mean(0)
                terms.append(len(present) * (share / share.sum() * logits.softmax(-1).mean(0)).sum())
        expected = plain + 0.5 * torch.stack(terms).mean()
        assert torch.allclose(made.train()(ids(), labels=ids()).loss, expected, atol=1e-5)

    def test_padding_does_not_count_in_the_balance(self, place):
        made = learning(mixture(place, name="balance-pad", balance=1.0, dropout=0.0)).train()
        labels, mask = ids().clone(), torch.ones_like(ids())
        alone = made(ids(), labels=labels, attention_mask=mask).loss
        pad = torch.zeros(2, 5, dtype=torch.long)
        padded = made(
            torch.cat([ids(), pad], 1),
            labels=torch.cat([labels, pad - 100], 1),
            attention_mask=torch.cat([mask, pad], 1),
        ).loss
        assert torch.allclose(padded, alone, atol=1e-5)

    def test_accumulated_batches_share_one_balance(self, place):
        """A trainer that divides by all tokens of a step adds the loss of each batch whole."""
        made = learning(mixture(place, name="balance-items", balance=1.0, dropout=0.0)).train()
        whole = made(ids(), labels=ids()).loss - made.eval()(ids(), labels=ids()).loss
        made.train()
        half = made(ids(), labels=ids(), num_items_in_batch=36).loss
        made.eval()
        half = half - made(ids(), labels=ids(), num_items_in_batch=36).loss
        assert torch.allclose(half, whole / 2, atol=1e-5)

    @CHECKPOINTING
    @pytest.mark.parametrize("balance", [0.0, 0.1])
    def test_gradient_checkpointing_gives_the_same_gradients(self, place, balance):
        folder = mixture(place, name=f"checkpoint-{balance}", balance=balance, noise=0.3)
        found = []
        for checkpointing in (False, True):
            made = learning(folder).train()
            if checkpointing:
                made.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
                made.enable_input_require_grads()
            torch.manual_seed(0)
            made(ids(), labels=ids(), attention_mask=torch.ones_like(ids())).loss.backward()
            found.append({n: p.grad for n, p in made.named_parameters() if p.grad is not None})
        assert found[0].keys() == found[1].keys()
        assert all(torch.allclose(found[0][n], found[1][n], atol=1e-5) for n in found[0])

    @CHECKPOINTING
    def test_reentrant_checkpointing_would_lose_the_balance(self, place):
        made = learning(mixture(place, name="reentrant", balance=0.1)).train()
        made.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": True})
        made.enable_input_require_grads()
        with pytest.raises(ModelError, match="use_reentrant"):
            made(ids(), labels=ids())

    def test_a_forward_around_the_tuner_would_lose_it_too(self, place):
        folder = mixture(place, name="around", balance=0.1)
        with quiet():
            made = PeftModel(tiny.model(), kshot.peft.KshotMoeConfig.from_pretrained(folder)).train()
        made.set_requires_grad("default")
        with pytest.raises(ModelError, match="PeftModelForCausalLM"):
            made(ids(), labels=ids())

    def test_trl(self, folder, tmp_path):
        trl = pytest.importorskip("trl")
        from datasets import Dataset

        trainer = trl.SFTTrainer(
            model=learning(folder),
            args=trl.SFTConfig(output_dir=str(tmp_path), max_steps=1, use_cpu=True, report_to="none"),
            train_dataset=Dataset.from_dict({"text": ["one", "two"]}),
            processing_class=tiny.tokenizer(),
        )
        trainer.train()
        trainer.save_model(str(tmp_path / "out"))
        read_mixture(tmp_path / "out")
