"""Errors in the shape of OpenAI's API."""

from __future__ import annotations

from typing import Any, Final

from starling.core.errors import InvalidOption, NotFound, StarlingError

TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
CODES: Final = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
SERVER: Final = 500


class FieldRefused(InvalidOption):
    """A field with a value that is not taken here. ``param``: its name."""

    def __init__(self, param: str, message: str) -> None:
        super().__init__(message)
        self.param = param


class ModelNotFound(NotFound):
    """A model that is not served here."""

    code = "model_not_found"
    param = "model"


def error_body(status: int, code: str, message: str, error: StarlingError | None = None) -> dict[str, Any]:
    """What says that a request was refused with HTTP ``status``."""
    kind = TYPES.get(status, "server_error" if status >= SERVER else "invalid_request_error")
    param = getattr(error, "param", None)
    return {"error": {"message": message, "type": kind, "param": param, "code": CODES.get(status, code)}}
