"""The page of a what-if: scenarios with their spreads side by side, in one HTML file that works offline."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from fairalloc.report import charts
from fairalloc.report.templates import environment, resource
from fairalloc.rules import Rules
from fairalloc.services.whatif import FIGURES, Scenario
from fairalloc.whatif.distributions import FEW

DRAWN = ("stalls", "placed", "first")


def render_what_if(rules: Rules, runs: int, seed: int, scenarios: Sequence[Scenario]) -> str:
    """The page.

    Args:
        rules: of the season.
        runs: seasons drawn in each situation.
        seed: of what was drawn.
        scenarios: with the one that stands for today first.
    """
    drawn = {
        FIGURES[name]: charts.distributions(
            FIGURES[name],
            [
                (one.name, one.runs[name], one.figures[name].median, (one.as_handed_in or {}).get(name))
                for one in scenarios
            ],
        )
        for name in DRAWN
    }
    fairs = [(fair.fair_id, fair.name) for fair in scenarios[0].fairs]
    return (
        environment()
        .from_string(resource("whatif.html"))
        .render(
            rules=rules,
            runs=runs,
            seed=seed,
            few=runs < FEW,
            figures=FIGURES,
            named=[(one.name, one) for one in scenarios],
            fairs=fairs,
            forecasts=[{fair.fair_id: fair for fair in one.fairs} for one in scenarios],
            charts=drawn,
            css=Markup(resource("page.css")),  # noqa: S704 - our own file, not input
            js=Markup(resource("page.js")),  # noqa: S704 - our own file, not input
        )
    )
