"""`python -m service` is `cairn`."""

from service.cli import main

if __name__ == "__main__":
    main()
