"""The page of a comparison: variants of a season's rules side by side, in one HTML file that works offline."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fairalloc.comparison import Measures
from fairalloc.model import Fair
from fairalloc.report import charts
from fairalloc.report.templates import environment, resource
from fairalloc.rules import Rules


def render_comparison(rules: Rules, fairs: Sequence[Fair], variants: Sequence[Measures]) -> str:
    """The page.

    Args:
        rules: of the season.
        fairs: of the season; those with no empty stall in any variant are left out of the table of empty stalls.
        variants: as measured, what the others are held against first.
    """
    empty = [(f.fair_id, f.name) for f in fairs if any(f.fair_id in variant.empty for variant in variants)]
    moved = [(v.name, sum(v.better.values()), sum(v.worse.values())) for v in variants[1:]]
    return (
        environment()
        .from_string(resource("compare.html"))
        .render(
            rules=rules,
            variants=variants,
            priced=[variant for variant in variants if variant.left_out],
            clauses={rule.id: rule.clause for rule in rules.rules()},
            kinds=rules.kinds,
            fairs=empty,
            chart=charts.two_ways("Applications that fare better, and worse", moved),
            css=Markup(resource("page.css")),  # noqa: S704 - our own file, not input
            js=Markup(resource("page.js")),  # noqa: S704 - our own file, not input
        )
    )
