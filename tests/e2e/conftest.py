"""A published season that many tests begin with: made once, by the command line, and copied for each."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """The folder of a season of 400 applications, and what its run said. Nobody may change it."""
    folder = tmp_path_factory.mktemp("published")
    words = (sys.executable, str(ROOT / "cli.py"), "run", "--synthetic", "400", "--out", "bundle", "--json")
    done = subprocess.run(words, cwd=folder, check=True, capture_output=True, timeout=300, text=True)
    return folder, json.loads(done.stdout)


@pytest.fixture
def season(published: tuple[Path, dict], tmp_path: Path) -> dict:
    """A copy of that season, to use or to spoil, in the folder where the command line runs; what its run said."""
    folder, said = published
    for name in ("bundle", ".fairalloc"):
        shutil.copytree(folder / name, tmp_path / name)
    return said
