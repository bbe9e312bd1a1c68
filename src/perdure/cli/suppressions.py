"""``perdure suppressions``: the addresses that nothing is sent to."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from perdure.cli.output import ExitCode, moment, print_json, print_line, print_more, print_table
from perdure.cli.payload import check_readable
from perdure.cli.server import AsJson, PageCursor, PageLimit, Url, connect, show
from perdure.models.suppression import SuppressionReason

if TYPE_CHECKING:
    from perdure.client.answers import Page
    from perdure.client.delivery_answers import Suppression, SuppressionsAdded

app = typer.Typer(help="Addresses that nothing is sent to.", no_args_is_help=True)

PORTION = 500
Reason = Annotated[SuppressionReason, typer.Option(help="Why, as the list will say.")]
Note = Annotated[str | None, typer.Option(help="For whoever finds them listed.")]


@app.command("list")
def list_(
    *,
    address: Annotated[str | None, typer.Option(help="Only this one.")] = None,
    limit: PageLimit = 20,
    cursor: PageCursor = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Lists suppressed addresses, newest first."""
    from perdure.client import calls

    call = calls.list_suppressions(address=address, limit=limit, cursor=cursor)
    show(call, url, as_json=as_json, as_text=_print_page)


@app.command()
def add(
    *,
    addresses: Annotated[list[str], typer.Argument(help="One or more.")],
    reason: Reason = SuppressionReason.MANUAL,
    note: Note = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Suppresses addresses: nothing is sent to them any more."""
    from perdure.client import calls

    call = calls.add_suppressions(addresses, reason=reason.value, note=note)
    show(call, url, as_json=as_json, as_text=_print_added)


@app.command()
def remove(
    *,
    address: Annotated[str, typer.Argument(help="The one to take off the list.")],
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Takes an address off the list: it is told again from now on."""
    from perdure.client import calls

    with connect(url) as client:
        client.call(calls.remove_suppression(address))
    if as_json:
        print_json({"address": address, "removed": True})
    else:
        print_line(f"{address}  removed")


@app.command("import")
def import_(
    *,
    source: Annotated[
        str,
        typer.Argument(metavar="FILE", help="An address a line, or CSV with addresses in it; - reads standard input."),
    ],
    reason: Reason = SuppressionReason.MANUAL,
    note: Note = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Suppresses the addresses in a file, such as another provider's list. Those that are listed stay as they are."""
    from perdure.client import calls

    unread: list[int] = []
    total: SuppressionsAdded = {"added": 0, "known": 0}
    with connect(url) as client:
        for portion in _portions(_addresses(_text_of(source), unread)):
            answer = client.call(calls.add_suppressions(portion, reason=reason.value, note=note))
            total = {"added": total["added"] + answer["added"], "known": total["known"] + answer["known"]}
    if as_json:
        print_json(total)
    else:
        _print_added(total)
    if unread:
        shown = ", ".join(map(str, unread[:10])) + (" …" if len(unread) > 10 else "")
        sys.stderr.write(f"Error: there is no address in line {shown}; the others are listed.\n")
        raise typer.Exit(ExitCode.ERROR)


def _text_of(source: str) -> str:
    if source == "-":
        return sys.stdin.read()
    check_readable(Path(source))
    return Path(source).read_text(encoding="utf-8-sig", errors="replace")


def _addresses(text: str, unread: list[int]) -> Iterator[str]:
    """The first address of each line; the numbers of lines without one go to ``unread``. (The first may be a head.)"""
    rows = csv.reader(io.StringIO(text))
    for row in rows:
        address = next((cell.strip() for cell in row if _is_address(cell.strip())), None)
        if address is not None:
            yield address
        elif any(cell.strip() for cell in row) and rows.line_num > 1:
            unread.append(rows.line_num)


def _is_address(cell: str) -> bool:
    from perdure.schemas.addresses import check_address

    try:
        check_address(cell)
    except ValueError:
        return False
    return True


def _portions(addresses: Iterable[str]) -> Iterator[list[str]]:
    portion: list[str] = []
    for address in addresses:
        portion.append(address)
        if len(portion) == PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def _print_page(page: Page[Suppression]) -> None:
    if not page["items"]:
        print_line("No suppressed addresses: everybody may be told.")
        return
    print_table(
        ["address", "reason", "added by", "added", "note"],
        [
            [one["address"], one["reason"], one["added_by"], moment(one["created_at"]), one["note"] or ""]
            for one in page["items"]
        ],
        dispensable=["note", "added by"],
    )
    print_more(page["next_cursor"])


def _print_added(added: SuppressionsAdded) -> None:
    print_line(f"{added['added']} added, {added['known']} listed before")
