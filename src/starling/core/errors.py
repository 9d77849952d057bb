"""Every error Starling raises on purpose.

::

    StarlingError                 code, message, retryable, http_status, close_code
    ├── ClientError               the caller is at fault; trying the same again gives the same
    │   ├── InvalidMessage        malformed JSON, unknown type, a frame the protocol has no place for
    │   ├── InvalidOption         an option out of range or unknown
    │   ├── UnsupportedAudio      encoding, rate or channels that cannot be decoded
    │   ├── CorruptAudio          bytes that are not what their declared encoding says
    │   ├── FrameTooLarge         one message over the limit
    │   ├── IdleTimeout           no audio and no keepalive for too long
    │   ├── SessionTooLong        the session lasted as long as one may
    │   ├── SlowConsumer          results were not read
    │   ├── NotResumable          no session waits for this client, or none that can go on
    │   ├── ResultsLost           results that were missed are not kept any more
    │   ├── Superseded            the client came back on another connection
    │   ├── Unauthenticated       no API key, or none that is known here
    │   ├── NotFound              no such job, or none that this tenant may see
    │   ├── Conflict              an idempotency key that was used for something else
    │   ├── RecordingGone         the audio of a job is not kept any more
    │   ├── RecordingTooLong      more audio than one job may have
    │   └── Forbidden             an origin, host or key that may not do this
    ├── Overloaded                nobody is at fault; try again after ``retry_after`` seconds
    │   └── QuotaExceeded         a ClientError too: the caller has used up what it may use
    ├── ServerError               Starling is at fault
    │   ├── EngineFailed          a decode raised
    │   ├── Quarantined           audio that ended its recognizer twice
    │   ├── ModelUnavailable      weights missing, corrupt or of another version
    │   ├── KeysUnavailable       the file of API keys cannot be read
    │   ├── StoreUnavailable      where jobs or recordings are kept does not answer
    │   │   └── StoreFull         it has no room
    │   └── ShuttingDown          the server drains
    │       └── Dismissed         an operator ended the session
    ├── ClaimLost                 a worker's lease on a job ran out, or the job was cancelled; nothing was changed
    └── IllegalTransition         a bug in the caller of a state machine; nothing was changed
        └── SessionGone           a record of a session that the audio log does not know, or not any more

Messages say what was expected, what came, and what to do. They never quote speech.
"""

from __future__ import annotations

from typing import ClassVar, Self


class StarlingError(Exception):
    """The root: anything Starling raises on purpose.

    ``code`` is stable and machine-readable; ``http_status`` answers a REST call or a refused upgrade; ``close_code`` closes a
    WebSocket (RFC 6455 section 7.4).
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    http_status: ClassVar[int] = 500
    close_code: ClassVar[int] = 1011

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ClientError(StarlingError):
    """The caller is at fault; the same input gives the same error."""

    code = "invalid_request"
    http_status = 400
    close_code = 1008


class InvalidMessage(ClientError):
    """A frame the protocol has no place for: malformed JSON, an unknown type, text before its time."""

    code = "invalid_message"


class InvalidOption(ClientError):
    """An option that is unknown or out of range."""

    code = "invalid_option"


class UnsupportedAudio(ClientError):
    """An encoding, rate or channel count Starling does not decode."""

    code = "unsupported_audio"
    http_status = 415
    close_code = 1003


class CorruptAudio(ClientError):
    """Bytes that are not what their declared encoding says."""

    code = "corrupt_audio"
    close_code = 1007


class FrameTooLarge(ClientError):
    """One message over the limit."""

    code = "frame_too_large"
    http_status = 413
    close_code = 1009


class IdleTimeout(ClientError):
    """Neither audio nor a keepalive arrived for too long."""

    code = "idle_timeout"
    http_status = 408
    retryable = True


class SessionTooLong(ClientError):
    """The session lasted as long as one may; go on in a new one."""

    code = "session_too_long"
    retryable = True


class SlowConsumer(ClientError):
    """The client did not read its results."""

    code = "slow_consumer"
    retryable = True


class NotResumable(ClientError):
    """No session waits for this client any more, or none that can go on here; start a new one."""

    code = "not_resumable"
    http_status = 410


class ResultsLost(ClientError):
    """Results that the client missed are not kept any more; start a new session."""

    code = "results_lost"
    http_status = 410


class NotFound(ClientError):
    """There is no such thing, or none that this caller may see."""

    code = "not_found"
    http_status = 404


class Conflict(ClientError):
    """The same idempotency key came with another request before."""

    code = "conflict"
    http_status = 409


class RecordingGone(ClientError):
    """The audio is not kept any more; submit it again."""

    code = "recording_gone"
    http_status = 410


class RecordingTooLong(ClientError):
    """There is more audio than one job may have; send it in parts."""

    code = "recording_too_long"
    http_status = 413


class Superseded(ClientError):
    """The session goes on over a newer connection; this one is not read any more."""

    code = "superseded"
    http_status = 409


class Unauthenticated(ClientError):
    """No API key, or none that is known here."""

    code = "unauthenticated"
    http_status = 401


class Forbidden(ClientError):
    """An origin, host or key that may not do this."""

    code = "forbidden"
    http_status = 403


class Overloaded(StarlingError):
    """A gate of flow control is shut. Nothing was accepted; try again after ``retry_after`` seconds.

    ``gate`` names it: ``tenant`` (quota), ``rate`` (of connections and attempts), ``gateway`` (places), ``log`` (audio that
    recognition has yet to take) or ``engine`` (recognizers).
    """

    code = "overloaded"
    retryable = True
    http_status = 503
    close_code = 1013

    def __init__(self, message: str, *, gate: str, retry_after: float) -> None:
        super().__init__(message)
        self.gate = gate
        self.retry_after = retry_after


class QuotaExceeded(Overloaded, ClientError):
    """The caller has used up what it may use; the server itself has room."""

    code = "quota_exceeded"
    http_status = 429


class ServerError(StarlingError):
    """Starling is at fault."""


class EngineFailed(ServerError):
    """A decode raised; its segment has no text."""

    code = "engine_failed"
    retryable = True


class Quarantined(ServerError):
    """Such audio ended the process that it was given to, and the next one: no third is given it."""

    code = "quarantined"

    @classmethod
    def session(cls) -> Self:
        """Of a session whose audio ended recognizers."""
        return cls("this audio ended its recognizer twice; it is not tried again")


class ModelUnavailable(ServerError):
    """Weights are missing, corrupt or of another version."""

    code = "model_unavailable"
    http_status = 503


class KeysUnavailable(ServerError):
    """The file of API keys cannot be read, so nobody can be told from anybody."""

    code = "keys_unavailable"
    retryable = True
    http_status = 503


class StoreUnavailable(ServerError):
    """Where jobs, recordings, or what gateways have in common is kept does not answer, or takes nothing now."""

    code = "store_unavailable"
    retryable = True
    http_status = 503


class StoreFull(StoreUnavailable):
    """There is no room where jobs or recordings are kept: delete some, or make room."""

    code = "store_full"


class ShuttingDown(ServerError):
    """The server drains: open segments finish, new sessions go elsewhere."""

    code = "shutting_down"
    retryable = True
    http_status = 503
    close_code = 1012


class Dismissed(ShuttingDown):
    """An operator ended the session."""

    code = "dismissed"
    retryable = False
    close_code = 1008


class ClaimLost(StarlingError):
    """Work on a job was given to somebody else, or nobody wants it any more; stop it and claim another."""

    code = "claim_lost"


class IllegalTransition(StarlingError):
    """An event a state machine has no row for. It changed nothing; the caller has a bug, and a client hears of ``internal``."""


class SessionGone(IllegalTransition):
    """A record of a session that the audio log does not know, or not any more: recognition has given it up."""
