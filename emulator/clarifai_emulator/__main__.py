"""``python -m clarifai_emulator``: the same as the command ``clarifai-emulator``."""

from clarifai_emulator.cli.main import main

if __name__ == "__main__":
    main()
