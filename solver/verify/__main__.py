"""The checker by itself: `python -m solver.verify BUNDLE` prints its verdict as JSON, with the files that it has read.

Ends with 5 where anything was found, as every check does.
"""

from __future__ import annotations

import gc
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path

from solver.verify import check_files

FOUND = 5


def main(folder: Path) -> int:
    """Check the files of a folder."""
    gc.disable()  # rows and sums hold no circles: looking for some is a seventh of the work
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
    verdict = check_files(files)
    read = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    sys.stdout.write(json.dumps({**asdict(verdict), "read": read}) + "\n")
    return FOUND if verdict.findings else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
