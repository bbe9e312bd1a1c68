"""Which failures are the same one: a short hash that groups them, over attempts, jobs, workers and releases.

Two failures are the same when the job's type, the reason, the error's type and the place are. The place is the
functions that the error passed through, without line numbers, so that an edit elsewhere in the file changes nothing;
where there is no traceback it is the message, without what differs from case to case.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

LENGTH = 16

_VARIES = re.compile(
    r"""'[^']*' | "[^"]*" | `[^`]*`                      # what is quoted: names, values
      | \b0x[0-9a-f]+\b                                  # addresses
      | \b(?=[a-f-]*\d)[0-9a-f][0-9a-f-]{7,}\b           # UUIDs, hashes
      | \d+""",
    re.VERBOSE | re.IGNORECASE,
)


def fingerprint(job_type: str, reason: str, error_type: str, message: str, places: Sequence[str] = ()) -> str:
    """16 hexadecimal digits. ``places`` are the functions, outermost first; the message counts where there are none."""
    where = list(dict.fromkeys(places)) or [_VARIES.sub("*", message)]
    parts = "\x1f".join([job_type, reason, error_type, *where])
    return hashlib.sha256(parts.encode("utf-8", "replace")).hexdigest()[:LENGTH]
