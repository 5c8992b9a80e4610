"""Campaigns of one season: is what a campaign began with what the campaigns before it have left?

Each earlier campaign is taken from its own bundle, in the state that it had when it was carried over: `follows.csv`
says after how many calls to the chain. Where the bundle goes on from there, the chain's history leads back to it.
Applicants are followed by `same.csv`, the published link. That the link joins the right people can be seen by those
people themselves, whose receipts name them, and in the city's database; that it joins everybody of whom something was
known, each with one applicant, can be seen by all.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fairalloc.audit.verdict import Audit
from fairalloc.bundle.acts import STANDINGS
from fairalloc.bundle.folder import manifest_findings
from fairalloc.bundle.published import Published, published
from fairalloc.canonical import csv_rows
from fairalloc.carrying import Ended, EndedCampaign, Left, Stalls, left_by
from fairalloc.errors import InvalidDataError
from fairalloc.findings import Finding
from fairalloc.ledger import ApplicationNo, History, SeasonNo, SiteNo, Transition
from fairalloc.model import ApplicantId, Site
from fairalloc.numbering import application_label
from fairalloc.reasons import Reason
from fairalloc.rules import parse_rules
from fairalloc.status import Status

OUTCOME = "outcome.csv"
Files = Mapping[str, bytes]
_State = dict[str, tuple[Status, tuple[Site, ...]]]
_COUNTS = ("attended", "no_shows", "revocations")


@dataclass(frozen=True, slots=True)
class _Before:
    """An earlier campaign: its published files as read, the state in which it was carried over, and where it ends."""

    book: Published
    state: _State
    end: _State


def to_replay(files: Files, bundles: Sequence[Files]) -> tuple[SeasonNo, ...]:
    """The campaigns on the same contract whose bundles go on after they were carried over: the chain leads back."""
    try:
        calls = {row["campaign"]: int(row["calls"]) for row in csv_rows(files.get("follows.csv", b""))}
        told = [
            json.loads(bundle["chain.json"])
            for bundle in bundles
            if _same_contract(files, bundle) and _calls_made(bundle) > calls.get(_name(bundle), -1)
        ]
        return tuple(SeasonNo(int(one["season_no"])) for one in told)
    except (KeyError, ValueError, TypeError, InvalidDataError):
        return ()  # what cannot be read is told where it is read


def audit_campaigns(audit: Audit, bundles: Sequence[Files], histories: Mapping[SeasonNo, History]) -> None:
    """Hold what a campaign began with against the bundles of the campaigns before it.

    Args:
        audit: under way, the campaign's own bundle read.
        bundles: those of the campaigns before, in any order.
        histories: of the campaigns that :func:`to_replay` names.
    """
    book = audit.book
    if book is None:
        return
    follows = book.rules.campaign.follows
    if not bundles:
        if follows is not None:
            audit.remarks.append(f"the campaign follows {follows}: give that one's bundle by --follows to check it")
        return
    findings: list[Finding] = []
    chain: list[_Before] = []
    try:
        chain += _chain(book, bundles, histories, findings)
    except (KeyError, ValueError, TypeError, InvalidDataError) as error:
        words = f"the bundle of an earlier campaign cannot be read: {type(error).__name__}: {error}"
        findings.append(Finding("campaign.bundle", "", words))
    audit.add("bundles of earlier campaigns", len(bundles), findings)
    if findings:
        return
    audit.add("links to earlier campaigns", len(book.same), _links(book, chain))
    left = _left(book, chain)
    audit.add("stalls of earlier campaigns", len(book.earlier), _stalls(book, left))
    audit.add("conduct in earlier campaigns", len(book.conduct), _conduct(book, left))
    audit.add("sites held since earlier campaigns", len(left.held), _sites(book, left))
    audit.add("sites given out in two campaigns", len(book.sites), _twice(book, chain))


def _chain(
    book: Published, bundles: Sequence[Files], histories: Mapping[SeasonNo, History], findings: list[Finding]
) -> Iterator[_Before]:
    """The campaigns before, the first one first; what cannot be used is a finding."""
    known: dict[str, tuple[Published, Files]] = {}
    for bundle in bundles:
        read = published(bundle)
        name = read.rules.season.id
        known[name] = (read, bundle)
        findings += [Finding("campaign.bundle", name, f"{name}: {words}") for words in manifest_findings(bundle)]
    calls = {one.campaign: one.calls for one in book.followed}
    wanted, line = book.rules.campaign.follows, list[str]()
    while wanted is not None and wanted in known and wanted not in line:
        line.append(wanted)
        wanted = known[wanted][0].rules.campaign.follows
    if wanted is not None:
        findings.append(Finding("campaign.bundle", wanted, f"{wanted}: followed, and its bundle is not given"))
    findings += [
        Finding("campaign.bundle", name, f"{name}: given, and not a campaign that this one follows")
        for name in sorted(set(known) - set(line))
    ]
    if wanted is None and sorted(calls) != sorted(line):
        named, right = (", ".join(sorted(names)) or "nobody" for names in (calls, line))
        words = f"follows.csv: names {named}, the rules lead to {right}"
        findings.append(Finding("campaign.bundle", "follows.csv", words))
    for name in reversed(line) if not findings else ():
        read, bundle = known[name]
        end = _end(read, bundle)
        yield _Before(read, _state(read, bundle, end, calls[name], histories, findings), end)


def _same_contract(files: Files, bundle: Files) -> bool:
    told = [json.loads(one.get("chain.json", b"{}")) for one in (files, bundle)]
    here, there = ([one.get(key) for key in ("chain_id", "genesis_hash", "contract")] for one in told)
    return None not in there and here == there


def _name(files: Files) -> str:
    return parse_rules(files["season.toml"].decode()).season.id


def _calls_made(files: Files) -> int:
    """How many calls a bundle has on chain; none where it was never recorded."""
    return int(json.loads(files.get("chain.json", b"{}")).get("next_seq", 0))


def _state(
    book: Published,
    files: Files,
    end: _State,
    calls: int,
    histories: Mapping[SeasonNo, History],
    findings: list[Finding],
) -> _State:
    """A campaign's state after so many calls: the published one, or the chain's where the bundle goes on from there."""
    name, told = book.rules.season.id, json.loads(files.get("chain.json", b"{}"))
    ends = _calls_made(files)
    history = histories.get(SeasonNo(int(told.get("season_no", 0))))
    if told and ends < calls:
        words = f"{name}: carried over after {calls} calls, the bundle ends after {ends}: an older one was given"
        findings.append(Finding("campaign.bundle", name, words))
    elif ends > calls and history is None:
        words = f"{name}: carried over after {calls} calls, the bundle goes on to {ends}, and is not on this chain"
        findings.append(Finding("campaign.bundle", name, words))
    elif ends > calls and history is not None:
        if len(history.calls) < ends or history.calls[ends - 1].head.hex() != told["head"]:
            findings.append(Finding("campaign.bundle", name, f"{name}: its head is not that of the chain"))
        return _replayed(book, history, calls)
    return end


def _end(book: Published, files: Files) -> _State:
    """The state that a campaign has published."""
    sites = {str(site.site_id): site for site in book.sites}
    rows = csv_rows(files[STANDINGS if STANDINGS in files else OUTCOME])
    return {
        row["application_id"]: (
            Status[row["status"]],
            tuple(sites[site_id] for site_id in row["site_ids"].split("|") if site_id),
        )
        for row in rows
    }


def _replayed(book: Published, history: History, calls: int) -> _State:
    """The state to which the first calls of a history lead."""
    sites = {book.site_numbers[site.site_id]: site for site in book.sites}
    places: dict[int, tuple[Status, int, int]] = {}
    rows = history.transitions[history.transitions["seq"] < calls]
    columns = (rows[name].tolist() for name in ("application_no", "before", "status", "reason", "site_no", "width"))
    for number, before, status, reason, site_no, width in zip(*columns, strict=True):
        step = Transition(ApplicationNo(number), Status(status), Reason(reason), SiteNo(site_no), width)
        places[number] = (step.status, *step.place_after(before, *places.get(number, (None, 0, 0))[1:]))
    return {
        application_label(number): (status, tuple(sites[site_no + offset] for offset in range(width)))
        for number, (status, site_no, width) in places.items()
    }


def _links(book: Published, chain: Sequence[_Before]) -> Iterator[Finding]:
    """Nobody of whom something is known is left out, and each is one applicant on both sides."""
    for what, keys in (
        ("here", Counter((same.campaign, str(same.applicant_id)) for same in book.same)),
        ("there", Counter((same.campaign, same.published_id) for same in book.same)),
    ):
        for (campaign, name), times in sorted(keys.items()):
            if times > 1:
                words = f"same.csv: {name} {what} stands {times} times for {campaign}"
                yield Finding("campaign.same", "same.csv", words)
    people = {before.book.rules.season.id: _people(before.book) for before in chain}
    linked = {(same.campaign, same.published_id) for same in book.same}
    for campaign, name in sorted(linked):
        if name not in people.get(campaign, ()):
            yield Finding("campaign.same", "same.csv", f"same.csv: {campaign} has no applicant {name}")
    left = left_by([_ended(before) for before in chain], lambda campaign, name: ApplicantId(f"{campaign}: {name}"))
    for name in sorted(left.people):
        campaign, _, there = name.partition(": ")
        if (campaign, there) not in linked:
            words = f"same.csv: {there} of {campaign} has held stalls or been judged there, and is nobody here"
            yield Finding("campaign.same", "same.csv", words)


def _people(book: Published) -> frozenset[str]:
    """Everybody who stands in a campaign's published files."""
    known = (row.applicant_id for rows in (book.applications, book.earlier, book.conduct) for row in rows)
    return frozenset(known)


def _left(book: Published, chain: Sequence[_Before]) -> Left:
    """What the campaigns before have left, under the ids here; whoever has no link is a finding elsewhere."""
    here = {(same.campaign, same.published_id): same.applicant_id for same in book.same}
    left = left_by([_ended(before) for before in chain], lambda campaign, name: here.get((campaign, name), _NOBODY))
    return replace(
        left,
        earlier=tuple(given for given in left.earlier if given.applicant_id != _NOBODY),
        conduct=tuple(known for known in left.conduct if known.applicant_id != _NOBODY),
    )


_NOBODY = ApplicantId("")


def _ended(before: _Before) -> EndedCampaign:
    book = before.book
    ended = [
        Ended(application.applicant_id, application.category, *before.state[application.application_id])
        for application in book.applications
        if application.application_id in before.state
    ]
    return EndedCampaign(book.rules.season.id, ended, book.earlier, book.conduct)


def _stalls(book: Published, left: Left) -> Iterator[Finding]:
    stated, right = (
        {(e.applicant_id, e.period, e.fair_id, e.category): e.stalls for e in rows}
        for rows in (book.earlier, left.earlier)
    )
    for place in sorted(stated.keys() | right.keys()):
        if stated.get(place, 0) != right.get(place, 0):
            words = f"earlier.csv: {' '.join(place)} has {stated.get(place, 0)} stalls, earlier campaigns left "
            yield Finding("campaign.earlier", "earlier.csv", f"{words}{right.get(place, 0)}")


def _conduct(book: Published, left: Left) -> Iterator[Finding]:
    stated, right = (
        {known.applicant_id: tuple(getattr(known, name) for name in _COUNTS) for known in rows}
        for rows in (book.conduct, left.conduct)
    )
    nothing = (0, 0, 0)
    for name in sorted(stated.keys() | right.keys()):
        for what, here, there in zip(_COUNTS, stated.get(name, nothing), right.get(name, nothing), strict=True):
            if here != there:
                words = f"conduct.csv: {name} has {what} {here}, earlier campaigns left {there}"
                yield Finding("campaign.conduct", "conduct.csv", words)


def _sites(book: Published, left: Left) -> Iterator[Finding]:
    held = Stalls(left.held)
    for site in book.sites:
        if not site.closed and held.has(site.site_id, site.fair_id, site.period, site.number):
            words = f"sites.csv: {site.site_id} is open, and held since an earlier campaign"
            yield Finding("campaign.sites", "sites.csv", words)


def _twice(book: Published, chain: Sequence[_Before]) -> Iterator[Finding]:
    """No earlier campaign has gone on to give out what this one gives out."""
    for before in chain:
        name, carried = before.book.rules.season.id, Stalls(_held(before.state))
        held = Stalls(_held(before.end))
        for site in book.sites:
            stall = (site.site_id, site.fair_id, site.period, site.number)
            if not site.closed and held.has(*stall) and not carried.has(*stall):
                words = f"sites.csv: {site.site_id} is open, and {name} has given it out since"
                yield Finding("campaign.sites", "sites.csv", words)


def _held(state: _State) -> Iterator[Site]:
    return (site for _, held in state.values() for site in held)
