"""One season on three nodes: the embedded anvil, py-evm, and an anvil of somebody else's with fees of the old kind."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest

from chain.client import LedgerClient
from chain.deployment import deploy
from chain.fees import offered
from chain.keyring import Keyring, default_password
from chain.node.anvil_process import find_anvil
from chain.node.genesis import CHAIN_ID
from chain.node.manager import open_node
from data.store import open_store
from fairalloc.ledger import FeeMode
from fairalloc.progress import Silent
from fairalloc.services.publishing import publish
from tests.simulator.by_url import Anvil, RpcNode
from tests.simulator.run import check_end
from tests.simulator.script import SEASON, Script

pytestmark = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")


def test_the_same_season_has_the_same_heads_everywhere(tmp_path):
    script = Script(5)
    prepared = tmp_path / "season.db"
    store = open_store(f"sqlite:///{prepared}")
    script.begin(store)  # the salts are drawn here, once
    for stage in range(len(script.stages)):
        script.go_on(store, stage)
    store.close()
    other = Anvil(tmp_path, "--chain-id", str(CHAIN_ID))
    keyring = Keyring.open(tmp_path / "keys", default_password(tmp_path / "keys"))
    heads, kinds = [], []

    def record(node, fees, name):
        shutil.copy(prepared, tmp_path / f"{name}.db")
        ledger = LedgerClient(node, deploy(node, keyring), keyring, fees)
        with closing(open_store(f"sqlite:///{tmp_path / name}.db")) as copy:
            publish(copy, ledger, SEASON, Silent())
            check_end(copy, ledger, script)
            entries = copy.outbox(SEASON, unmined_only=False)
        heads.append(ledger.heads([entry.call for entry in entries]))
        assert heads[-1][-1] == ledger.season_head(SEASON)
        kinds.append(ledger.identity().node)
        return {offered(entry.versions[-1].raw) for entry in entries}

    with closing(other):
        other.ask("evm_setAutomine", True)
        for engine in ("anvil", "py-evm"):
            with closing(open_node(tmp_path / engine, keyring.addresses(), prefer=engine)) as node:
                assert {fee.most for fee in record(node, FeeMode.AUTO, engine)} == {0}
        assert all(fee.tip is None and fee.most > 0 for fee in record(RpcNode(other.url), FeeMode.LEGACY, "legacy"))
    assert kinds == ["anvil", "py-evm", "rpc"]
    assert heads[0] == heads[1] == heads[2]
