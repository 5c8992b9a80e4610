"""What an audit of an export does not wait for."""

from __future__ import annotations

import subprocess
import sys

WORDS = """
import sys, cli
cli.program()
import chain.client, chain.node.export, fairalloc.commands.auditing
print(*sorted({"eth_account", "ortools", "pandas", "sqlmodel", "web3"} & sys.modules.keys()))
"""


def test_an_audit_of_an_export_loads_no_large_library_that_it_never_asks():
    done = subprocess.run([sys.executable, "-c", WORDS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
