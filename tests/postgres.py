"""A PostgreSQL cluster of one's own, where the server's programs are installed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import OperationalError

MISSING = (
    ""
    if shutil.which("initdb") and shutil.which("postgres")
    else "PostgreSQL's server programs (initdb, postgres) are not installed"
)


def _as_nobody():
    """PostgreSQL does not run as root."""
    os.setgid(65534)
    os.setuid(65534)


@contextmanager
def cluster(*, fsync: bool) -> Iterator[str]:
    """The URL of a cluster in a folder of its own, reached by a socket; both end with the block."""
    # Not below pytest's folder: that is closed to PostgreSQL's user whenever another run of pytest begins.
    with tempfile.TemporaryDirectory(prefix="pg") as folder:
        Path(folder).chmod(0o777)
        with _running(Path(folder), fsync=fsync) as url:
            yield url


@contextmanager
def _running(folder: Path, *, fsync: bool) -> Iterator[str]:
    data, drop = folder / "data", _as_nobody if os.getuid() == 0 else None
    options = {"preexec_fn": drop, "env": {**os.environ, "HOME": str(folder), "LC_ALL": "C.UTF-8"}, "cwd": folder}
    words = ["initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8"]
    subprocess.run(words, check=True, capture_output=True, **options)
    words = ["postgres", "-D", data, "-k", folder, "-c", "listen_addresses=", "-c", f"fsync={'on' if fsync else 'off'}"]
    server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    url = f"postgresql+psycopg://postgres@/postgres?host={folder}"
    try:
        for _ in range(300):
            with suppress(OperationalError), create_engine(url, poolclass=NullPool).connect():
                break
            time.sleep(0.1)
        yield url
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=20)
