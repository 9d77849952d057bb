"""Which failures of Redis go by: whoever meets one waits and tries again. Any other is somebody's mistake, and is raised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from redis.exceptions import RedisError, ResponseError

PASSING: Final = frozenset(
    {
        "ASK", "CLUSTERDOWN", "MOVED", "TRYAGAIN",  # a cluster that fails over, or moves what it has
        "BUSY", "LOADING", "MISCONF", "NOREPLICAS", "OOM",  # it cannot do it now
        "MASTERDOWN", "READONLY", "UNBLOCKED",  # it is a replica for now, or has just become one
        "NOSCRIPT",  # it was restarted between two commands of ours
        "NOAUTH", "NOPERM", "WRONGPASS",  # whoever runs it gives other rights; sessions that wait go on with the right ones
    }
)  # fmt: skip
"""How answers begin that will be others later."""

_WITHIN_A_SCRIPT: Final = re.compile(r"Error running script .*: -([A-Z]+) ")
"""How Redis before 7 wraps what a script's command was answered."""


def passes(error: Exception) -> bool:
    """Whether the same attempt may well succeed later."""
    if isinstance(error, ResponseError):
        return code_of(error) in PASSING
    if isinstance(error, RuntimeError):  # uvloop's, of a transport that is gone and whose end nobody has noticed yet
        return "the handler is closed" in str(error)
    return isinstance(error, RedisError | OSError | TimeoutError)


@contextmanager
def passing() -> Iterator[None]:
    """End the block at a failure that goes by, as if all were done. Raises any other."""
    try:
        yield
    except Exception as error:
        if not passes(error):
            raise


def code_of(error: ResponseError) -> str:
    """The word with which Redis says of what kind its answer is."""
    if within := _WITHIN_A_SCRIPT.search(str(error)):
        return within[1]
    return error.status_code or str(error).partition(" ")[0]
