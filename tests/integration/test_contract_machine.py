"""Random lives of a contract on a real node, step by step against a model written from the rules."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from chain.keyring import ADMIN, ALLOCATOR, CLERK, DESK, KEY_NAMES, PAUSER, REGISTRAR
from chain.node.anvil_process import find_anvil
from chain.rights import RIGHTS
from fairalloc.ledger import NOBODY, SeasonNo
from fairalloc.status import HOLDS_SITE, TRANSITIONS, Role, Status
from tests.chain_bench import Bench
from tests.ledger_model import CELLS, PADDING, Model, Row, cells_of
from tests.scale import instances

KEY_OF_ROLE = {Role.REGISTRAR: REGISTRAR, Role.CLERK: CLERK, Role.ALLOCATOR: ALLOCATOR, Role.DESK: DESK}

TWISTS = ("key", "seq", "number", "status", "place", "again", "hole", "nothing")
SITE_TWISTS = ("taken", "taken", "taken", "site", "site")

# Mostly what may be done, now and then what may not: a life of refusals alone would go nowhere.
offsets = st.sampled_from((0,) * 12 + (-1, 1))
any_key = st.sampled_from(KEY_NAMES)
some_cells = st.one_of(
    st.sampled_from(sorted(RIGHTS.values())).map(cells_of),
    st.just(CELLS),
    st.sets(st.sampled_from(sorted(CELLS))).map(frozenset),
    st.sets(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=2).map(frozenset),
)


def key_or(usual: str) -> st.SearchStrategy[str]:
    return st.one_of(*[st.just(usual)] * 6, any_key)


class Contract(RuleBasedStateMachine):
    """One contract of its own for each life; the node is shared."""

    bench: Bench

    def __init__(self) -> None:
        super().__init__()
        self.bench.deploy_another()
        self.model = Model(ADMIN)
        self.touched = 1
        self.calls = 0
        self.compared = 0

    @initialize(sites=st.integers(3, 9), count=st.integers(4, 12), begun=st.sampled_from((True,) * 5 + (False,)))
    def set_up(self, sites: int, count: int, begun: bool) -> None:
        for key, mask in RIGHTS.items():
            self.grants(ADMIN, key, cells_of(mask))
        if begun:
            self.opens(1, sites, REGISTRAR)
            self.submits(1, 0, count, REGISTRAR)
            rows = [(number, int(Status.ELIGIBLE), 0, 0, 1) for number in range(1, count + 1) if number % 4]
            self.record(CLERK, 1, 0, [(rows[at : at + 4] + [PADDING] * 3)[:4] for at in range(0, len(rows), 4)])
            self.commits(1, 0, 1, ALLOCATOR)

    @rule(data=st.data())
    def goes_on(self, data: st.DataObject) -> None:
        """One rule for everything, so that its parts are drawn in these proportions."""
        if self.model.paused and data.draw(st.booleans()):
            self.pauses(PAUSER, paused=False)
        match data.draw(st.sampled_from(("record", "record", "record", "season", "administration"))):
            case "record":
                self.records(data)
            case "season":
                self.records_nothing(data)
            case _:
                self.administers(data)

    def administers(self, data: st.DataObject) -> None:
        model = self.model
        match data.draw(st.sampled_from(("grant", "restore", "restore", "propose", "accept", "pause", "resume"))):
            case "grant":
                self.grants(data.draw(key_or(model.admin)), data.draw(any_key), data.draw(some_cells))
            case "restore":
                for key, mask in RIGHTS.items():
                    if model.rights[key] != cells_of(mask):
                        self.grants(model.admin, key, cells_of(mask))
            case "propose":
                self.proposes(data.draw(key_or(model.admin)), data.draw(st.one_of(st.none(), any_key)))
            case "accept":
                if model.candidate is None:
                    self.proposes(model.admin, data.draw(any_key))
                self.accepts(data.draw(key_or(model.candidate or ADMIN)))
            case "pause":
                self.pauses(data.draw(key_or(PAUSER)), paused=True)
                self.records_nothing(data)
            case _:
                self.pauses(data.draw(key_or(PAUSER)), paused=False)

    def grants(self, by: str, key: str, cells: frozenset[tuple[int, int]]) -> None:
        mask = sum(1 << (16 * before + after) for before, after in cells)
        self.agree(self.model.grant(by, key, cells), by, "grant", self.bench.keyring.address(key), mask)

    def proposes(self, by: str, candidate: str | None) -> None:
        address = NOBODY if candidate is None else self.bench.keyring.address(candidate)
        self.agree(self.model.propose(by, candidate), by, "propose_admin", address)

    def accepts(self, by: str) -> None:
        self.agree(self.model.accept(by), by, "accept_admin")

    def pauses(self, by: str, *, paused: bool) -> None:
        self.agree(self.model.pause(by, paused=paused), by, "set_paused", paused)

    def records_nothing(self, data: st.DataObject) -> None:
        season, offset = data.draw(st.sampled_from((1, 1, 2))), data.draw(offsets)
        match data.draw(st.sampled_from(("open", "submit", "submit", "commit", "commit", "close"))):
            case "open":
                sites = data.draw(st.one_of(st.integers(0, 9), st.just(2**24)))
                self.opens(data.draw(st.sampled_from((1, 2, 2, 2))), sites, data.draw(key_or(REGISTRAR)))
            case "submit":
                self.submits(season, offset, data.draw(st.integers(0, 10)), data.draw(key_or(REGISTRAR)))
            case "commit":
                self.commits(season, offset, data.draw(st.integers(0, 3)), data.draw(key_or(ALLOCATOR)))
            case _:
                self.closes(data.draw(st.sampled_from((1, *[2] * 9))), offset, data.draw(key_or(ADMIN)))

    def opens(self, season: int, sites: int, by: str) -> None:
        self.touched = season
        self.agree(self.model.open(by, season, sites), by, "open_season", season, b"r" * 32, sites)

    def submits(self, season: int, offset: int, count: int, by: str) -> None:
        seq = self.seq(season, offset)
        commitments = [bytes([n]) * 32 for n in range(count)]
        self.agree(self.model.submit(by, season, seq, count), by, "submit", season, seq, commitments)

    def commits(self, season: int, offset: int, topic: int, by: str) -> None:
        seq = self.seq(season, offset)
        self.agree(self.model.commit(by, season, seq, topic), by, "commit", season, seq, topic, b"d" * 32)

    def closes(self, season: int, offset: int, by: str) -> None:
        seq = self.seq(season, offset)
        self.agree(self.model.close(by, season, seq), by, "close_season", season, seq)

    def records(self, data: st.DataObject) -> None:
        """Batches of legal steps by the roles that may, and every third of them spoilt in one way."""
        season = data.draw(st.sampled_from([*self.model.seasons] * 9 + [1, 2]))
        for role in [*data.draw(st.permutations(sorted(KEY_OF_ROLE)))[:2], Role.ALLOCATOR]:
            rows = self.legal_rows(season, role, data)
            if not rows and data.draw(st.integers(0, 9)) < 9:
                continue
            giving = [place for place, row in enumerate(rows) if row[2]]
            twists = SITE_TWISTS if giving and data.draw(st.booleans()) else TWISTS
            twist = data.draw(st.sampled_from(twists)) if data.draw(st.integers(0, 2)) == 2 else None
            by, offset = KEY_OF_ROLE[role], 0
            found = self.model.seasons.get(season)
            many, last = (len(found.applications), found.site_count) if found else (0, 0)
            at = data.draw(st.integers(0, max(len(rows) - 1, 0)))
            number, after, width, first, reason = rows[at] if rows else (1, 2, 0, 0, 1)
            match twist:
                case "key":
                    by = data.draw(any_key)
                case "seq":
                    offset = data.draw(st.sampled_from((-1, 1)))
                case "number":
                    rows[at : at + 1] = [
                        (data.draw(st.sampled_from((0, many + 1, 2**24 - 1))), after, width, first, reason)
                    ]
                case "status":
                    rows[at : at + 1] = [(number, data.draw(st.integers(0, 15)), width, first, reason)]
                case "place":
                    rows[at : at + 1] = [
                        (number, after, data.draw(st.integers(0, 15)), data.draw(st.integers(0, 9)), 1)
                    ]
                case "site":
                    at = giving[-1]
                    place = (data.draw(st.integers(0, 15)), data.draw(st.integers(max(last - 2, 0), last + 1)))
                    rows[at] = (*rows[at][:2], *place, reason)
                case "taken":
                    held = [*found.taken(), *(row[3] for row in rows[: giving[-1]] if row[2])]
                    at = giving[-1]
                    rows[at] = (
                        *rows[at][:2],
                        data.draw(st.integers(1, 2)),
                        data.draw(st.sampled_from(held or [1])),
                        reason,
                    )
                case "again":
                    rows.append((number, after, width, first, reason))
            padded = rows + [PADDING] * (-len(rows) % 4)
            words = [padded[at : at + 4] for at in range(0, len(padded), 4)]
            if twist == "hole" and words:
                row, gap = words[-1][0], [PADDING] * 2
                words[-1] = data.draw(
                    st.sampled_from(([row, PADDING, row, PADDING], [row, *gap, row], [PADDING, row, *gap]))
                )
            elif twist == "nothing":
                words.append([PADDING] * 4)
            self.record(by, season, offset, words)

    def legal_rows(self, season: int, role: Role, data: st.DataObject) -> list[Row]:
        """Some applications one step on, with free sites where they are given."""
        found = self.model.seasons.get(season)
        if found is None:
            return []
        free = sorted(set(range(1, found.site_count + 1)) - found.taken().keys())
        rows: list[Row] = []
        for number, each in found.applications.items():
            legal = [
                int(after) for (start, after), roles in TRANSITIONS.items() if start == each.status and roles & role
            ]
            # Leaving for good is legal almost anywhere, and would soon be all that is left to do.
            legal = [after for after in legal if after != Status.WITHDRAWN or data.draw(st.integers(0, 5)) == 5]
            if not legal or data.draw(st.integers(0, 3)) == 3:
                continue
            after = data.draw(st.sampled_from(legal))
            width = first = 0
            if after in HOLDS_SITE and each.status not in HOLDS_SITE:
                if not free:
                    continue
                first = free[0]
                width = 2 if first + 1 in free and data.draw(st.booleans()) else 1
                free = free[width:]
            rows.append((number, after, width, first, data.draw(st.integers(0, 255))))
        return rows

    def record(self, by: str, season: int, offset: int, words: list[list[Row]]) -> None:
        seq = self.seq(season, offset)
        packed = [
            sum(
                (number << 40 | status << 36 | width << 32 | first << 8 | reason) << 64 * (3 - place)
                for place, (number, status, width, first, reason) in enumerate(word)
            )
            for word in words
        ]
        self.agree(self.model.record(by, season, seq, words), by, "record", season, seq, packed)

    def seq(self, season: int, offset: int) -> int:
        self.touched = season
        found = self.model.seasons.get(season)
        return max(0, (found.calls if found else 0) + offset)

    def agree(self, broken: set[str], by: str, function: str, *arguments: object) -> None:
        """The contract refuses where a rule is broken, for that reason, and takes what breaks none."""
        said = self.bench.try_(by, function, *arguments)
        assert (said in broken) if broken else (said is None), (function, said, broken)
        self.calls += 1
        if (
            not broken or self.calls % 4 == 0
        ):  # a refused call leaves a transaction without effect: now and then, it is sent
            assert self.bench.write(by, function, *arguments) == (0 if broken else 1)

    @invariant()
    def chain_and_model_agree(self) -> None:
        """Not after each step, which most of the time would go into: a difference stays."""
        if self.calls - self.compared >= 5:
            self.compared = self.calls
            self.compare(self.touched)

    def compare(self, season_no: int) -> None:
        """The history, whose state the contract holds as its client finds, is that of the model."""
        history = self.bench.ledger.history(SeasonNo(season_no))
        assert history.findings == ()
        told, model = history.administration, self.model
        addresses = {name: self.bench.keyring.address(name).lower() for name in KEY_NAMES}
        assert told.admin == addresses[model.admin]
        assert told.candidate == (addresses[model.candidate] if model.candidate else NOBODY)
        assert (told.paused, told.next_seq) == (model.paused, model.admin_calls)
        assert {key: cells_of(mask) for key, mask in told.rights.items()} == {
            addresses[key]: cells for key, cells in model.rights.items()
        }
        season = model.seasons.get(season_no)
        if season is None:
            assert history.next_seq == 0
            return
        assert (history.next_seq, history.closed, history.site_count) == (
            season.calls,
            season.closed,
            season.site_count,
        )
        for number in range(1, len(season.applications) + 1):
            each = season.applications[number]
            first = each.sites[0] if each.sites else 0
            assert (
                history.status[number],
                history.width[number],
                history.site_no[number],
                history.reason[number],
            ) == (each.status, len(each.sites), first, each.reason)
        assert len(history.status) == len(season.applications) + 1

    def teardown(self) -> None:
        """At the end everything is compared, and the single views say the same once more."""
        for season_no in (1, 2):
            self.compare(season_no)
        for number, season in self.model.seasons.items():
            for application, each in list(season.applications.items())[:4]:
                first = each.sites[0] if each.sites else 0
                assert self.bench.view("application_state", number, application) == [
                    each.status,
                    len(each.sites),
                    first,
                ]
            taken = season.taken()
            for site in range(min(season.site_count, 4) + 2):
                assert self.bench.view("site_taken", number, site) == (site in taken)


@pytest.mark.parametrize(
    ("engine", "lives"),
    [
        pytest.param("anvil", 10, marks=pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")),
        ("py-evm", 1),
    ],
)
def test_lives_of_a_contract(engine, lives, tmp_path):
    bench = Bench(tmp_path, prefer=engine)
    machine = type("Contract", (Contract,), {"bench": bench})
    chosen = settings(
        max_examples=instances(lives),
        stateful_step_count=50,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(machine, settings=chosen)
    finally:
        bench.node.close()
