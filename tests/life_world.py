"""What random lives of a season begin with: a small season allocated, and a chain that is rolled back for each."""

from __future__ import annotations

import os
from pathlib import Path

from chain.client import LedgerClient
from chain.deployment import contract_address
from chain.rpc_node import RpcNode
from data.store import open_store
from fairalloc.instants import parse_instant
from fairalloc.model import Applicant, Application, Choice, Fair, SeasonInput, Site
from fairalloc.rules import parse_rules
from fairalloc.services.context import SeasonContext
from fairalloc.services.drawing import draw_known
from fairalloc.services.intake import import_season
from fairalloc.services.stages import allocate_season, freeze_season, screen_season
from solver.optimal import solve
from solver.verify import check_files
from tests.life_model import ROUNDS, Stall, Wish
from tests.rules_opening import opening
from tests.simulator.by_url import Anvil, Line

START = parse_instant("2026-04-01T00:00:00Z")
HOUR = 3600 * 10**9
ON_ONE_ANVIL = 100
"""After some hundred lives, anvil has forgotten the state that each of them goes back to."""
CAP = '[[caps]]\nid = "once"\nof = "applicant"\nper = "period"\nmax_stalls = 1\n'
OFFERS = f"""
[offers]
id = "offers"
opens_at = "08:00Z"
confirm_by = 2026-04-19T18:00:00Z
confirm_hours = 36
rounds = [{ROUNDS[0]}, {ROUNDS[1]}]
order = "%s"
"""
RULES = (
    opening("lives", categories=("fish", "bread"), kinds=("farmer",))
    + '[mechanism]\nid = "m"\ngoals = ["priority", "choices"]\n[priority]\nid = "p"\nkeys = ["registration_no"]\n'
    + '[documents]\nid = "d"\n'
)
STALLS = {
    number: Stall(fair, period, frozenset(goods))
    for number, (period, fair, goods) in enumerate(
        ((p, f, g) for p in ("may", "june") for f, g in (("F", ()), ("F", ("fish",)), ("G", ("bread",)), ("G", ()))),
        start=1,
    )
}
WISHES = {
    number: Wish(f"v{number % 8}", "may" if number % 2 else "june", "fish" if number % 3 else "bread", fairs)
    for number, fairs in enumerate([("F", "G"), ("G", "F"), ("F",), ("G",), ("F", "G"), ("G", "F")] * 3, start=1)
}
REFUSED = {5, 12}
"""Applications whose documents are missing."""


def _input() -> SeasonInput:
    sites = [
        Site(f"s{n}", stall.fair, stall.period, f"{n}", 1, str(n), stall.goods) for n, stall in sorted(STALLS.items())
    ]
    asked = [
        Application(
            f"a{n:02}",
            wish.who,
            wish.period,
            wish.goods,
            "",
            1,
            1,
            frozenset(),
            tuple(map(Choice, wish.fairs)),
            parse_instant("2026-02-02T00:00:00Z") + n,
            n,
            ("identity",) if n in REFUSED else (),
        )
        for n, wish in WISHES.items()
    ]
    people = tuple(Applicant(name, "farmer") for name in sorted({wish.who for wish in WISHES.values()}))
    return SeasonInput(tuple(Fair(f, f, "D") for f in "FG"), tuple(sites), people, tuple(asked))


class World:
    """A chain that is rolled back for every life, and the database that each begins with, by the rules."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._left = folder, 0
        self._anvil: Anvil | None = None
        self._bases: dict[tuple[bool, str], Path] = {}

    def ledger(self) -> LedgerClient:
        """The chain as it was when the contract had just been deployed."""
        if not self._left:
            self.close()
            self._anvil, self._left = Anvil(self._folder), ON_ONE_ANVIL
        self._left -= 1
        self._anvil.reset()
        self._anvil.ask("evm_setAutomine", True)
        keyring = self._anvil.keyring
        node = RpcNode(self._anvil.url)
        node._w3.provider = Line(self._anvil.port)
        return LedgerClient(node, contract_address(keyring), keyring)

    def database(self, capped: bool, order: str) -> Path:
        """A file with the season allocated."""
        if (capped, order) not in self._bases:
            path = self._folder / f"base-{capped}-{order}.db"
            text = RULES + OFFERS % order + (CAP if capped else "")
            rules, store = parse_rules(text), open_store(f"sqlite:///{path}")
            record = import_season(store, rules, text, _input(), os.urandom)
            context = screen_season(store, SeasonContext.of(record, rules, _input()))
            allocate_season(store, draw_known(store, freeze_season(store, context, "test")), solve, check_files)
            store.close() if hasattr(store, "close") else None
            self._bases[capped, order] = path
        return self._bases[capped, order]

    def close(self) -> None:
        if self._anvil is not None:
            self._anvil.close()
