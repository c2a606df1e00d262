"""Feeds one reader with what the lines that it reaches suggest, in this process: python -m fuzz.guided READER …

The rest of the arguments is libFuzzer's. What the reader stands on has to be instrumented before it is imported.
"""

from __future__ import annotations

import sys

import atheris  # pyright: ignore[reportMissingImports]


def main() -> None:
    name = sys.argv.pop(1)
    with atheris.instrument_imports(include=["clarifai_emulator", "h11", "hpack", "tarfile", "gzip", "yaml"]):
        from fuzz.readers import reader

        read = reader(name).read
        for seed in reader(name).seeds():  # what is imported late is imported here
            read(seed)
    atheris.Setup(sys.argv, read)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
