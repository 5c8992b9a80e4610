"""Seasons published through crashes, full disks, lost blocks and lies: each ends with every transition there once.

Each seed chooses its hazards; ``python -m tests.integration.test_faults SEED`` repeats one, with all that happened.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from chain.node.anvil_process import find_anvil
from tests.scale import instances
from tests.simulator import hazards
from tests.simulator.by_url import Anvil, World
from tests.simulator.embedded import Home, deployed
from tests.simulator.hazards import Hazards
from tests.simulator.run import simulate

pytestmark = pytest.mark.skipif(find_anvil() is None, reason="anvil is not installed")
SEEDS = instances(50, at_least=50)
PARTS = 5
ON_ONE_ANVIL = 100
"""After some hundred seeds, anvil has forgotten the state that each of them goes back to."""
AT_HOME = 10
"""Of so many seeds one runs on the embedded node, and every other of these on py-evm."""


class Bench:
    """The anvil of the seeds by URL, and the folders that those on an embedded node begin with."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._anvil = Anvil(folder)
        self._left = ON_ONE_ANVIL
        self._bases: dict[str, Path] = {}

    def run(self, seed: int) -> Counter[str]:
        with tempfile.TemporaryDirectory(dir=self._folder) as name:
            folder = Path(name)
            if seed % AT_HOME:
                self._renew()
                return simulate(seed, World(self._anvil, Hazards(seed)), folder)
            engine = "anvil" if seed % (2 * AT_HOME) else "py-evm"
            if engine not in self._bases:
                self._bases[engine] = deployed(self._folder / engine, engine)
            home = Home(self._bases[engine], folder, engine, Hazards(seed, hazards.EVERYWHERE))
            return simulate(seed, home, folder)

    def close(self) -> None:
        self._anvil.close()

    def _renew(self) -> None:
        if not self._left:
            self._anvil.close()
            self._anvil = Anvil(self._folder)
            self._left = ON_ONE_ANVIL
        self._left -= 1


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with closing(Bench(tmp_path_factory.mktemp("faults"))) as made:
        yield made


@pytest.mark.parametrize("part", range(PARTS))
def test_whatever_happens_each_transition_is_there_once(bench, part):
    happened: Counter[str] = Counter()
    for seed in range(part * SEEDS // PARTS, (part + 1) * SEEDS // PARTS):
        try:
            happened += bench.run(seed)
        except BaseException:
            print(f"again: python -m tests.integration.test_faults {seed}")  # noqa: T201
            raise
    assert sum(happened[kind] > 0 for kind in hazards.BY_URL) >= 3


def test_the_seeds_choose_every_hazard_and_several_at_once():
    chosen = [Hazards(seed).kinds for seed in range(SEEDS) if seed % AT_HOME]
    assert frozenset().union(*chosen) == set(hazards.BY_URL)
    assert max(map(len, chosen)) >= 4


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, closing(Bench(Path(place))) as again:
        print(again.run(int(sys.argv[1])))  # noqa: T201
