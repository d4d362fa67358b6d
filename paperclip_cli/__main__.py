"""`python -m paperclip_cli` is the same program as `paperclip`."""

from paperclip_cli.cli.app import main

if __name__ == "__main__":
    main()
