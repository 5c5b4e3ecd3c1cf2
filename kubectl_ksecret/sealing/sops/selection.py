"""Which values of a SOPS document are encrypted (shouldBeEncrypted in sops.go)."""

from collections.abc import Callable

from ...errors import InputError, Mistake, Place
from ...model.kubernetes import Object
from .value import Path

Selection = Callable[[Path], bool]

_RULES = (
    "encrypted_regex",
    "unencrypted_regex",
    "encrypted_suffix",
    "unencrypted_suffix",
)
_BY_COMMENT = ("encrypted_comment_regex", "unencrypted_comment_regex")


def selection(block: Object, file: str) -> Selection:
    """Return the rule of a sops block; it looks at each key on the way to a value.

    Raises InputError if there are several, if comments select, which no Secret keeps, or for a regular expression that
    RE2, which is Go's, does not read.
    """
    if any(block.get(name) for name in _BY_COMMENT):
        hint = "encrypt it anew with --encrypted-regex '^(data|stringData)$'"
        raise InputError(Mistake("comments select what is encrypted, which is not supported", Place(file), hint))
    rules = [(name, str(block[name])) for name in _RULES if block.get(name)]
    if len(rules) > 1:
        raise InputError(Mistake("the sops block has more than one selection rule", Place(file)))
    name, pattern = rules[0] if rules else ("unencrypted_suffix", "_unencrypted")
    encrypts = not name.startswith("un")
    if name.endswith("suffix"):
        return lambda path: any(key.endswith(pattern) for key in path) is encrypts
    search = _search(name, pattern, file)
    return lambda path: any(map(search, path)) is encrypts


def _search(name: str, pattern: str, file: str) -> Callable[[str], object]:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search  # type: ignore[no-any-return]
    except (re2.error, UnicodeError):
        raise InputError(Mistake(f"{name} in the sops block is not a regular expression", Place(file))) from None
