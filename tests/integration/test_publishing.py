"""Publishing to a node that is somebody else's, one trouble at a time: what is told, tried, and never done."""

from __future__ import annotations

import contextlib
import itertools
from contextlib import closing
from dataclasses import replace

import pytest

from chain.fees import offered
from chain.node.anvil_process import find_anvil
from data.store import open_store
from fairalloc.errors import ChainUnavailableError, FairallocError, StateConflictError
from fairalloc.ledger import FeeMode
from fairalloc.progress import Silent
from fairalloc.services.publishing import FINALIZED, Pace, publish
from tests.simulator.by_url import BASE_FEE, LIES_TOLD, Anvil, World
from tests.simulator.hazards import LIES, Hazards, RiskyStore
from tests.simulator.run import check_end
from tests.simulator.script import SEASON, Script, content

pytestmark = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")
BLOCK_GAS = 30_000_000


class Calm(Hazards):
    """Nothing goes wrong by itself; with ``lying`` each answer that a lie is about is a lie."""

    lying = False

    def chance(self, kind: str, _share: float) -> bool:
        return self.lying and kind == LIES

    def point(self, name):
        pass


class Case:
    """A season on the way to the chain, in a world in which a test makes things happen."""

    def __init__(self, anvil, folder):
        anvil.ask("evm_setBlockGasLimit", hex(BLOCK_GAS))
        self.url = f"sqlite:///{folder / 'season.db'}"
        self.hazards = Calm(0)
        self.world = World(anvil, self.hazards)
        self.world.lies = []
        self.anvil, self.ask = anvil, anvil.ask
        self.store = RiskyStore(open_store(self.url), self.hazards, self.world.check)
        self.script = Script(1)
        self.script.batch = 9
        self.then = lambda: None
        self.pace = Pace(1.0, 6.0, 30.0, 0, lambda: self.world.now, self._sleep)
        self.script.begin(self.store)

    def _sleep(self, seconds):
        self.then()
        self.world.sleep(seconds)

    def go_on(self):
        for stage in range(len(self.script.stages)):
            self.script.go_on(self.store, stage)

    def publish(self, fees=FeeMode.AUTO, **pace):
        with self.world.ledger(fees) as ledger:
            return publish(self.store, ledger, SEASON, Silent(), replace(self.pace, **pace))

    def refused(self, *arguments, **pace):
        with pytest.raises(FairallocError) as told:
            self.publish(*arguments, **pace)
        return told.value

    def entries(self):
        return self.store.outbox(SEASON, unmined_only=False)

    def check(self):
        with self.world.ledger(FeeMode.AUTO) as ledger:
            check_end(self.store, ledger, self.script)


@pytest.fixture(scope="module")
def anvil(tmp_path_factory):
    with closing(Anvil(tmp_path_factory.mktemp("anvil"))) as started:
        yield started


@pytest.fixture
def case(anvil, tmp_path):
    made = Case(anvil, tmp_path)
    yield made
    made.store.close()


def test_a_season_by_several_keys_and_again(case):
    case.go_on()
    sent = case.publish()
    case.check()
    assert (sent.calls, sent.transitions) == (len(case.entries()), len(case.script.steps))
    assert sent.gas == sum(entry.mined.gas_used for entry in case.entries())
    assert {len(entry.versions) for entry in case.entries()} == {1}
    again = case.publish()
    assert (again.calls, again.gas) == (0, 0)


@pytest.mark.parametrize("lie", LIES_TOLD)
def test_a_node_that_keeps_lying_is_not_believed(case, lie):
    case.go_on()
    case.hazards.lying = True
    case.world.lies = [lie]
    case.world.sleep = lambda seconds, honest=case.world.sleep: (honest(seconds), setattr(case.world, "lies", [lie]))
    with contextlib.suppress(ChainUnavailableError, StateConflictError):
        case.publish(patience=10.0)  # whatever is marked is held against the node itself by the store
    case.hazards.lying = False
    case.publish()
    case.check()


@pytest.mark.parametrize("depth", [1, 2, 7, 64])
def test_blocks_that_are_dropped_after_the_end_are_found_out(case, depth):
    case.go_on()
    case.ask("anvil_mine", hex(64))
    case.publish()
    before = case.entries()
    case.ask("anvil_rollback", depth)
    case.ask("anvil_mine", hex(depth + 1))
    case.publish()
    case.check()
    after = case.entries()
    lost = [new.mined != old.mined for new, old in zip(after, before, strict=True)]
    assert any(lost)
    assert lost == sorted(lost)  # below the last common block nothing is touched
    assert [entry.versions for entry in after] == [entry.versions for entry in before]  # the same bytes, sent again


def test_final_is_what_so_many_blocks_follow(case):
    case.go_on()
    case.publish(confirmations=5)
    last = max(entry.mined.block_number for entry in case.entries())
    assert case.anvil.w3.eth.block_number >= last + 5
    case.publish(confirmations=FINALIZED)
    assert case.anvil.w3.eth.get_block("finalized")["number"] >= last
    case.check()


def test_a_stuck_transaction_is_signed_again_with_the_same_nonce_and_a_higher_fee(case):
    case.then = lambda: case.ask("anvil_dropAllTransactions") if case.world.now < 20 else None
    case.publish()
    (opening, *_) = case.entries()
    assert len({version.nonce for version in opening.versions}) == 1
    fees = [offered(version.raw) for version in opening.versions]
    assert len(fees) >= 3
    for before, after in itertools.pairwise(fees):
        assert after.most * 8 >= before.most * 9
        assert after.tip * 8 >= before.tip * 9
    case.go_on()
    case.publish()
    case.check()


def test_fees_end_at_a_cap_and_the_season_goes_on_once_the_chain_is_cheaper(case):
    case.publish()
    case.go_on()
    case.then = lambda: case.ask("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE * 1000))
    error = case.refused(FeeMode.LEGACY)
    if error.code != "chain.fee-cap":
        error = case.refused(FeeMode.LEGACY)
    assert error.code == "chain.fee-cap"
    assert "10 times what was offered first" in error.message
    case.then = lambda: None
    case.ask("anvil_setNextBlockBaseFeePerGas", hex(BASE_FEE))
    case.ask("evm_mine")
    case.publish(FeeMode.LEGACY)
    case.check()


def test_nothing_is_offered_where_that_is_asked_for_and_said_where_it_does_not_do(case):
    error = case.refused(FeeMode.ZERO)
    assert error.code == "chain.free"
    assert "--fees" in error.remedy
    assert offered(case.entries()[0].versions[0].raw).most == 0
    case.go_on()
    case.publish()  # with a fee it goes on from there
    case.check()


def test_nonces_that_somebody_else_has_used(case):
    case.go_on()
    case.then = lambda: case.world._use_a_nonce(case.hazards.rng) if case.world.now < 12 else None
    case.publish()
    case.check()
    assert max(len(entry.versions) for entry in case.entries()) > 1


@pytest.mark.parametrize("changed", ["chain_id", "genesis_hash", "contract", "code_hash"])
def test_another_chain_or_contract_is_refused(case, changed):
    case.publish()
    pinned = case.store.pinned(SEASON)
    case.store.pin(SEASON, replace(pinned, **{changed: 5 if changed == "chain_id" else "0x" + "22" * 20}))
    case.go_on()
    height = case.anvil.w3.eth.block_number
    error = case.refused()
    assert (error.code, changed.replace("_", " ") in error.message) == ("publish.other-chain", True)
    assert case.anvil.w3.eth.block_number == height
    case.store.pin(SEASON, pinned)
    case.publish()
    case.check()


def test_a_database_older_than_the_chain_is_told_so(case, tmp_path):
    case.publish()
    other = tmp_path / "other"
    other.mkdir()
    fresh = open_store(f"sqlite:///{other / 'season.db'}")
    case.script.begin(fresh)
    case.store = fresh
    error = case.refused()
    assert error.code == "publish.ahead"
    assert "latest backup" in error.remedy


def test_calls_are_cut_to_what_the_chain_allows_and_the_history_follows(case):
    case.go_on()
    before = [entry.call for entry in case.entries()]
    case.ask("evm_setBlockGasLimit", hex(230_000))
    case.ask("evm_mine")
    case.publish()
    case.check()
    after = case.entries()
    assert len(after) > len(before)
    assert content(entry.call for entry in after) == content(before)
    assert max(entry.mined.gas_used for entry in after) <= 230_000


def test_an_hour_without_the_node_is_an_error_and_then_goes_on(case):
    case.publish()
    case.go_on()
    case.world.gone_until = case.world.now + 3600
    assert case.refused().code == "chain.unreachable"
    case.world.now += 3600
    case.publish()
    case.check()


def test_what_a_call_takes_is_below_the_estimate(case):
    case.go_on()
    case.publish()
    with case.world.ledger(FeeMode.AUTO) as ledger:
        for entry in case.entries():
            assert entry.mined.gas_used <= ledger.gas(entry.call) < entry.mined.gas_used * 3 + 150_000
