"""Environments of the compared tools: one each, from pinned requirements, outside of the repository."""

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).parent / "requirements"
TOOLS = ("dbt", "sqlmesh")


def default_place() -> Path:
    """Return where environments lie unless somebody says otherwise: below the user's cache."""
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "mart-platform" / "peers"


def environment_of(tool: str, place: Path) -> Path:
    """Return the folder with a tool's programs; its environment is made when there is none of these pins."""
    pinned = REQUIREMENTS / f"{tool}.txt"
    digest = hashlib.sha256(pinned.read_bytes()).hexdigest()[:12]
    ready = place / f"{tool}-{digest}"
    if not ready.exists():
        # Scripts name the interpreter by its path, so it is made where it stays, and marked when it is whole.
        half_made = place / f"{tool}-{digest}-making"
        shutil.rmtree(half_made, ignore_errors=True)
        venv.create(half_made, with_pip=True)
        install = [
            "-m",
            "pip",
            "install",
            "-qq",
            "--no-deps",
            "--require-hashes",
            "--requirement",
            str(pinned),
        ]
        subprocess.run([str(half_made / "bin" / "python"), *install], check=True)
        ready.symlink_to(half_made.name)
    return ready / "bin"


def lock() -> None:
    """Write the pins anew, with the newest releases that the ``.in`` files allow."""
    uv = Path(sys.executable).with_name("uv")
    said = ["--custom-compile-command", "python -m benchmarks.peers --lock"]
    for tool in TOOLS:
        files = [str(REQUIREMENTS / f"{tool}.in"), "--output-file", str(REQUIREMENTS / f"{tool}.txt")]
        wanted = ["--universal", "--python-version", "3.11", "--generate-hashes", "--upgrade", "--quiet"]
        subprocess.run([str(uv), "pip", "compile", *wanted, *said, *files], check=True)
