"""Takes one measurement and prints it as one JSON object: `python -m tests.benchmarks.one every-rule 20000`.

Whatever processes the solver starts import the main module again, and that of a command is a small one: so is this.
"""

from __future__ import annotations

import json
import sys

if __name__ == "__main__":
    from tests.benchmarks.stages import STAGES

    json.dump(STAGES[sys.argv[1]](int(sys.argv[2])), sys.stdout)
