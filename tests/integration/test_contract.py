"""The contract on a real node: what it must allow, and everything that it must refuse."""

from __future__ import annotations

import json

import pytest
from eth_utils.address import to_checksum_address
from web3.exceptions import ContractLogicError

from chain.client import LedgerClient
from chain.contract.artifact import artifact
from chain.contract.build import ARTIFACT, SOURCE, compiled, generated_source
from chain.deployment import deploy
from chain.keyring import ADMIN, ALLOCATOR, CLERK, DESK, KEY_NAMES, REGISTRAR, Keyring, default_password
from chain.node.manager import open_node
from chain.records import pack
from fairalloc.errors import ChainUnavailableError, StateConflictError
from fairalloc.ledger import ApplicationNo, Commit, OpenSeason, Record, SeasonNo, SiteNo, Submit, Topic, Transition
from fairalloc.reasons import Reason
from fairalloc.status import HOLDS_SITE, TRANSITIONS, Role, Status

ROLE_OF_KEY = {REGISTRAR: Role.REGISTRAR, CLERK: Role.CLERK, ALLOCATOR: Role.ALLOCATOR, DESK: Role.DESK}
SITES = 40
S = Status
# One application for each status, by the shortest way there.
WAYS = {
    S.SUBMITTED: (),
    S.ELIGIBLE: (S.ELIGIBLE,),
    S.REJECTED: (S.REJECTED,),
    S.ALLOCATED: (S.ELIGIBLE, S.ALLOCATED),
    S.WAITLISTED: (S.ELIGIBLE, S.WAITLISTED),
    S.CONFIRMED: (S.ELIGIBLE, S.ALLOCATED, S.CONFIRMED),
    S.DECLINED: (S.ELIGIBLE, S.ALLOCATED, S.DECLINED),
    S.EXPIRED: (S.ELIGIBLE, S.ALLOCATED, S.EXPIRED),
    S.ATTENDED: (S.ELIGIBLE, S.ALLOCATED, S.CONFIRMED, S.ATTENDED),
    S.NO_SHOW: (S.ELIGIBLE, S.ALLOCATED, S.CONFIRMED, S.NO_SHOW),
    S.REVOKED: (S.ELIGIBLE, S.ALLOCATED, S.CONFIRMED, S.REVOKED),
    S.APPEALED: (S.REJECTED, S.APPEALED),
    S.CLOSED: (S.ELIGIBLE, S.WAITLISTED, S.CLOSED),
    S.WITHDRAWN: (S.WITHDRAWN,),
}


def step(number, status, site=0, width=None, reason=Reason.MEETS_RULES):
    gives = site if width is None else width
    return Transition(ApplicationNo(number), status, reason, SiteNo(site), 1 if gives and width is None else gives)


class Bench:
    """A deployed contract and its keys; ``try_`` asks without writing, ``write`` writes."""

    def __init__(self, folder):
        self.keyring = Keyring.open(folder / "keys", default_password(folder / "keys"))
        self.node = open_node(folder / "node", self.keyring.addresses())
        self.address = deploy(self.node, self.keyring)
        self.ledger = LedgerClient(self.node, self.address, self.keyring)
        self.contract = self.node.w3.eth.contract(address=to_checksum_address(self.address), abi=artifact().abi)

    def try_(self, key, function, *arguments):
        """None where the contract would take the call, else its words."""
        sender = to_checksum_address(self.keyring.address(key))
        try:
            getattr(self.contract.functions, function)(*arguments).call({"from": sender})
        except ContractLogicError as error:
            return str(error.message).removeprefix("execution reverted: ")
        return None

    def write(self, key, function, *arguments):
        eth = self.node.w3.eth
        sender = to_checksum_address(self.keyring.address(key))
        data = self.contract.encode_abi(function, args=list(arguments))
        raw, _ = self.keyring.sign(
            key,
            {"chainId": eth.chain_id, "gas": 16_000_000, "gasPrice": 0, "from": sender, "to": self.contract.address}
            | {"nonce": eth.get_transaction_count(sender), "value": 0, "data": data},
        )
        (receipt,) = self.node.submit([raw])
        return receipt["status"]

    def seq(self, season):
        return self.contract.functions.season_state(season).call()[0]

    def record(self, key, season, *steps):
        return self.write(key, "record", season, self.seq(season), words(*steps))

    def try_record(self, key, season, *steps):
        return self.try_(key, "record", season, self.seq(season), words(*steps))

    def open(self, season, applications, *, inputs=True):
        assert self.write(REGISTRAR, "open_season", season, b"r" * 32, SITES)
        assert self.write(REGISTRAR, "submit", season, 1, [bytes([n]) * 32 for n in range(applications)])
        if inputs:
            assert self.write(ALLOCATOR, "commit", season, 2, 1, b"i" * 32)


def words(*steps):
    packed = pack(steps)
    return [int.from_bytes(packed[at : at + 32], "big") for at in range(0, len(packed), 32)]


def key_for(before, after):
    roles = TRANSITIONS[before, after]
    return next(name for name, role in ROLE_OF_KEY.items() if role & roles)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    made = Bench(tmp_path_factory.mktemp("contract"))
    yield made
    made.node.close()


@pytest.fixture(scope="module")
def zoo(bench):
    """Season 1: application n has status n."""
    bench.open(1, len(WAYS))
    for number, (status, way) in enumerate(WAYS.items(), start=1):
        assert int(status) == number
        before = S.SUBMITTED
        for after in way:
            site = number if after == S.ALLOCATED else 0
            assert bench.record(key_for(before, after), 1, step(number, after, site)) == 1
            before = after
    return bench


def test_the_artifact_is_what_the_source_compiles_to():
    source = SOURCE.read_text()
    assert generated_source(source) == source
    assert json.loads(ARTIFACT.read_text()) == compiled(source)


@pytest.mark.parametrize("key", [*ROLE_OF_KEY, ADMIN])
def test_the_whole_table_for_every_key(zoo, key):
    """16 x 16 cells: exactly the transitions of the status machine, for exactly the roles that it names."""
    role = ROLE_OF_KEY.get(key, Role(0))
    for before in range(16):
        number = before or 100  # application 100 was never submitted: its status is 0
        for after in range(16):
            legal = bool(TRANSITIONS.get((before, after), Role(0)) & role) and before != 0
            gives = after in HOLDS_SITE and before not in HOLDS_SITE
            said = zoo.try_record(key, 1, step(number, after, 30 if gives else 0))
            assert (said is None) == legal, f"{before} -> {after} with {key}: {said}"


@pytest.fixture(scope="module")
def fresh(bench):
    """Season 2: sixteen eligible applications, nothing given yet."""
    bench.open(2, 16)
    assert bench.record(CLERK, 2, *(step(n, S.ELIGIBLE) for n in range(1, 17)))
    return bench


@pytest.mark.parametrize(
    ("steps", "words_"),
    [
        ([step(1, S.ALLOCATED, 5), step(2, S.ALLOCATED, 5)], "site taken"),
        ([step(1, S.ALLOCATED, 5, 3), step(2, S.ALLOCATED, 7)], "site taken"),
        ([step(1, S.ALLOCATED, 5), step(1, S.ALLOCATED, 6)], "illegal transition"),
        ([step(1, S.ALLOCATED, SITES + 1)], "bad site"),
        ([step(1, S.ALLOCATED, SITES, 2)], "bad site"),
        ([step(1, S.ALLOCATED, 0, 1)], "bad site"),
        ([step(1, S.ALLOCATED, 3, 0)], "bad site"),
        ([step(1, S.WAITLISTED, 3)], "site not expected"),
        ([step(17, S.WAITLISTED)], "unknown application"),
        ([], "empty"),
    ],
)
def test_what_a_batch_must_not_hold(fresh, steps, words_):
    assert fresh.try_record(ALLOCATOR, 2, *steps) == words_


def test_padding_is_at_the_end_and_nowhere_else(fresh):
    (word,) = words(step(1, S.WAITLISTED), step(2, S.WAITLISTED))
    seq = fresh.seq(2)
    assert fresh.try_(ALLOCATOR, "record", 2, seq, [word]) is None
    gap = (word >> 192 << 192) | ((word >> 128) & (2**64 - 1)) << 64
    assert fresh.try_(ALLOCATOR, "record", 2, seq, [gap]) == "bad padding"
    assert fresh.try_(ALLOCATOR, "record", 2, seq, [word >> 64]) == "empty word"
    assert fresh.try_(ALLOCATOR, "record", 2, seq, [word, 0]) == "empty word"
    assert fresh.try_(ALLOCATOR, "record", 2, seq, [word | 1]) == "bad padding"


def test_only_the_next_call_is_taken(fresh):
    seq = fresh.seq(2)
    for wrong in (0, seq - 1, seq + 1, 2**64):
        assert fresh.try_(ALLOCATOR, "record", 2, wrong, words(step(1, S.WAITLISTED))) == "out of sequence"
        assert fresh.try_(ALLOCATOR, "commit", 2, wrong, 2, b"d" * 32) == "out of sequence"
        assert fresh.try_(REGISTRAR, "submit", 2, wrong, [b"c" * 32]) == "out of sequence"


def test_who_may_do_what_else(fresh):
    seq = fresh.seq(2)
    calls = {
        REGISTRAR: (("open_season", 9, b"r" * 32, 5), ("submit", 2, seq, [b"c" * 32])),
        ALLOCATOR: (("commit", 2, seq, 2, b"d" * 32),),
    }
    for owner, owned in calls.items():
        for call in owned:
            for key in KEY_NAMES:
                assert (fresh.try_(key, *call) is None) == (key == owner), (key, call)
    for key in KEY_NAMES:
        granted = fresh.try_(key, "grant", fresh.keyring.address(DESK), 1 << 18)
        assert (granted is None) == (key == ADMIN)
    assert (
        fresh.try_(ADMIN, "grant", fresh.keyring.address(DESK), 1 << (16 * S.REJECTED + S.ALLOCATED)) == "illegal mask"
    )


def test_a_season_opens_once_and_counts_its_sites(fresh):
    assert fresh.try_(REGISTRAR, "open_season", 2, b"r" * 32, 5) == "already open"
    assert fresh.try_(REGISTRAR, "open_season", 3, b"r" * 32, 2**24) == "too many sites"
    assert fresh.try_(REGISTRAR, "submit", 77, 1, [b"c" * 32]) == "not open"
    assert fresh.try_(ALLOCATOR, "commit", 2, fresh.seq(2), 0, b"d" * 32) == "no topic"


def test_nothing_is_decided_before_the_inputs_are_fixed(bench):
    bench.open(4, 3, inputs=False)
    assert bench.record(CLERK, 4, step(1, S.ELIGIBLE), step(2, S.ELIGIBLE))
    assert bench.try_record(ALLOCATOR, 4, step(1, S.ALLOCATED, 1)) == "illegal transition"
    assert bench.try_record(ALLOCATOR, 4, step(2, S.WAITLISTED)) == "illegal transition"
    assert bench.write(ALLOCATOR, "commit", 4, bench.seq(4), 1, b"i" * 32)
    assert bench.try_record(ALLOCATOR, 4, step(1, S.ALLOCATED, 1), step(2, S.WAITLISTED)) is None


def test_a_freed_site_can_be_given_again(bench):
    bench.open(5, 2)
    assert bench.record(CLERK, 5, step(1, S.ELIGIBLE), step(2, S.ELIGIBLE))
    assert bench.record(ALLOCATOR, 5, step(1, S.ALLOCATED, 7, 3))
    assert [bench.contract.functions.site_taken(5, n).call() for n in range(6, 11)] == [False, True, True, True, False]
    assert bench.contract.functions.application_state(5, 1).call() == [S.ALLOCATED, 3, 7]
    assert bench.try_record(ALLOCATOR, 5, step(2, S.ALLOCATED, 9)) == "site taken"
    assert bench.record(DESK, 5, step(1, S.DECLINED))
    assert not any(bench.contract.functions.site_taken(5, n).call() for n in range(6, 11))
    assert bench.contract.functions.application_state(5, 1).call() == [S.DECLINED, 0, 0]
    assert bench.record(ALLOCATOR, 5, step(2, S.ALLOCATED, 9))


def test_all_of_a_batch_or_nothing(bench):
    bench.open(6, 10)
    before = bench.contract.functions.season_state(6).call()
    assert bench.record(CLERK, 6, *(step(n, S.ELIGIBLE) for n in range(1, 11)), step(3, S.REJECTED)) == 0
    assert bench.contract.functions.season_state(6).call() == before
    assert bench.contract.functions.application_state(6, 1).call() == [S.SUBMITTED, 0, 0]


def test_paused_and_closed_mean_stop(bench):
    bench.open(7, 2)
    seq = bench.seq(7)
    assert bench.write(ADMIN, "grant", bench.keyring.address(ADMIN), (1 << 32) | (1 << 48))
    assert bench.write(ADMIN, "set_paused", True)
    for key, *call in (
        (REGISTRAR, "open_season", 8, b"r" * 32, 5),
        (REGISTRAR, "submit", 7, seq, [b"c" * 32]),
        (CLERK, "record", 7, seq, words(step(1, S.ELIGIBLE))),
        (ALLOCATOR, "commit", 7, seq, 2, b"d" * 32),
        (ADMIN, "close_season", 7, seq),
    ):
        assert bench.try_(key, *call) == "paused"
    assert bench.write(ADMIN, "set_paused", False)
    assert bench.try_(CLERK, "close_season", 7, seq) == "no right"
    assert bench.write(ADMIN, "close_season", 7, seq)
    assert bench.try_record(CLERK, 7, step(1, S.ELIGIBLE)) == "closed"


def test_the_administration_changes_hands_in_two_steps(tmp_path):
    bench = Bench(tmp_path)
    try:
        assert bench.try_(DESK, "accept_admin") == "not proposed"
        assert bench.try_(DESK, "propose_admin", bench.keyring.address(DESK)) == "not admin"
        assert bench.write(ADMIN, "propose_admin", bench.keyring.address(DESK))
        assert bench.contract.functions.admin().call() == bench.keyring.address(ADMIN)
        assert bench.try_(CLERK, "accept_admin") == "not proposed"
        assert bench.write(DESK, "accept_admin")
        assert bench.contract.functions.admin().call() == bench.keyring.address(DESK)
        assert bench.try_(ADMIN, "grant", bench.keyring.address(ADMIN), 0) == "not admin"
        assert bench.try_(DESK, "accept_admin") == "not proposed"
    finally:
        bench.node.close()


def test_gas_stays_where_it_was_measured(bench):
    """Gas is exact, not a timing: a thousand at once, per transition. Three of four are below the published figures."""
    ledger, season = bench.ledger, SeasonNo(50)
    numbers = range(1, 1001)
    calls = [
        OpenSeason(season, b"r" * 32, 2000),
        Submit(season, 1, tuple(n.to_bytes(32, "big") for n in numbers)),
        Record(season, 2, tuple(step(n, S.ELIGIBLE) for n in numbers)),
        Commit(season, 3, Topic.INPUTS, b"i" * 32),
        Record(season, 4, tuple(step(n, S.ALLOCATED, n) for n in numbers)),
    ]
    mined = ledger.send(ledger.sign(calls))
    submit, screen, allocate = (mined[place].gas_used / 1000 for place in (1, 2, 4))
    assert submit < 3_830
    assert screen < 1_500
    assert allocate < 2_100


def test_the_client_repeats_nothing(bench):
    ledger, season = bench.ledger, SeasonNo(60)
    signed = ledger.sign([OpenSeason(season, b"r" * 32, 5), Submit(season, 1, (b"a" * 32,))])
    first = ledger.send(signed)
    assert ledger.send(signed) == first
    assert ledger.season_head(season).next_seq == 2
    assert ledger.season_head(SeasonNo(61)) is None


def test_a_refused_call_is_an_error_that_says_why(bench):
    ledger, season = bench.ledger, SeasonNo(62)
    ledger.send(ledger.sign([OpenSeason(season, b"r" * 32, 5)]))
    with pytest.raises(ChainUnavailableError, match="out of sequence"):
        ledger.send(ledger.sign([Submit(season, 3, (b"a" * 32,))]))
    with pytest.raises(StateConflictError, match="mixes"):
        ledger.sign([Record(season, 1, (step(1, S.ELIGIBLE), step(2, S.DECLINED)))])
    with pytest.raises(StateConflictError, match="no keys"):
        LedgerClient(bench.node, bench.address).sign([Submit(season, 1, (b"a" * 32,))])
