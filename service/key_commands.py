"""`cairn keys`: a key for whoever may score, of which the server keeps the digest alone."""

from __future__ import annotations

import re
from typing import Annotated

import typer
from rich.console import Console

from service.keys import new_key

keys = typer.Typer(no_args_is_help=True, help="Keys of those who may score.")


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", name):
        raise typer.BadParameter("letters, digits, dots, hyphens and underscores, 64 at most")
    return name


@keys.command()
def new(
    name: Annotated[str, typer.Argument(help="Whose key it is, for logs.", callback=_plain_name)],
) -> None:
    """Make a key. Its line goes into CAIRN_API_KEYS_FILE, the key to who may score; it is shown only now."""
    key, line = new_key(name)
    told = Console(stderr=True, highlight=False)
    told.print("[bold]for the client[/] (CAIRN_API_KEY), shown this once, on standard output:")
    typer.echo(key)
    told.print("[bold]for the server[/], a line of CAIRN_API_KEYS_FILE:")
    told.print(line, markup=False)
