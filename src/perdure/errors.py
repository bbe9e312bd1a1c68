"""Every error Perdure raises on purpose, in one tree.

```
PerdureError
├── InvalidInput                 what was sent cannot be accepted; nothing was stored
│   ├── MalformedJSON            the body is not JSON that can be kept exactly
│   ├── ValidationFailed         well-formed, but some fields are wrong (``errors`` lists each)
│   ├── UnknownJobType           no worker ever published this job type
│   ├── InvalidCursor            a list cursor that this server did not make
│   ├── BodyTooLarge             more bytes than the limit allows
│   ├── UnsupportedMediaType     the body is not sent as JSON, or compressed
│   ├── RangeNotSatisfiable      a part of a file that lies beyond its end
│   └── IdempotencyKeyReused     the key is that of another request (``job_id``, ``fields`` say of which)
├── Unauthenticated              no API key, or one that is not known (any more)
├── Forbidden                    the API key lacks the scope, or a stranger asks a server without keys
├── NotFound                     no such job, file, delivery or key
├── Conflict                     the state of the thing forbids the request
│   ├── UniqueKeyTaken           a live job has the unique key (``job_id`` says which)
│   ├── ReplayedJobRemoved       the job that was submitted under the idempotency key is there no more
│   └── ReplayedDeliveryRemoved  the delivery that was made under the idempotency key is there no more
├── Unavailable                  the database or the file store cannot be reached just now
│   ├── SubmissionInDoubt        whether the job was stored is not known (``job_id`` would be its id)
│   └── FileStoreElsewhere       this process's folder is not the one where the platform keeps its files
└── ConfigurationError           the set-up is wrong; the message says what to mend
    ├── SchemaOutdated           the database needs ``perdure db upgrade``
    ├── SchemaTooNew             this code is older than the database allows
    ├── EmbeddedServerError      the bundled PostgreSQL could not be started
    └── ProcessFailed            a worker process could not start; ``code`` is the one of its own error
```

The message of each says what to do next and never repeats a secret, an address or the value sent.
``code`` is stable: programs may match on it. HTTP status codes are decided in ``routes/problems.py`` alone.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar
from uuid import UUID


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One field that is wrong: where it stands (``context.email``), what is wrong, and a stable code."""

    field: str
    message: str
    code: str


class PerdureError(Exception):
    """The root: ``detail`` is written for a person, ``code`` for a program."""

    code: ClassVar[str] = "error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def extensions(self) -> dict[str, Any]:
        """Further members of the problem document (RFC 9457, section 3.2)."""
        return {}


class InvalidInput(PerdureError):
    code = "invalid_input"


class MalformedJSON(InvalidInput):
    code = "malformed_json"


class ValidationFailed(InvalidInput):
    code = "validation_failed"

    def __init__(self, problems: list[FieldProblem]) -> None:
        super().__init__("; ".join(f"{problem.field}: {problem.message}" for problem in problems))
        self.problems = problems

    def extensions(self) -> dict[str, Any]:
        return {"errors": [asdict(problem) for problem in self.problems]}


class UnknownJobType(InvalidInput):
    code = "unknown_job_type"


class InvalidCursor(InvalidInput):
    code = "invalid_cursor"


class BodyTooLarge(InvalidInput):
    code = "body_too_large"


class UnsupportedMediaType(InvalidInput):
    code = "unsupported_media_type"


class RangeNotSatisfiable(InvalidInput):
    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"The range begins beyond the file's end. It has {size_bytes:,} bytes.")
        self.size_bytes = size_bytes


class IdempotencyKeyReused(InvalidInput):
    code = "idempotency_key_reused"

    def __init__(self, job_id: UUID, fields: list[str], made: str = "job") -> None:
        super().__init__(
            f"The {made} {job_id} was made under this Idempotency-Key, by a request that differs in "
            f"{', '.join(fields)}. Send what was sent then, or a new key."
        )
        self.job_id = job_id
        self.fields = fields

    def extensions(self) -> dict[str, Any]:
        return {"job_id": str(self.job_id), "fields": self.fields}


class Unauthenticated(PerdureError):
    code = "unauthenticated"


class Forbidden(PerdureError):
    code = "forbidden"


class NotFound(PerdureError):
    code = "not_found"


class Conflict(PerdureError):
    code = "conflict"


class UniqueKeyTaken(Conflict):
    code = "unique_key_taken"

    def __init__(self, job_id: UUID) -> None:
        super().__init__(f"The live job {job_id} has the unique key. Wait until it is final, or cancel it.")
        self.job_id = job_id

    def extensions(self) -> dict[str, Any]:
        return {"job_id": str(self.job_id)}


class ReplayedJobRemoved(Conflict):
    code = "replayed_job_removed"

    def __init__(self, job_id: UUID) -> None:
        super().__init__(
            f"The job {job_id}, which was submitted under this Idempotency-Key, was carried out, and removed since. "
            "To submit another one, send a new key."
        )
        self.job_id = job_id

    def extensions(self) -> dict[str, Any]:
        return {"job_id": str(self.job_id)}


class ReplayedDeliveryRemoved(Conflict):
    code = "replayed_delivery_removed"

    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(
            f"The delivery {delivery_id}, which was made under this Idempotency-Key, was removed since. To send once "
            "more, send a new key."
        )
        self.delivery_id = delivery_id

    def extensions(self) -> dict[str, Any]:
        return {"delivery_id": str(self.delivery_id)}


class Unavailable(PerdureError):
    code = "unavailable"


class SubmissionInDoubt(Unavailable):
    code = "submission_in_doubt"

    def __init__(self, job_id: UUID) -> None:
        super().__init__(
            f"The database went away while the job was committed. Once it is back, GET /v1/jobs/{job_id} says whether "
            "the job is stored; if it is not, submit it again."
        )
        self.job_id = job_id

    def extensions(self) -> dict[str, Any]:
        return {"job_id": str(self.job_id)}


class FileStoreElsewhere(Unavailable):
    code = "file_store_elsewhere"

    def __init__(self, store_id: UUID | None) -> None:
        super().__init__(
            "There is no file store yet. Start a server (`perdure serve`): it makes its `files` folder the store."
            if store_id is None
            else "The folder `files` in this process's data directory (PERDURE_DATA_DIR) is not the platform's file "
            "store. Share the store's folder with this machine; or, if this is it (restored or copied), write "
            f"{store_id} into the file `store-id` in it."
        )


class ConfigurationError(PerdureError):
    code = "configuration_error"


class SchemaOutdated(ConfigurationError):
    code = "schema_outdated"


class SchemaTooNew(ConfigurationError):
    code = "schema_too_new"


class EmbeddedServerError(ConfigurationError):
    code = "embedded_server_error"


class ProcessFailed(ConfigurationError):
    code = "process_failed"

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code  # type: ignore[misc]  # the tree's is the class's


def tree() -> list[type[PerdureError]]:
    """Every error of this module, each after the one it derives from."""
    found: list[type[PerdureError]] = [PerdureError]
    for kind in found:  # grows on the way
        found += [one for one in kind.__subclasses__() if one.__module__ == __name__]
    return found
