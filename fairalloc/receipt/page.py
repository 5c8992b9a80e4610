"""The receipt on paper: one page that a person keeps, reads and can have checked, and that fetches nothing."""

from __future__ import annotations

from functools import cache
from importlib.resources import files as package_files
from typing import TYPE_CHECKING
from unicodedata import east_asian_width

from markupsafe import Markup

from fairalloc.instants import format_seconds
from fairalloc.receipt.model import Receipt

if TYPE_CHECKING:
    from jinja2 import Template

MOST_SHOWN, MOST_CHOICES = 400, 2_000
"""Characters of a field, and of the choices, on the page; what is longer is cut there, and the file has all of it."""
WIDE = 40
"""Characters from which on a field has a line of its own."""
DENSE, TINY = 700, 2_200
"""Characters of a record from which on the page is set smaller, and smaller still: it stays one page."""


def render_receipt(receipt: Receipt, file: str) -> str:
    """The page of a receipt whose file has that name."""
    fields = _fields(receipt)
    length = sum(_width(value) for _, value in fields)
    return _template().render(
        receipt=receipt,
        file=file,
        short=[field for field in fields if len(field[1]) <= WIDE],
        long=[field for field in fields if len(field[1]) > WIDE],
        size="tiny" if length > TINY else "dense" if length > DENSE else "",
        qr=_qr(receipt),
        css=Markup(_resource("receipt.css")),  # noqa: S704 - our own file, not input
    )


@cache
def _template() -> Template:
    from fairalloc.report.templates import environment  # noqa: PLC0415  as below: whoever makes no page loads it not

    made = environment()
    made.filters["moment"] = format_seconds
    return made.from_string(_resource("receipt.html"))


def qr_text(receipt: Receipt) -> str:
    """What the square on the page says: enough to find the application, and with its record to prove it."""
    named = {
        "season": receipt.season_id,
        "application": receipt.label,
        "salt": receipt.salt.hex(),
        "head": receipt.head.hex(),
    }
    return " ".join(("fairalloc-receipt/1", *(f"{name}={value}" for name, value in named.items())))


def _qr(receipt: Receipt) -> Markup:
    import segno  # noqa: PLC0415

    drawn = segno.make(qr_text(receipt), error="m", micro=False)
    return Markup(drawn.svg_inline(border=4, omitsize=True, svgclass=None, lineclass=None, light="#fff"))  # noqa: S704 - drawn here


def _fields(receipt: Receipt) -> list[tuple[str, str]]:
    """The record in plain words, field by field."""
    record = receipt.record
    stalls = f"{record.stalls_min}"
    if record.stalls_max != record.stalls_min:
        stalls += f" to {record.stalls_max}, side by side"
    told = (
        ("The city's number of the application", record.application_id),
        ("Applicant", record.applicant_id),
        ("Kind", record.kind),
        ("Region", record.region),
        ("Owner", record.owner_id),
        ("First season", "" if record.first_season is None else str(record.first_season)),
        ("Period", record.period),
        ("Goods", f"{record.category}, {record.group}" if record.group else record.category),
        ("Stalls", stalls),
        ("Needs", ", ".join(record.needs)),
        ("Choices, best first", ", ".join("any fair" if choice == "*" else choice for choice in record.choices)),
        ("Handed in", record.submitted_at),
        ("Registration number", record.registration_no),
        ("Documents missing", ", ".join(record.documents)),
    )
    return [(name, _shown(value, MOST_CHOICES if "hoices" in name else MOST_SHOWN)) for name, value in told]


def _width(text: str) -> int:
    """How many letters wide a text is: those of Chinese, Japanese and Korean take the room of two."""
    return sum(2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _shown(value: str, most: int) -> str:
    if len(value) <= most:
        return value or "none"
    return f"{value[:most]}... and {len(value) - most:,} more characters, which the file has"


def _resource(name: str) -> str:
    return package_files("fairalloc.receipt").joinpath(name).read_text(encoding="utf-8")
