"""A value that must not be shown."""

from typing import NoReturn


class Sensitive:
    """Holds a plaintext value; repr, str and format show nothing, pickling fails."""

    __slots__ = ("__value",)

    def __init__(self, value: bytes) -> None:
        self.__value = value

    def reveal(self) -> bytes:
        """The value itself; call it at the last moment."""
        return self.__value

    def __repr__(self) -> str:
        return "Sensitive(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a sensitive value is not stored")


def forbid_core_dumps() -> None:
    """Keep plaintext out of a core file; call it before the first value is read."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
