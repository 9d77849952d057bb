"""Which servers a client believes to be who they say."""

from __future__ import annotations

import ssl
from pathlib import Path

from starling.core.errors import InvalidOption


def trusting(ca: Path | None, address: str) -> ssl.SSLContext | None:
    """The TLS context of a client that trusts ``ca``, certificates in PEM, or what the system trusts if None.

    None for an ``address`` without TLS. Raises InvalidOption for a file that cannot be taken.
    """
    if not address.startswith(("wss:", "https:")):
        return None
    try:
        context = ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise InvalidOption(f"expected certificates in PEM in {ca}, got something else") from None
    except OSError as error:
        raise InvalidOption(f"cannot read the certificates in {ca}: {error.strerror}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
