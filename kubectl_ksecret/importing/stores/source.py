"""What an overlay says of the store that it reads."""

from collections.abc import Mapping

from ...frozen import Record
from ...model.kubernetes import Object


class StoreSource(Record):
    """A source as an overlay has it, and the files beside the overlay that it names.

    `identity` is the same for two sources in which one name means one value.
    """

    field: str
    fields: Object
    identity: tuple[str, ...]
    files: Mapping[str, bytes] = {}
