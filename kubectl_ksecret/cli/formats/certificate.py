"""What `certificate` prints."""

from collections.abc import Mapping, Sequence

from ...actions.certificate import OverlayCertificate


def text(outcome: OverlayCertificate) -> str:
    """Return the file, the fingerprint and the dates."""
    validity = outcome.validity
    dates = f"from {validity.not_before:%Y-%m-%d} to {validity.not_after:%Y-%m-%d}"
    change = ""
    if outcome.changed:
        change = f", written (until now {outcome.before})" if outcome.before else ", written"
    return f"{outcome.file}: {validity.fingerprint} {dates}{change}\n"


def needed(addresses: Mapping[str, Sequence[str]], current: OverlayCertificate) -> str:
    """Return the certificates with the keys that they sealed; the controller has to keep the private key of each."""
    lines = []
    for fingerprint, keys in addresses.items():
        remark = " (the present one)" if fingerprint == current.validity.fingerprint else ""
        lines.append(f"{fingerprint or 'not known'}{remark}: {', '.join(keys)}\n")
    return "".join(lines)


def next_steps(overlay: str, *, trusted: bool) -> str:
    """Return what a new certificate means for what is sealed already."""
    asks = "" if trusted else ", and asks whether the certificate is the right one"
    return (
        "what is sealed already opens as long as the controller keeps its older keys\n"
        f"hint: kubectl ksecret seal {overlay} --reseal seals it anew{asks}"
    )
