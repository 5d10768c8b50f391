"""Mixture folders made without a model, and read back."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mixture_folders import adapters

from kshot.errors import AdapterError, ModelError
from kshot.methods.moe import MixtureSettings, build_mixture, fresh_experts, read_mixture
from kshot.models.lora import LoraAdapter, LoraDelta


def expert(name="one", *, modules=("q",), rank=2, inputs=4, outputs=3, seed=0, **options):
    random = np.random.default_rng(seed)
    return LoraAdapter(
        name,
        {
            module: LoraDelta(
                random.standard_normal((rank, inputs)).astype(np.float32),
                random.standard_normal((outputs, rank)).astype(np.float32),
                0.1 + rank,
            )
            for module in modules
        },
        **options,
    )


def same(one, other):
    return (
        one.modules.keys() == other.modules.keys()
        and all(
            np.array_equal(one.modules[m].a, other.modules[m].a)
            and np.array_equal(one.modules[m].b, other.modules[m].b)
            and one.modules[m].scaling == other.modules[m].scaling
            for m in one.modules
        )
        and (one.base, one.fan_in_fan_out) == (other.base, other.fan_in_fan_out)
    )


@given(
    targets=st.lists(st.sets(st.sampled_from("abc"), min_size=1), min_size=1, max_size=4),
    ranks=st.lists(st.integers(1, 4), min_size=4, max_size=4),
    static=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_what_is_read_is_what_was_written(tmp_path_factory, targets, ranks, static):
    experts = [
        expert(f"e{at}", modules=sorted(modules), rank=rank, seed=at, base="some/base")
        for at, (modules, rank) in enumerate(zip(targets, ranks, strict=False))
    ]
    options = MixtureSettings(gates="static" if static else "token", top_k=3, noise=0.25)
    folder = build_mixture(experts, out=tmp_path_factory.mktemp("built") / "mixture", settings=options)
    mix = read_mixture(folder)
    assert mix.names == tuple(each.name for each in experts)
    assert all(same(one, other) for one, other in zip(mix.adapters, experts, strict=True))
    assert mix.settings == options
    shape = (len(experts),) if static else (len(experts), 4)
    assert {module: router.shape for module, router in mix.routers.items()} == dict.fromkeys(
        sorted(set().union(*targets)), shape
    )


def test_building_twice_gives_equal_bytes_and_another_seed_other_routers(tmp_path):
    def content(name, seed):
        folder = build_mixture(
            [expert(), expert("two")], out=tmp_path / name, settings=MixtureSettings(seed=seed)
        )
        return [(folder / file).read_bytes() for file in ("adapter_model.safetensors", "adapter_config.json")]

    assert content("a", 0) == content("b", 0)
    assert content("a2", 0)[0] != content("c", 1)[0]
    assert content("a3", 0)[1] == content("d", 1)[1]


def test_random_routers_are_uniform_within_one_over_the_root_of_the_width(tmp_path):
    folder = build_mixture([expert(inputs=400)] * 5, out=tmp_path / "mixture")
    router = read_mixture(folder).routers["q"]
    assert np.abs(router).max() <= 1 / math.sqrt(400)
    assert np.abs(router).max() > 0.95 / math.sqrt(400)
    assert abs(router.mean()) < 0.1 / math.sqrt(400)


@pytest.mark.parametrize(("normalise", "start"), [(True, 0.0), (False, 0.25)])
def test_static_scalars_start_equal(tmp_path, normalise, start):
    options = MixtureSettings(gates="static", normalise=normalise)
    folder = build_mixture([expert()] * 4, out=tmp_path / "mixture", settings=options)
    assert read_mixture(folder).routers["q"].tolist() == [start] * 4


def test_given_routers_are_taken_others_drawn(tmp_path):
    given_router = np.arange(8.0).reshape(2, 4)
    experts = [expert(modules=("q", "v")), expert("two", modules=("q", "v"))]
    mix = read_mixture(build_mixture(experts, out=tmp_path / "mixture", routers={"q": given_router}))
    assert mix.routers["q"].tolist() == given_router.tolist()
    assert np.abs(mix.routers["v"]).max() <= 0.5
    # a given router moves no other module's draw
    plain = read_mixture(build_mixture(experts, out=tmp_path / "plain"))
    assert np.array_equal(plain.routers["v"], mix.routers["v"])


def test_equal_names_get_numbers_and_names_can_be_given(tmp_path):
    folder = build_mixture([expert("a"), expert("a"), expert("a-2")], out=tmp_path / "mixture")
    assert read_mixture(folder).names == ("a", "a-2", "a-2-2")
    folder = build_mixture([expert("a")] * 2, out=tmp_path / "named", names=["žluť", "馬 | \n🐎"])
    assert read_mixture(folder).names == ("žluť", "馬 | \n🐎")
    assert "| 馬 / 🐎 |" in (folder / "README.md").read_text(encoding="utf-8")


def test_the_compatibility_switch_stores_scalings_of_one(tmp_path):
    folder = build_mixture([expert()], out=tmp_path / "mixture", settings=MixtureSettings(scaled=False))
    assert read_mixture(folder).adapters[0].modules["q"].scaling == 1.0


def test_the_base_is_declared_where_all_agree(tmp_path):
    agreed = build_mixture([expert(base="x")] * 2, out=tmp_path / "agreed")
    apart = build_mixture([expert(base="x"), expert(base="y")], out=tmp_path / "apart")
    assert (read_mixture(agreed).base, read_mixture(apart).base) == ("x", None)


def test_nothing_outside_the_folder_is_named(tmp_path):
    folder = build_mixture([expert(), expert("two")], out=tmp_path / "mixture")
    assert str(tmp_path) not in (folder / "adapter_config.json").read_text()
    card = (folder / "README.md").read_text()
    assert "import kshot.peft" in card
    assert "pip install kshot" in card
    assert str(tmp_path) not in card


def test_fresh_experts_have_the_shape_and_no_effect(tmp_path):
    like = adapters(tmp_path, count=1)[0]
    fresh = fresh_experts(like, 3, seed=1)
    assert [each.norm() for each in fresh] == [0.0, 0.0, 0.0]
    assert all(each.modules.keys() == like.modules.keys() for each in fresh)
    values = np.concatenate([d.a.ravel() for each in fresh for d in each.modules.values()])
    assert values.std() == pytest.approx(0.01, rel=0.1)
    assert not np.array_equal(
        fresh[0].modules[next(iter(like.modules))].a, fresh[1].modules[next(iter(like.modules))].a
    )
    again = fresh_experts(like, 3, seed=1)
    assert all(same(one, other) for one, other in zip(fresh, again, strict=True))


class TestRefused:
    @pytest.mark.parametrize(
        ("experts", "options", "message"),
        [
            ([], {}, "no adapter was given"),
            ([expert(), expert("two", inputs=5)], {}, r"q: shapes \(3, 4\) and \(3, 5\) differ"),
            ([expert()], {"names": ["a", "b"]}, "1 adapters and 2 names"),
            (
                [expert()],
                {"routers": {"v": np.zeros((1, 4))}},
                "v: a router was given, but no expert adapts it",
            ),
            (
                [expert()],
                {"routers": {"q": np.zeros((2, 4))}},
                r"q: the router is \(2, 4\), expected \(1, 4\)",
            ),
            ([expert()], {"routers": {"q": np.full((1, 4), np.nan)}}, "q: the router holds NaN"),
            ([LoraAdapter("empty", {})], {}, "adapt no module"),
        ],
    )
    def test_input(self, tmp_path, experts, options, message):
        with pytest.raises(AdapterError, match=message):
            build_mixture(experts, out=tmp_path / "mixture", **options)
        assert list(tmp_path.iterdir()) == []

    def test_damaged_experts(self, tmp_path):
        broken = expert("bad")
        broken.modules["q"].a[0, 0] = np.inf
        with pytest.raises(AdapterError, match=r"bad: tensor .*q.lora_A.weight holds NaN or infinity"):
            build_mixture([broken], out=tmp_path / "mixture")

    def test_a_folder_in_use(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(ModelError, match="not empty"):
            build_mixture([expert()], out=tmp_path)
        assert (tmp_path / "file").read_text() == "mine"

    def test_no_fresh_experts(self):
        with pytest.raises(AdapterError, match="0 fresh experts"):
            fresh_experts(expert(), 0)


def changed(folder, **fields):
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text()) | fields
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not ...}))


Q = {"in": 4, "out": 3, "ranks": [2, 2], "scalings": [1.0, 1.0]}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"peft_type": "LORA"}, "its peft_type is 'LORA', expected KSHOT_MOE"),
        ({"experts": ...}, "field 'experts' is None"),
        ({"experts": "ab"}, "field 'experts' is 'ab'"),
        ({"experts": ["a"]}, "2 ranks and 2 scalings, expected one for each of 1"),
        ({"modules": {}}, "field 'modules' is {}"),
        ({"modules": {"q": 3}}, "q: the configuration holds 3"),
        ({"modules": {"q": Q | {"ranks": [2, -1]}}}, "expected whole numbers"),
        ({"modules": {"q": Q | {"ranks": [0, 0]}}}, "at least one rank above 0"),
        ({"modules": {"q": Q | {"ranks": [2.5, 2]}}}, "expected whole numbers"),
        ({"modules": {"q": Q | {"scalings": ["x", 1]}}}, "q: the configuration holds"),
        ({"modules": {"q": Q | {"scalings": [float("nan"), 1]}}}, "scalings are"),
        ({"modules": {"q": Q | {"ranks": [3, 2]}}}, r"kshot_moe_A_0 is \(2, 4\), expected \(3, 4\)"),
        ({"modules": {"q": Q | {"ranks": [0, 2]}}}, "tensor base_model.model.q.kshot_moe_A_0 is unknown"),
        ({"modules": {"q": Q, "v": Q}}, "tensor base_model.model.v.kshot_moe_A_0 is missing"),
        ({"gates": "soft"}, "gates is 'soft'"),
        ({"top_k": "2"}, "top_k is '2'"),
        ({"dropout": "much"}, "dropout is 'much'"),
    ],
)
def test_damaged_folders_are_refused_with_the_reason(tmp_path, fields, message):
    folder = build_mixture([expert(), expert("two")], out=tmp_path / "mixture")
    changed(folder, **fields)
    with pytest.raises(ModelError, match=message):
        read_mixture(folder)


def test_missing_folders_and_files(tmp_path):
    with pytest.raises(AdapterError, match="no such folder"):
        read_mixture(tmp_path / "none")
    folder = build_mixture([expert()], out=tmp_path / "mixture")
    (folder / "adapter_model.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(AdapterError, match=r"mixture: .*damaged"):
        read_mixture(folder)
