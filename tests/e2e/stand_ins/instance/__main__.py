"""Run the stand-in: `python -m instance run`."""

from tests.support.stand_in import main

if __name__ == "__main__":
    main("instance")
