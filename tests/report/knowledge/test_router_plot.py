"""The heat map holds every share in its cell, whatever modules are called."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kshot.report.knowledge import RouterFacts
from kshot.report.knowledge.router_plot import Grid, figure_width, grid, router_figure


def router(modules, experts=2, **more):
    load = tuple(
        tuple((place + 1 + expert) / 100 for expert in range(experts)) for place in range(len(modules))
    )
    return RouterFacts(
        modules=tuple(modules), experts=tuple(f"e{place}" for place in range(experts)), load=load, **more
    )


def shown(facts):
    """Share by module and expert, read back from the figure's cells."""
    place = grid(facts.modules, expert_count=len(facts.experts))
    shares = router_figure(facts)["data"][0]["z"]
    width = len(facts.experts) + 1
    return [
        [shares[row][group * width + expert] for expert in range(len(facts.experts))]
        for row, group in place.cells
    ]


@pytest.mark.parametrize(
    ("modules", "groups", "rows"),
    [
        (["m.layers.0.self_attn.q_proj", "m.layers.0.self_attn.v_proj", "m.layers.1.self_attn.q_proj"],
         ("q_proj", "v_proj"), ("0", "1")),
        (["transformer.h.0.attn.c_attn", "transformer.h.11.attn.c_attn"], ("c_attn",), ("0", "11")),
        (["h.0.attn.proj", "h.0.mlp.proj"], ("attn.proj", "mlp.proj"), ("0",)),
        (["encoder.0.q", "decoder.0.q"], ("encoder.q", "decoder.q"), ("0",)),
        (["h.0.q", "lm_head"], ("",), ("h.0.q", "lm_head")),
        (["h.0.q", "h.00.q"], ("",), ("h.0.q", "h.00.q")),
        ([], (), ()),
    ],
)  # fmt: skip
def test_layers_go_down_and_kinds_of_module_across(modules, groups, rows):
    place = grid(modules, expert_count=2)
    assert (place.groups, place.rows) == (groups, rows)
    assert len(set(place.cells)) == len(modules)


@given(st.lists(st.text("ab.01", min_size=1, max_size=8), unique=True, max_size=8), st.integers(1, 40))
def test_no_two_modules_share_a_cell_and_every_share_is_shown(modules, experts):
    facts = router(modules, experts)
    assert len(set(grid(facts.modules, expert_count=experts).cells)) == len(modules)
    if modules:
        assert shown(facts) == [list(row) for row in facts.load]


def test_sixty_four_modules_fit(knowledge):
    facts = knowledge.router
    assert len(facts.modules) == 64
    assert shown(facts) == [list(row) for row in facts.load]
    layout = router_figure(facts)["layout"]
    assert layout["xaxis"]["ticktext"] == ["A", "B", "C", "D"] * 2
    assert layout["yaxis"]["ticktext"] == [str(layer) for layer in range(32)]
    assert [head["text"] for head in layout["annotations"]] == ["q_proj", "v_proj"]
    assert figure_width(facts) < 700


def test_too_many_columns_become_rows():
    modules = [f"layers.{layer}.part{kind}" for layer in range(3) for kind in range(7)]
    assert len(grid(modules, expert_count=8).groups) == 7
    assert grid(modules, expert_count=32) == Grid(tuple(modules), ("",), tuple((n, 0) for n in range(21)))


def test_an_expert_that_a_module_lacks_is_a_gap():
    facts = RouterFacts(
        modules=("h.0.q",), experts=("a", "b"), load=((1.0, math.nan),), chosen=((1.0, math.nan),)
    )
    trace = router_figure(facts)["data"][0]
    assert trace["z"] == [[1.0, None]]
    assert trace["hovertext"][0][1].endswith("has no weights there")
    assert "100.0 % of the gate weight" in trace["hovertext"][0][0]
    assert "among the chosen for 100.0 % of the tokens" in trace["hovertext"][0][0]
    nothing = RouterFacts(modules=("q",), experts=("a",), load=((math.nan,),))
    assert router_figure(nothing) == {}
    assert router_figure(RouterFacts(modules=(), experts=(), load=())) == {}


def test_few_cells_carry_their_figures():
    assert router_figure(router(["h.0.q", "h.1.q"]))["data"][0]["text"] == [["1", "2"], ["2", "3"]]
    assert "text" not in router_figure(router([f"h.{layer}.q" for layer in range(60)]))["data"][0]


def test_long_and_hostile_names_are_cut_and_escaped():
    facts = router(["x" * 300 + "<b>tail</b>"])
    layout = router_figure(facts)["layout"]
    assert layout["yaxis"]["ticktext"][0].startswith("…xxx")
    assert layout["yaxis"]["ticktext"][0].endswith("&lt;b&gt;tail&lt;/b&gt;")
    assert figure_width(facts) < 600
