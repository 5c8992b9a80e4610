"""A list for a clerk: `linked`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from fairalloc import console
from fairalloc.canonical import csv_bytes
from fairalloc.commands.options import Folder, Json
from fairalloc.durable_files import replace_file
from fairalloc.links import COMMON, THING, Linked, cap_words, find_linked, words_of
from fairalloc.model import Applicant, ApplicantId

CONTACTS = "contacts.csv"
SHOWN = 10
"""How many of the things that too many share are told one by one."""
COLUMNS = ("group", "score", "applicant_id", "kind", "owner_id", "shares", "one_owner_already", "passes_as_one_owner")


def linked(
    season_dir: Folder,
    contacts: Annotated[
        Path | None, typer.Option("--contacts", help="File of hashes; contacts.csv in the folder if left out.")
    ] = None,
    common: Annotated[
        int, typer.Option("--common", min=2, help="What more applicants than this share links nobody.")
    ] = COMMON,
    to: Annotated[
        Path | None, typer.Option("--out", help="Write the list to this CSV file, for its owner alone.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count only, write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """List applicants who share a bank account, device, telephone, e-mail or postal address, for a clerk to look into.

    It refuses nobody. The file with hashes is no input of the season: it is not stored, published or put on chain, and
    who is listed stands nowhere but in the file or the JSON that is asked for.

    Example: fairalloc linked seasons/2026 --contacts private/contacts.csv --out private/linked.csv
    """
    from data.importers.contacts import read_contacts
    from data.source import season_input

    rules, _, season = season_input(season_dir, None, 0, None)
    people = {applicant.applicant_id: applicant for applicant in season.applicants}
    read, others = read_contacts(contacts or season_dir / CONTACTS, people)
    if others:
        console.say(f"left out, as applicants.csv does not have the applicants: rows of contacts {others:,}")
    found = find_linked(rules, season, read, common)
    facts = {
        "applicants with contacts": len({contact.applicant_id for contact in read}),
        "groups": len(found.groups),
        "applicants in them": sum(len(group.applicants) for group in found.groups),
        "applicants in the largest": max((len(group.applicants) for group in found.groups), default=0),
        "groups that owner_id joins already": sum(group.joined for group in found.groups),
        "other groups that would pass a cap as one owner": sum(
            bool(group.passes) and not group.joined for group in found.groups
        ),
        f"things that more than {common} share": len(found.common),
    }
    if not as_json:
        _say_common(found, common)
    if to is not None and not dry_run:
        replace_file(to, csv_bytes(COLUMNS, _rows(found, people)))
        console.say(f"list {to}")
    elif not as_json:
        console.say("nothing is written; name a file for the list: --out linked.csv" if to is None else "dry run")
    if as_json and not dry_run:
        console.show_json({"counts": facts, **_told(found)})
    else:
        console.show(f"Season {rules.season.id}", facts, as_json=as_json)


def _say_common(found: Linked, common: int) -> None:
    """Things that link nobody, those that most share first: a common address may be a market's, an account may not."""
    told = sorted(found.common, key=lambda thing: (-len(thing.applicants), thing.what, thing.hash))
    for thing in told[:SHOWN]:
        many = f"{len(thing.applicants):,} applicants share {THING[thing.what]} (hash {_short(thing.hash)}...)"
        console.say(f"{many}, more than {common}: it links nobody; see whose it is, or name a higher --common")
    if len(told) > SHOWN:
        console.say(f"and {len(told) - SHOWN:,} more; --json has all of them")


def _told(found: Linked) -> dict[str, object]:
    groups = [
        {
            "applicants": {who: words_of(group, who) for who in group.applicants},
            "score": group.score,
            "things": [_thing(asdict(thing)) for thing in group.things],
            "one_owner_already": group.joined,
            "passes_as_one_owner": [asdict(passed) for passed in group.passes],
        }
        for group in found.groups
    ]
    common = [{"what": t.what, "hash": _short(t.hash), "applicants": len(t.applicants)} for t in found.common]
    return {"groups": groups, "common": common}


def _thing(thing: dict[str, object]) -> dict[str, object]:
    return {**thing, "hash": _short(str(thing["hash"]))}


def _short(hash_: str) -> str:
    """Enough of a hash to find it in the city's own file."""
    return hash_[:12]


def _rows(found: Linked, people: Mapping[ApplicantId, Applicant]) -> Iterator[tuple[object, ...]]:
    for number, group in enumerate(found.groups, start=1):
        passes = "; ".join(map(cap_words, group.passes))
        for who in group.applicants:
            person = people[who]
            already = "yes" if group.joined else "no"
            shares = words_of(group, who)
            yield number, group.score, who, person.kind, person.owner_id, shares, already, passes
