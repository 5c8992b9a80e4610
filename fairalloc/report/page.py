"""The season's page: one HTML file that works offline, for whoever wants to see the result before the numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping

from markupsafe import Markup

from fairalloc.audit import Audit
from fairalloc.bundle.folder import MANIFEST
from fairalloc.bundle.published import published
from fairalloc.report import charts
from fairalloc.report.afterwards import changed
from fairalloc.report.figures import Figures, count
from fairalloc.report.listing import decided, listing
from fairalloc.report.templates import environment, resource

MOST_WANTED = 20


def render_report(files: Mapping[str, bytes], found: Audit, seconds: Mapping[str, float]) -> str:
    """The page of a bundle.

    Args:
        files: the bundle's files by name.
        found: the audit of these very files; what it proved and what it found are said on the page.
        seconds: how long each step took, where that is known.

    Raises:
        KeyError: when a file or a column is missing.
        ValueError: when a value cannot be read.
    """
    book = published(files)
    figures = count(book)
    template = environment().from_string(resource("page.html"))
    return template.render(
        rules=book.rules,
        figures=figures,
        decisions=decided(book),
        changes=() if any(finding.code == "bundle.unreadable" for finding in found.findings) else changed(book, files),
        listed=listing(book),
        found=found,
        seconds=seconds,
        chain=json.loads(files["chain.json"]) if "chain.json" in files else None,
        manifest=json.loads(files[MANIFEST]),
        charts=_charts(figures),
        heat=charts.heat,
        css=Markup(resource("page.css")),  # noqa: S704 - our own file, not input
        js=Markup(resource("page.js")),  # noqa: S704 - our own file, not input
    )


def _charts(figures: Figures) -> dict[str, Markup]:
    total = figures.total
    wanted = sorted(figures.fairs, key=lambda fair: -fair.demand)[:MOST_WANTED]
    drawn = {
        "ends": charts.stacked_bar(
            "Where the applications ended",
            [
                ("first choice", total.first, "c1"),
                ("lower choice", total.placed - total.first, "c2"),
                ("waiting list", total.waiting, "c3"),
                ("refused", total.refused, "c4"),
            ],
        ),
        "ranks": charts.columns(
            "Placed applications by choice met", charts.bars(figures.ranks), "choice, from the first on"
        ),
        "wanted": charts.demand_bars("First choices against sites at the most wanted fairs", wanted),
        "rush": charts.columns("Submissions by time since the opening", figures.rush, "within, from the opening"),
    }
    if len(figures.dots) > 1:
        drawn["map"] = charts.fair_map("Fairs by place, size and demand", figures.dots)
    return drawn
