"""Checks of the machine: packages against a lock, the disk, and that one broken check leaves the others."""

from __future__ import annotations

import shutil
from importlib.metadata import version

from fairalloc.errors import FairallocError
from fairalloc.health import Health, examine, ok, packages, state_folder


def lock(tmp_path, *lines):
    file = tmp_path / "requirements.lock"
    file.write_text("\n".join(f"{line} \\\n    --hash=sha256:00" for line in lines) + "\n")
    return next(check for check in packages(file) if check.name == "packages")


def test_packages_are_compared_with_the_lock(tmp_path):
    here = version("typer")
    assert lock(tmp_path, f"typer=={here}").health is Health.OK
    assert lock(tmp_path, f"typer[all]=={here}").health is Health.OK
    assert lock(
        tmp_path, f"typer=={here} ; python_version < '3.12'", "typer==0.0.1 ; python_version >= '3.12'"
    ).health is (Health.OK)
    assert lock(tmp_path, "no-such-package==1.0 ; sys_platform == 'win32'").health is Health.OK
    other = lock(tmp_path, "typer==0.0.1", f"pydantic=={version('pydantic')}")
    assert (other.health, f"typer: {here} instead of 0.0.1" in other.words) == (Health.FAILURE, True)
    missing = lock(tmp_path, "no-such-package==1.0")
    assert (missing.health, "missing instead of 1.0" in missing.words) == (Health.FAILURE, True)


def test_a_full_disk_is_a_failure_and_a_crowded_one_a_warning(tmp_path, monkeypatch):
    found = {}
    for free in (1 << 20, 1 << 29, 1 << 40):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, left=free: shutil._ntuple_diskusage(0, 0, left))
        found[free] = {check.name: check.health for check in state_folder(tmp_path)}["disk"]
    assert list(found.values()) == [Health.FAILURE, Health.WARNING, Health.OK]


def test_a_check_that_breaks_leaves_the_others_and_tells_no_secret():
    def broken():
        yield ok("one", "before it breaks")
        raise RuntimeError("postgresql://city:secret@db")

    def refused():
        raise FairallocError("some.code", "it is not so", "make it so")

    found = examine((("a", broken), ("b", refused), ("c", lambda: [ok("c", "well")])))
    assert [(check.name, check.health) for check in found] == [
        ("one", Health.OK),
        ("a", Health.FAILURE),
        ("b", Health.FAILURE),
        ("c", Health.OK),
    ]
    assert not any("secret" in check.words + check.remedy for check in found)
    assert found[2].remedy == "make it so"
