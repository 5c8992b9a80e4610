"""The receipt on paper: one page that a person keeps, reads and can have checked, and that fetches nothing."""

from __future__ import annotations

from importlib.resources import files as package_files

import segno
from markupsafe import Markup

from fairalloc.instants import format_instant, instant_of_seconds
from fairalloc.receipt.model import Receipt
from fairalloc.report.page import environment

MOST_SHOWN = 1_500
"""Characters of one field on the page; what is longer is cut there, and the file has all of it."""
DENSE = 1_000
"""Characters of a record from which on the page is set smaller."""


def render_receipt(receipt: Receipt, file: str) -> str:
    """The page of a receipt whose file has that name."""
    fields = _fields(receipt)
    made = environment()
    made.filters["moment"] = lambda seconds: format_instant(instant_of_seconds(seconds))
    return made.from_string(_resource("receipt.html")).render(
        receipt=receipt,
        file=file,
        fields=fields,
        dense=sum(len(value) for _, value in fields) > DENSE,
        qr=_qr(receipt),
        css=Markup(_resource("receipt.css")),  # noqa: S704 - our own file, not input
    )


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
    return [(name, _shown(value)) for name, value in told]


def _shown(value: str) -> str:
    if len(value) <= MOST_SHOWN:
        return value or "none"
    return f"{value[:MOST_SHOWN]}... and {len(value) - MOST_SHOWN:,} more characters, which the file has"


def _resource(name: str) -> str:
    return package_files("fairalloc.receipt").joinpath(name).read_text(encoding="utf-8")
