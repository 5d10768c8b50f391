"""Pages of their own: the members of one mix, and the curve of alpha; each one file that fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kshot.errors import DataError
from kshot.report.browse import script_json
from kshot.report.cocktail.facts import CocktailFacts
from kshot.report.cocktail.plots import Figure, alpha_figure, shares_only
from kshot.report.cocktail.read import mix_from
from kshot.report.cocktail.tables import MixTable
from kshot.report.cocktail.view import cocktail_figures, cocktail_view, tables_view
from kshot.report.cocktail.words import TERMS
from kshot.report.shell import environment, policy, scripts, style
from kshot.report.wording import ABSENT, Scale

_SCRIPTS = ("page.js", "plots.js")
_SHEETS = ("style.css", "knowledge.css", "mix.css")


def mix_page(data: Mapping[str, Any]) -> str:
    """A page with members, losses, weights and their intervals of one mix.

    Args:
        data: As ``cocktail.json`` or ``kshot_mix.json`` holds it; with ``alpha_sweep`` the curve follows.

    Raises:
        DataError: A field is missing or has the wrong type.

    Example::

        page = mix_page(json.loads(Path("models/mix/kshot_mix.json").read_text()))
    """
    facts = CocktailFacts(mixes=(mix_from(data),))
    tables, drawn = cocktail_view(facts)["tables"], cocktail_figures(facts)
    if sweep := data.get("alpha_sweep"):
        tables = [*tables, *tables_view([_alpha_table(sweep)])]
        drawn |= {"plot-alpha": alpha_figure(sweep)}
    return _page(f"{facts.main.system}: a mix of {len(facts.main.members)}", tables, drawn)


def alpha_page(data: Mapping[str, Any]) -> str:
    """A page with target against general score for each share of the fine-tuned model.

    Args:
        data: ``alphas``; ``target`` and ``general``, each with ``mean``, ``error`` (standard errors or
            None), ``n`` and ``name``; ``higher_is_better``, ``chosen``, ``reason``; ``selection`` where the
            figures chose alpha.

    Raises:
        DataError: A field is missing, or curves and alphas differ in length.

    Example::

        page = alpha_page(json.loads(Path("runs/elastic/elastic.json").read_text())["sweep"])
    """
    table = _alpha_table(data)
    return _page("How much of the fine-tuned model", tables_view([table]), {"plot-alpha": alpha_figure(data)})


def _alpha_table(data: Mapping[str, Any]) -> MixTable:
    alphas = _checked(data)
    scale = Scale(percent=shares_only(data))
    sides = [data["target"], data["general"]]
    names = [str(side.get("name") or what) for what, side in zip(("target", "general"), sides, strict=True)]
    header = ("alpha", *(part for name in names for part in (name, "standard error")), "recommended")
    rows = []
    for at, alpha in enumerate(alphas):
        cells = [f"{alpha:g}"]
        for side in sides:
            error = (side.get("error") or [None] * len(alphas))[at]
            cells += [scale.number(side["mean"][at]), ABSENT if error is None else scale.number(error)]
        rows.append((*cells, "recommended" if alpha == data.get("chosen") else ""))
    marked = frozenset(at for at, alpha in enumerate(alphas) if alpha == data.get("chosen"))
    title = "Target against general score by alpha" + (", in %" if scale.percent else "")
    return MixTable("alpha", title, _alpha_lead(data), header, rows, marked)


def _alpha_lead(data: Mapping[str, Any]) -> str:
    reason = str(data.get("reason") or "")
    counts = [
        f"{side['n']:,} {what} rows"
        for what, side in (("target", data["target"]), ("general", data["general"]))
        if side.get("n") is not None
    ]
    parts = [f"{reason[:1].upper()}{reason[1:]}." if reason else "", *(str(n) for n in data.get("notes", ()))]
    if counts:
        parts.append(f"Measured on {' and '.join(counts)}; error bars are one standard error.")
    if data.get("selection"):
        parts.append("Alpha was chosen by these figures: they are selection scores and prove nothing.")
    return " ".join(part for part in parts if part)


def _checked(data: Mapping[str, Any]) -> list[float]:
    for name in ("alphas", "target", "general"):
        if name not in data:
            raise DataError(f"alpha curve: field {name!r} is missing")
    alphas = [float(alpha) for alpha in data["alphas"]]
    for name in ("target", "general"):
        for part in ("mean", "error"):
            found = data[name].get(part)
            if (part == "mean" or found is not None) and (found is None or len(found) != len(alphas)):
                count = "no" if found is None else len(found)
                raise DataError(f"alpha curve: {name} has {count} {part} values for {len(alphas)} alphas")
    return alphas


def _page(title: str, tables: Sequence[Mapping[str, Any]], drawn: Mapping[str, Figure]) -> str:
    from markupsafe import Markup

    texts = scripts(_SCRIPTS)
    context = {
        "title": title, "tables": tables, "plots": drawn, "policy": policy(texts), "terms": TERMS,
        # made here, never from data: these alone go into the page unescaped
        "style": Markup(style(_SHEETS)),  # noqa: S704
        "scripts": [Markup(script) for script in texts],  # noqa: S704
        "plots_json": Markup(script_json(drawn)),  # noqa: S704
    }  # fmt: skip
    return environment(Scale()).get_template("cocktail/alone.html.j2").render(context)
