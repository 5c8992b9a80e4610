"""What all pages are made with; apart from the figures, whose libraries whoever makes no page does not wait for."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files as package_files

from jinja2 import Environment, StrictUndefined


def environment() -> Environment:
    """Templates in which all text is escaped and nothing may be missing, with the pages' number formats."""
    made = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters.update(n="{:,}".format, pct="{:.1%}".format, x="{:.2f}".format, when=_instant_words)
    return made


def resource(name: str) -> str:
    """A file of this package: templates, style, script."""
    return package_files("fairalloc.report").joinpath(name).read_text(encoding="utf-8")


def _instant_words(instant: int) -> str:
    """An instant as a date and time in UTC."""
    return datetime.fromtimestamp(instant // 10**9, UTC).strftime("%Y-%m-%d %H:%M UTC")
