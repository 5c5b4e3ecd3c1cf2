"""Which values of a SOPS document are encrypted (shouldBeEncrypted in sops.go)."""

from collections.abc import Callable

from ..errors import InputError, Mistake, Place
from ..manifests.sops import parts
from ..model.kubernetes import Object
from .sopsvalue import Path, Scalar

Selection = Callable[[Path, Scalar], bool]

_RULES = (
    "encrypted_regex",
    "unencrypted_regex",
    "encrypted_suffix",
    "unencrypted_suffix",
    "encrypted_comment_regex",
    "unencrypted_comment_regex",
)


def selection(block: Object, file: str) -> Selection:
    """The rule of a sops block; it looks at each key on the way to a value.

    Raises InputError if there are several, or for a regular expression that RE2, which is Go's, does not read.
    """
    rules = [(name, str(block[name])) for name in _RULES if block.get(name)]
    if len(rules) > 1:
        raise InputError(Mistake("the sops block has more than one selection rule", Place(file)))
    name, said = rules[0] if rules else ("unencrypted_suffix", "_unencrypted")
    wanted = not name.startswith("un")
    if name.endswith("comment_regex"):
        # Comments are not read here. What they select shows, and a value put in place of another fails the MAC.
        return lambda path, value: isinstance(value, str) and parts(value) is not None
    if name.endswith("suffix"):
        return lambda path, value: any(key.endswith(said) for key in path) is wanted
    search = _search(name, said, file)
    return lambda path, value: any(map(search, path)) is wanted


def _search(name: str, pattern: str, file: str) -> Callable[[str], object]:
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options).search  # type: ignore[no-any-return]
    except (re2.error, UnicodeError):
        raise InputError(Mistake(f"{name} in the sops block is not a regular expression", Place(file))) from None
