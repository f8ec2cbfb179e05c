"""``python -m pointlabel``: the command line."""

from pointlabel.cli.main import main

if __name__ == "__main__":
    main()
