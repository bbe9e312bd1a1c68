"""``orders.summarize``: what each customer ordered, from a file of any size.

A plain function: it runs in a thread, so it may block, and the event loop of the worker goes on meanwhile.
"""

import csv
import io
import os
from collections import Counter
from decimal import Decimal, InvalidOperation

from pydantic import BaseModel, ConfigDict

from perdure import FileId, JobContext, NotRetryable, processor

ROWS_BETWEEN_LOOKS = 10_000


class Orders(BaseModel):
    """The payload. Whatever does not fit it is refused at submission, field by field."""

    model_config = ConfigDict(extra="forbid")

    file: FileId
    customer_column: str = "customer"
    amount_column: str = "amount"


class Summary(BaseModel):
    """The result, kept with the job. What may be large goes into a file."""

    file: FileId
    orders: int
    customers: int
    total: Decimal


@processor("orders.summarize", timeout_seconds=900)
def summarize(payload: Orders, ctx: JobContext) -> Summary:
    """Adds up a CSV file of orders by customer. Its description in the API is this line."""
    totals: Counter[str] = Counter()
    orders = 0
    with ctx.open_input(payload.file) as file:
        size_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        rows = csv.DictReader(io.TextIOWrapper(file, encoding="utf-8-sig", newline=""))
        for orders, row in enumerate(rows, 1):
            if orders % ROWS_BETWEEN_LOOKS == 0:
                if ctx.cancelled:
                    raise InterruptedError  # how the attempt ended is decided already; nobody reads this
                ctx.progress(99 * file.tell() / size_bytes, f"{orders:,} orders")
            try:
                totals[row[payload.customer_column]] += Decimal(row[payload.amount_column])
            except KeyError as missing:
                raise NotRetryable(f"There is no column {missing}. There are: {', '.join(row)}.") from None
            except (InvalidOperation, TypeError):
                raise NotRetryable(f"The amount on line {rows.line_num} is no number.") from None
    return Summary(
        file=ctx.save_output("summary.csv", _as_csv(totals), content_type="text/csv; charset=utf-8"),
        orders=orders,
        customers=len(totals),
        total=sum(totals.values(), Decimal()),
    )


def _as_csv(totals: Counter[str]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([("customer", "total"), *totals.most_common()])
    return written.getvalue().encode()
