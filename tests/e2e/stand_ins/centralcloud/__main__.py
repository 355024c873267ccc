"""Run the stand-in: `python -m centralcloud run`."""

from tests.support.stand_in import main

if __name__ == "__main__":
    main("centralcloud")
