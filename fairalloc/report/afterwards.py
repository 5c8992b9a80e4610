"""What was changed after the publication, application by application: who decided it, why, and who was affected."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fairalloc.acts import BY_HAND, Act, ActKind, Book, State
from fairalloc.afterwards.decisions import is_correction
from fairalloc.bundle.acts import published_acts
from fairalloc.bundle.published import Published
from fairalloc.instants import format_instant
from fairalloc.numbering import application_label
from fairalloc.reasons import REASON_WORDS


@dataclass(frozen=True, slots=True)
class Changed:
    """What one act changed for one application.

    Attributes:
        act: its number.
        kind: what it is.
        at: when it counts, in UTC.
        actor: who decided or recorded it.
        approver: who approved it; empty where nobody had to.
        reason: why, as whoever decided wrote it.
        application_id: whom it changed something for.
        before: the status before.
        after: the status after.
        site_before: ids of the sites held before, with `|` between.
        site_after: ids of the sites held after.
        words: what the applicant reads.
    """

    act: int
    kind: str
    at: str
    actor: str
    approver: str
    reason: str
    application_id: str
    before: str
    after: str
    site_before: str
    site_after: str
    words: str


def changed(book: Published, files: Mapping[str, bytes], *, all_acts: bool = False) -> tuple[Changed, ...]:
    """What decisions and corrections changed after the allocation, act by act.

    Args:
        book: the published season.
        files: its bundle.
        all_acts: also what applicants, time and the waiting list's rounds changed.
    """
    standing = Book(book.states())
    names = {number: site_id for site_id, number in book.site_numbers.items()}
    rows: list[Changed] = []
    for _, act in published_acts(files):
        rows += _of(act, standing, names, all_acts=all_acts)
    return tuple(rows)


def _of(act: Act, standing: Book, names: Mapping[int, str], *, all_acts: bool) -> Iterable[Changed]:
    """What an act changes; the book goes on with it."""
    before: dict[int, State] = {}
    corrected = set()
    for step in act.transitions:
        if standing.refusal(step) is not None:
            continue  # what is not possible is found by an audit
        stood = before.setdefault(step.application_no, standing.states[step.application_no])
        if is_correction(act.kind, stood.status, step.status):
            corrected.add(step.application_no)
        standing.take(step, act.at)
    told = all_acts or act.kind in BY_HAND or act.kind is ActKind.APPEAL
    for number, stood in before.items():
        if told or number in corrected:
            now = standing.states[number]
            yield Changed(
                act=act.number,
                kind=act.kind.value,
                at=format_instant(act.at),
                actor=act.actor,
                approver=act.approver,
                reason=act.reason,
                application_id=application_label(number),
                before=stood.status.name,
                after=now.status.name,
                site_before=_sites(stood.site_no, stood.width, names),
                site_after=_sites(now.site_no, now.width, names),
                words=REASON_WORDS[now.reason],
            )


def _sites(site_no: int, width: int, names: Mapping[int, str]) -> str:
    return "|".join(names.get(number, str(number)) for number in range(site_no, site_no + width))
