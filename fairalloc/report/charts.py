"""Charts as inline SVG: text that scales, prints, and needs nothing but the page itself."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from markupsafe import Markup, escape

from fairalloc.report.figures import MapDot, Tally

WIDTH = 720
COLUMNS = 90
"""The most columns that a distribution has beside each other."""


def stacked_bar(title: str, parts: Sequence[tuple[str, int, str]]) -> Markup:
    """One bar in parts (label, how many, CSS class), with a legend below."""
    total = sum(number for _, number, _ in parts) or 1
    pieces, legend, x = [], [], 0.0
    for label, number, style in parts:
        width = WIDTH * number / total
        pieces.append(
            Markup(
                '<rect x="{:.1f}" y="0" width="{:.1f}" height="34" class="{}"><title>{}: {:,}</title></rect>'
            ).format(x, width, style, label, number)
        )
        legend.append(
            Markup('<li><span class="key {}"></span>{} <b>{:,}</b> ({:.1%})</li>').format(
                style, label, number, number / total
            )
        )
        x += width
    return _svg(title, 34, pieces) + Markup('<ul class="legend">{}</ul>').format(Markup("").join(legend))


def columns(title: str, values: Sequence[tuple[str, int]], axis: str) -> Markup:
    """Columns side by side (label, height); labels are thinned out where there are many."""
    height, floor = 180, 150
    top = max((number for _, number in values), default=0) or 1
    step = WIDTH / max(len(values), 1)
    every = max(1, math.ceil(len(values) / 14))
    pieces = []
    for index, (label, number) in enumerate(values):
        tall = (floor - 16) * number / top
        x = index * step
        pieces.append(
            Markup(
                '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="c1"><title>{}: {:,}</title></rect>'
            ).format(x + step * 0.08, floor - tall, step * 0.84, tall, label, number)
        )
        if len(values) <= 14 and number:
            pieces.append(_text(x + step / 2, floor - tall - 4, f"{number:,}", "value"))
        if index % every == 0:
            pieces.append(_text(x + step / 2, floor + 14, label, "label"))
    pieces.append(_text(WIDTH / 2, height - 1, axis, "label"))
    return _svg(title, height, pieces)


def demand_bars(title: str, tallies: Sequence[Tally]) -> Markup:
    """For each place: how many named it first, against how many sites it has."""
    row, left = 20, 210
    top = max((max(tally.wanted, tally.sites) for tally in tallies), default=0) or 1
    scale = (WIDTH - left - 56) / top
    pieces = []
    for index, tally in enumerate(tallies):
        y = index * row
        name = tally.label if len(tally.label) <= 30 else tally.label[:29] + "…"
        pieces += [
            Markup('<text x="{}" y="{}" class="name">{}</text>').format(left - 8, y + 13, name),
            Markup('<rect x="{}" y="{}" width="{:.1f}" height="7" class="c1"/>').format(
                left, y + 2, tally.wanted * scale
            ),
            Markup('<rect x="{}" y="{}" width="{:.1f}" height="7" class="c2"/>').format(
                left, y + 10, tally.sites * scale
            ),
            Markup('<text x="{:.1f}" y="{}" class="end">{:.1f}</text>').format(
                left + max(tally.wanted, tally.sites) * scale + 5, y + 13, tally.demand
            ),
        ]
    return _svg(title, max(len(tallies) * row, 1), pieces)


def two_ways(title: str, values: Sequence[tuple[str, int, int]]) -> Markup:
    """For each line (label, gains, losses): a bar to the right for gains and one to the left for losses."""
    row, middle, left = 22, 440, 190
    scale = (WIDTH - middle - 60) / (max((max(up, down) for _, up, down in values), default=0) or 1)
    pieces = []
    for index, (label, up, down) in enumerate(values):
        y = index * row
        name = label if len(label) <= 26 else label[:25] + "…"
        bar = Markup('<rect x="{:.1f}" y="{}" width="{:.1f}" height="14" class="{}"><title>{}: {:,}</title></rect>')
        pieces += [
            Markup('<text x="{}" y="{}" class="name">{}<title>{}</title></text>').format(left, y + 14, name, label),
            bar.format(middle, y + 3, up * scale, "c1", f"{label}, better", up),
            bar.format(middle - down * scale, y + 3, down * scale, "c3", f"{label}, worse", down),
            Markup('<text x="{:.1f}" y="{}" class="end">{:,}</text>').format(middle + up * scale + 5, y + 14, up),
            _text(middle - down * scale - 5, y + 14, f"{down:,}", "before"),
        ]
    return _svg(title, max(len(values) * row, 1), pieces)


def distributions(title: str, values: Sequence[tuple[str, Sequence[int], int, int | None]]) -> Markup:
    """For each line (label, what the runs came to, their median, a mark or None) how often what came, on one scale.

    The scale begins near the lowest of all, not at 0: what is to be seen is how they lie to each other. A column is as
    high as its share of the line's fullest one.
    """
    row, tall, left, right = 50, 26, 12, 24
    everything = [number for _, runs, _, mark in values for number in (*runs, *(() if mark is None else (mark,)))]
    step = _round_step(max(everything, default=1) - min(everything, default=0))
    least = min(everything, default=0) // step * step
    most = max(-(-max(everything, default=1) // step) * step, least + step)
    scale = (WIDTH - left - right) / (most - least)
    # Whole numbers to a column, so that none is wider than another by what it can hold.
    wide = max(1, -(-(most - least) // COLUMNS))
    floor, pieces = len(values) * row, []
    for tick in range(least, most + 1, step):
        x = left + (tick - least) * scale
        pieces.append(Markup('<line x1="{0:.1f}" y1="0" x2="{0:.1f}" y2="{1}" class="grid"/>').format(x, floor))
        pieces.append(_text(x, floor + 13, f"{tick:,}", "label"))
    for index, (label, runs, median, mark) in enumerate(values):
        base = index * row + row - 6
        told = f"{label}: {min(runs):,} to {max(runs):,}, median {median:,}"
        told += "" if mark is None else f"; {mark:,} as handed in"
        head = Markup('<text x="{}" y="{}" class="whole">{} <tspan class="told">{:,}</tspan><title>{}</title></text>')
        pieces.append(head.format(left, index * row + 12, label, median, told))
        counts = Counter((number - least) // wide for number in runs)
        most_often = max(counts.values())
        for column, often in sorted(counts.items()):
            start = least + column * wide
            words = f"{start:,}" if wide == 1 else f"{start:,} to {start + wide - 1:,}"
            high = tall * often / most_often
            pieces.append(
                Markup(
                    '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" class="c2"><title>{}: {} of {} runs'
                    "</title></rect>"
                ).format(
                    left + (start - least - 0.5) * scale,
                    base - high,
                    max(wide * scale - 0.5, 1),
                    high,
                    words,
                    often,
                    len(runs),
                )
            )
        stroke = Markup('<rect x="{:.1f}" y="{}" width="3" height="{}" class="{}"/>')
        if mark is not None:
            pieces.append(stroke.format(left + (mark - least) * scale - 1.5, base - tall, tall + 3, "c3"))
        pieces.append(stroke.format(left + (median - least) * scale - 1.5, base - tall, tall + 3, "c1"))
    return _svg(title, floor + 18, pieces)


def _round_step(span: int) -> int:
    """The least of 1, 2, 5, 10, 20, ... by which a span has eight parts at most."""
    step = 1
    while span > 8 * step:
        step = step * 5 // 2 if str(step).startswith("2") else step * 2
    return step


def fair_map(title: str, dots: Sequence[MapDot]) -> Markup:
    """Fairs where they lie: a circle's area is its number of sites, its colour how sought after it is.

    Equirectangular, true to scale along the middle parallel.
    """
    height, margin = 460, 24
    middle = math.radians(sum(dot.latitude for dot in dots) / len(dots))
    points = [(dot.longitude * math.cos(middle), dot.latitude) for dot in dots]
    west, south = min(x for x, _ in points), min(y for _, y in points)
    span_x = max(x for x, _ in points) - west or 1e-9
    span_y = max(y for _, y in points) - south or 1e-9
    scale = min((WIDTH - 2 * margin) / span_x, (height - 2 * margin) / span_y)
    biggest = max(dot.sites for dot in dots) or 1
    pieces = []
    for dot, (x, y) in sorted(zip(dots, points, strict=True), key=lambda pair: -pair[0].sites):
        pieces.append(
            Markup(
                '<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" class="{}">'
                "<title>{}: {:,} sites, {:.1f} first choices per site</title></circle>"
            ).format(
                margin + (x - west) * scale,
                height - margin - (y - south) * scale,
                3 + 13 * math.sqrt(dot.sites / biggest),
                heat(dot.demand),
                dot.name,
                dot.sites,
                dot.demand,
            )
        )
    return _svg(title, height, pieces)


def heat(pressure: float | None) -> str:
    """The CSS class for applications per site."""
    if pressure is None:
        return "h0"
    return f"h{sum(pressure > limit for limit in (0.5, 0.9, 1.1, 1.5, 2.5)) + 1}"


def bars(values: Mapping[int, int]) -> list[tuple[str, int]]:
    """Counts by number as labelled columns."""
    return [(str(key), number) for key, number in values.items()]


def _text(x: float, y: float, words: str, style: str) -> Markup:
    return Markup('<text x="{:.1f}" y="{:.1f}" class="{}">{}</text>').format(x, y, style, words)


def _svg(title: str, height: int, pieces: Sequence[Markup]) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, height, escape(title), Markup("").join(pieces)
    )
