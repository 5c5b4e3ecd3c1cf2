"""Times as services write them."""

from datetime import UTC, datetime


def moment(text: object) -> datetime | None:
    """Return a time of RFC 3339, in UTC where it states no zone; None for what is none. Vault's have nanoseconds."""
    try:
        read = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return read.replace(tzinfo=UTC) if read and read.tzinfo is None else read
