"""A frozen record that generates no code: ksecret-fn starts on every build, and `dataclasses` costs it 20 ms."""

from typing import Any, Self, dataclass_transform


@dataclass_transform(frozen_default=True, kw_only_default=True, eq_default=False)
class Record:
    """Its fields are the annotations of the class and its bases; a class attribute of that name is the default."""

    _fields: tuple[str, ...] = ()
    _names: frozenset[str] = frozenset()
    _defaults: dict[str, Any] = {}

    def __init_subclass__(cls) -> None:
        own = tuple(name for name in cls.__annotations__ if not name.startswith("_"))
        cls._fields = (*cls._fields, *(name for name in own if name not in cls._fields))
        cls._names = frozenset(cls._fields)
        cls._defaults = cls._defaults | {name: cls.__dict__[name] for name in own if name in cls.__dict__}

    def __init__(self, **values: Any) -> None:
        complete = self._defaults | values
        if complete.keys() != self._names:
            raise TypeError(f"{type(self).__name__} takes {self._fields}, not {tuple(values)}")
        object.__setattr__(self, "__dict__", complete)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{name} of a frozen {type(self).__name__}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self.__dict__.items())})"

    def but(self, **values: Any) -> Self:
        """The same record with other values in these fields."""
        return type(self)(**(self.__dict__ | values))
