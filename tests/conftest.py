"""Fixtures that several kinds of tests share: the command line as a user has it, and the real data where it is."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REAL_DATA = ROOT.parent / "shared" / "real"

Cli = Callable[..., subprocess.CompletedProcess[str]]
InProcess = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Runs `fairalloc` as a process in an empty folder of its own."""

    def run(*arguments: object, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "NO_COLOR": "1", "COLUMNS": "200"}
        environment.pop("FAIRALLOC_STATE", None)
        words = [sys.executable, str(ROOT / "cli.py"), *map(str, arguments)]
        done = subprocess.run(
            words, capture_output=True, text=True, cwd=tmp_path, env=environment, timeout=300, check=False
        )
        if expect is not None:
            assert done.returncode == expect, f"{words}\n{done.stdout}\n{done.stderr}"
        return done

    return run


def sample_season(folder: Path, more: str) -> None:
    """Put the sample season into a folder, as `season`, with some more rules at the end."""
    shutil.copytree(ROOT / "data" / "sample", folder / "season")
    with (folder / "season" / "season.toml").open("a") as rules:
        rules.write(more)


def run_inside(folder: Path, *arguments: object, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
    """Runs `fairalloc` in a folder without a process of its own: most of what a short command takes is its start."""
    import cli
    from fairalloc import console

    stdout, stderr = io.StringIO(), io.StringIO()
    words = ["fairalloc", *map(str, arguments)]
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
        patch.chdir(folder)
        patch.setattr(sys, "argv", words)
        patch.setenv("NO_COLOR", "1")
        for stream in (console.out, console.err):
            patch.setattr(stream, "width", 200)
        for name in ("FAIRALLOC_STATE", "FAIRALLOC_DB", "FAIRALLOC_RPC"):
            patch.delenv(name, raising=False)
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
    done = subprocess.CompletedProcess(words, code, stdout.getvalue(), stderr.getvalue())
    if expect is not None:
        assert code == expect, f"{words}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture
def inside(tmp_path: Path) -> Cli:
    """As `cli`, without a process of its own."""

    def run(*arguments: object, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        return run_inside(tmp_path, *arguments, expect=expect)

    return run


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with real data, which is not part of the project."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"the real data is not beside the checkout (looked for {REAL_DATA.name} in ../shared)")
    return REAL_DATA


@pytest.fixture
def fairalloc(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> InProcess:
    """Runs `fairalloc` inside this process, in an empty folder of its own: (exit code, stdout, stderr)."""
    import cli

    monkeypatch.chdir(tmp_path)
    for name in ("FAIRALLOC_STATE", "FAIRALLOC_DB", "FAIRALLOC_RPC"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["fairalloc", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run
