"""The certificate of a Sealed Secrets controller, from a URL. What it takes to ask is imported by nobody else."""

import urllib.error
import urllib.request
from http.client import HTTPException

from ..errors import InputError, Mistake, Refusal, shown

_LIMIT = 1 << 16
_SECONDS = 30


def from_url(url: str) -> bytes:
    """Return what an https:// URL gives. Raises InputError for another URL, Refusal if it gives nothing."""
    if not url.startswith("https://"):
        raise InputError(Mistake("a certificate is taken from https:// alone", hint="else anybody on the way swaps it"))
    try:
        with urllib.request.build_opener(_NoRedirect).open(url, timeout=_SECONDS) as answer:
            content: bytes = answer.read(_LIMIT)
            return content
    except urllib.error.HTTPError as error:
        redirects = 300 <= error.code < 400
        cause = f"{error.code}, a redirection, which is not followed" if redirects else f"{error.code}"
        hint = "name the URL that it leads to" if redirects else ""
    except urllib.error.URLError as error:
        untrusted = str(getattr(error.reason, "verify_message", ""))
        cause = untrusted or str(getattr(error.reason, "strerror", "")) or "no answer"
        hint = "SSL_CERT_FILE names the authorities that are trusted" if untrusted else ""
    except (OSError, HTTPException, ValueError):
        cause, hint = "no answer", ""
    raise Refusal(Mistake(f"{shown(url)} gives no certificate: {cause}", hint=hint))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it could lead to a plain http:// URL."""

    def redirect_request(self, *_arguments: object, **_keywords: object) -> None:
        """Return that there is nothing to follow."""
