"""Putting a season's bundle together from what the store and the chain hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from fairalloc.acts import ActKind, Book, read_act
from fairalloc.afterwards.rounds import round_files
from fairalloc.bundle.acts import ACTS, STANDINGS, acts_file, standings_file
from fairalloc.bundle.collected import COLLECTED, collected_file
from fairalloc.bundle.folder import MANIFEST, manifest_file
from fairalloc.bundle.register import COMMITMENTS, HEADS, commitments_file, heads_file
from fairalloc.bundle.statements import one_or_all
from fairalloc.canonical import json_bytes
from fairalloc.errors import StateConflictError
from fairalloc.ports import Ledger, Stage, Store
from fairalloc.services.context import SeasonContext
from fairalloc.services.drawing import draws, freezes
from fairalloc.services.stages import ALLOCATION, CERTIFICATE, OUTCOME, SCREENING


def bundle_files(store: Store, context: SeasonContext, ledger: Ledger | None) -> dict[str, bytes]:
    """All files of a season's bundle; without a ledger, it has no ``chain.json`` and no ``heads.csv``.

    Raises:
        StateConflictError: when the season is not allocated, or not all of it is on chain yet.
    """
    context.require(Stage.ALLOCATED)
    season_no = context.record.season_no
    kept = {name: store.document(season_no, name) or b"" for name in (SCREENING, OUTCOME, CERTIFICATE)}
    files: dict[str, bytes] = {**context.inputs, COMMITMENTS: commitments_file(store.registrations(season_no)), **kept}
    acts = store.acts(season_no)
    if acts:
        site_ids = {site_no: str(site.site_id) for site_no, site in context.sites_by_number().items()}
        standing = Book.of(store.standings(season_no))
        files |= {ACTS: acts_file(acts), STANDINGS: standings_file(standing.states, site_ids)}
        files |= {name: store.document(season_no, name) or b"" for name in _round_files(acts)}
    if collected := store.collected(context.record.season_id):
        files[COLLECTED] = collected_file(collected, context.rules.campaign.closes, context.numbers.applications)
    frozen, drawn = freezes(store, season_no), draws(store, season_no)
    given = json.loads(store.document(season_no, ALLOCATION) or b"{}")
    statements = {"freeze": one_or_all(frozen), "allocation": given}
    if drawn:  # a season allocated before there were draw statements has none
        statements["draw"] = one_or_all(drawn)
    program = str(frozen[-1]["program"])
    if ledger is not None:
        files["chain.json"] = _chain_file(store, context, ledger)
        files[HEADS] = heads_file(ledger.history(season_no).calls)
    files[MANIFEST] = manifest_file(files, statements, program)
    return files


def _round_files(acts: Sequence[bytes]) -> Iterator[str]:
    """The names of the files of all rounds of the waiting list."""
    for act in map(read_act, acts):
        if act.kind is ActKind.REALLOCATE:
            yield from round_files(act.number)


def _chain_file(store: Store, context: SeasonContext, ledger: Ledger) -> bytes:
    season_no = context.record.season_no
    entries = store.outbox(season_no, unmined_only=False)
    head = ledger.season_head(season_no)
    blocks = [entry.mined.block_number for entry in entries if entry.mined is not None]
    if head is None or len(blocks) < len(entries):
        raise StateConflictError(
            "bundle.unpublished",
            f"{len(entries) - len(blocks)} calls of season {context.record.season_id} are not on chain yet",
            "run `fairalloc publish`",
        )
    identity = asdict(ledger.identity())
    return json_bytes(
        {
            **identity,
            "format": "fairalloc-chain/1",
            "season_no": season_no,
            "first_block": min(blocks),
            "last_block": max(blocks),
            "next_seq": head.next_seq,
            "head": head.head.hex(),
        }
    )
