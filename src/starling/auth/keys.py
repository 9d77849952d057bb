"""API keys: how they are made, recognised and hashed.

A key is ``stl_ID_SECRETCHECK``: a prefix that scanners of repositories can find, a public id, 256 random bits, and a checksum
that tells a typing error from a key nobody knows. It is the shape of GitHub's tokens
(https://github.blog/2021-04-05-behind-githubs-new-authentication-token-formats/).

What is kept is the SHA-256 of the key. A slow, salted hash protects secrets that can be guessed; one of 256 random bits cannot
(NIST SP 800-63B section 5.1.2.2: look-up secrets of at least 112 bits need an approved one-way function, and no salt).
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from typing import Final

from starling.core.errors import Unauthenticated

PREFIX: Final = "stl"
ALPHABET: Final = string.digits + string.ascii_letters
ID_LENGTH: Final = 12
SECRET_LENGTH: Final = 43
"""Digits of base 62 for 256 bits."""

CHECK_LENGTH: Final = 6
"""Digits of base 62 for the 32 bits of a CRC."""

SHAPE: Final = re.compile(
    rf"({PREFIX}_([0-9A-Za-z]{{{ID_LENGTH}}})_[0-9A-Za-z]{{{SECRET_LENGTH}}})([0-9A-Za-z]{{{CHECK_LENGTH}}})"
)
MAX_LENGTH: Final = 256
"""Characters of a credential at most; more is not even looked at."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it may be kept: ``key_id`` is no secret, ``digest`` is the SHA-256 of the key, 64 hexadecimal digits."""

    key_id: str
    digest: str


def mint() -> tuple[str, Key]:
    """A new key: what its owner gets to see once, and what is kept of it."""
    key_id = "".join(secrets.choice(ALPHABET) for _ in range(ID_LENGTH))
    body = f"{PREFIX}_{key_id}_{_base62(secrets.randbits(256), SECRET_LENGTH)}"
    token = body + _check(body)
    return token, Key(key_id, digest(token))


def read(token: str) -> Key:
    """The key that ``token`` is. Raises Unauthenticated, without quoting it, for what cannot be one."""
    found = SHAPE.fullmatch(token) if len(token) <= MAX_LENGTH else None
    if found is None:
        raise Unauthenticated(f"expected an API key of the form {PREFIX}_ID_SECRET, got something else: copy the whole key")
    body, key_id, check = found.groups()
    if _check(body) != check:
        raise Unauthenticated("the API key has a typing error in it: its checksum does not fit; copy the whole key again")
    return Key(key_id, digest(token))


def digest(token: str) -> str:
    """SHA-256 of ``token``, in hexadecimal digits."""
    return hashlib.sha256(token.encode()).hexdigest()


def _check(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), CHECK_LENGTH)


def _base62(number: int, length: int) -> str:
    digits = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
