"""`python -m mesh` is `flocklore`."""

from mesh.cli import main

if __name__ == "__main__":
    main()
