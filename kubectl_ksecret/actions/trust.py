"""What this clone has sealed for: kept in Git's own folder, where no pull request can write.

A pull request can change the certificate, the record and the overlay together, so none of them vouches for another.
As SSH does with known_hosts, the first use is confirmed by the user, and so is every difference later on.
"""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from ..errors import InputError, Mistake, Place, printable
from ..files import git
from ..files.folder import locked
from ..files.project import Project
from ..frozen import Record
from ..model.reading.reader import yaml_name
from ..model.resolution import Environment
from ..model.types.origin import Stated
from ..model.types.overlay import SecretOverlay

VARIABLE = "KSECRET_ACCEPT"
_FOLDER, _FILE = "ksecret", "sealed-for.json"
# What these fields lead to is kept instead: the certificate's fingerprint and the recipients. Metadata binds nothing.
_LEADING = {"certificate", "age", "metadata"}
_PRIVATE = 0o600

Facts = Mapping[str, Any]


class Consent(Record):
    """What the user agrees to beforehand, and how to ask; `ask` is None where nobody can be asked.

    `accepted` are fingerprints and recipients that were typed; `tokens` come from a pipeline's own settings.
    """

    accepted: Collection[str] = ()
    tokens: Collection[str] = ()
    ask: Callable[[str], bool] | None = None


class Statement(Record):
    """What the values of an overlay would be sealed for, as the tree says it now.

    `readers` are the certificate's fingerprint or the recipients. With `source_typed` the values come from elsewhere,
    and the overlay's source is neither compared nor kept.
    """

    project: Project
    overlay: SecretOverlay
    file: str
    readers: Sequence[str]
    files: Sequence[str] = ()
    source_typed: bool = False

    @property
    def path(self) -> str:
        """Return the path of the overlay's file from the project's root: under it all of this is kept."""
        return os.path.relpath(os.path.realpath(self.file), self.project.root)

    @property
    def facts(self) -> Facts:
        """Return all that is kept of it."""
        spec = self.overlay.spec
        facts: dict[str, Any] = {
            "backend": spec.backend.field,
            "for": list(self.readers),
            "namespace": spec.namespace,
            **{name: value for name, value in _plain(spec.backend).items() if name not in _LEADING},
        }
        for secret, override in spec.overrides.items():
            own = _plain(override.backend) if override.backend else {}
            binding = {name: value for name, value in own.items() if name not in _LEADING}
            if binding:
                facts.setdefault("overrides", {})[secret] = binding
        if not self.source_typed:
            facts["source"] = _source(self.overlay)
        return facts

    @property
    def token(self) -> str:
        """Return what a pipeline accepts it by: any difference makes another one."""
        canonical = json.dumps(self.facts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return f"{self.overlay.metadata.name}@sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def statement_of(
    environment: Environment, readers: Sequence[str], *, files: Sequence[str], source_typed: bool
) -> Statement:
    """Return what the values of an environment would be sealed for; `files` are those that say so."""
    return Statement(
        project=environment.project,
        overlay=environment.overlay,
        file=environment.file,
        readers=readers,
        files=(environment.file, *files),
        source_typed=source_typed,
    )


def _source(overlay: SecretOverlay) -> Any:
    source = overlay.spec.source
    if source is None or not source.is_named:
        return None
    member = {"property": source.property} if source.property else {}
    return {"names": source.names, **member, source.kind.field: _plain(source.kind)}


def _plain(value: Any) -> Any:
    """Return what a user wrote as plain values; what is absent or empty is left out."""
    if isinstance(value, Stated):
        fields = {yaml_name(name): _plain(field) for name, field in vars(value).items() if name != "origin"}
        return {name: field for name, field in fields.items() if field not in (None, {}, [])}
    if isinstance(value, Mapping):
        return {str(name): _plain(field) for name, field in value.items()}
    return [_plain(element) for element in value] if isinstance(value, tuple) else value


def admit(statement: Statement, consent: Consent, *, named: bool, keep: bool) -> Mistake | None:
    """Return why nothing is sealed for this statement; None if it is trusted, from now on if that is to be kept.

    Only an overlay that the user `named` can be accepted on the way, by what was typed or by an answer.
    """
    before = _remembered(statement.project).get(statement.path)
    if before is not None and not any(_differences(statement, before)):
        return None
    accepted = statement.token in consent.tokens or (named and _is_accepted(statement, before, consent.accepted))
    if not accepted and named and consent.ask is not None:
        accepted = consent.ask(_question(statement, before))
        if not accepted:
            return Mistake(f"nothing is sealed for {statement.overlay.metadata.name}: it was not confirmed")
    if not accepted:
        return _refusal(statement, before, named)
    if keep:
        remember(statement)
    return None


def _differences(statement: Statement, before: Facts) -> Iterator[str]:
    """Find the names of what is not as it was; of a source that is typed nothing is compared.

    Where nobody gets the values, as where they go from one source into another, the source alone counts.
    """
    now = statement.facts
    for name in sorted({*now, *before}):
        counts = not statement.source_typed if name == "source" else bool(statement.readers)
        if counts and now.get(name) != before.get(name):
            yield name


def _new_readers(statement: Statement, before: Facts | None) -> list[str]:
    """Return the readers to be accepted: those that are new, else all of them."""
    earlier = before.get("for", ()) if before else ()
    readers = dict.fromkeys(_identifier(reader) for reader in statement.readers if reader not in earlier)
    return list(readers or dict.fromkeys(map(_identifier, statement.readers)))


def _identifier(reader: str) -> str:
    """Return a reader without the Secret that it is of."""
    return reader.rpartition(" ")[2]


def _is_accepted(statement: Statement, before: Facts | None, accepted: Collection[str]) -> bool:
    readers = _new_readers(statement, before)
    return bool(readers) and set(readers) <= set(accepted)


def _question(statement: Statement, before: Facts | None) -> str:
    """Return what the user is asked: all that would be trusted, and since which commit it says so."""
    name, file = statement.overlay.metadata.name, statement.project.name(statement.file)
    if statement.readers:
        doing, first = "sealed for", f"This clone has not sealed {name} ({file}) before."
        changed = f"{name} ({file}) is no longer what this clone has sealed for."
    else:
        doing, first = "read from", f"This clone has not read the values of {name} ({file}) before."
        changed = f"{name} ({file}) is no longer as this clone knows it."
    title = f"{first if before is None else changed} Its values would be {doing}:"
    lines = [*_lines(statement, before), *_since(statement)]
    return "\n".join([title, *(f"  {line}" for line in lines), "Is that right?"])


def _lines(statement: Statement, before: Facts | None) -> Iterator[str]:
    differences = set(_differences(statement, before or {}))
    for name, value in statement.facts.items():
        if not (statement.readers or name == "source"):
            continue
        line = f"{name}: {_shown(value)}"
        if before is not None and name in differences:
            line += f" (until now {_shown(before[name])})" if name in before else " (new)"
        yield line
    for name in sorted(differences - statement.facts.keys()) if before else ():
        yield f"{name}: nothing (until now {_shown((before or {}).get(name))})"


def _shown(value: Any) -> str:
    """Return a fact as a message shows it; a stranger may have written it."""
    if isinstance(value, list) and all(isinstance(element, str) for element in value):
        return printable(", ".join(value))
    return printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _since(statement: Statement) -> Iterator[str]:
    for file in dict.fromkeys(statement.files):
        commit = git.last_commit(statement.project, file)
        shown = statement.project.name(file)
        yield f"{shown}: {f'since {commit}' if commit else 'not committed as it is'}"


def _refusal(statement: Statement, before: Facts | None, named: bool) -> Mistake:
    name = statement.overlay.metadata.name
    facts = "; ".join([*_lines(statement, before), *_since(statement)])
    accept = " ".join(f"--accept {reader}" for reader in _new_readers(statement, before))
    if statement.readers:
        state = (
            "is no longer what this clone has sealed for" if before else "is nothing that this clone has sealed for yet"
        )
        typed = f"add {accept}" if named else f"run: kubectl ksecret seal {name} {accept}"
    else:
        state = "is no longer as this clone knows it" if before else "is nothing whose values this clone has read yet"
        typed = "run it on a terminal and say so"
    place: Place = statement.overlay.spec.origin.key("backend")
    hint = f"if that is right, {typed} or, in a pipeline, set {VARIABLE}={statement.token}"
    return Mistake(f"{name} {state}: {facts}", place, hint)


def remember(statement: Statement) -> None:
    """Keep what is sealed for, in Git's own folder; without Git nothing is kept. Raises Refusal if that can't be."""

    def facts(earlier: Facts) -> Facts:
        source = {"source": earlier["source"]} if statement.source_typed and "source" in earlier else {}
        return {**statement.facts, **source}

    _keep(statement, facts)


def trust_readers(environment: Environment, readers: Sequence[str]) -> None:
    """Keep whom values are sealed for, and nothing else of the overlay: the rest still has to be confirmed."""
    statement = statement_of(environment, readers, files=(), source_typed=True)
    _keep(statement, lambda earlier: {**earlier, "for": list(readers)})


def _keep(statement: Statement, facts: Callable[[Facts], Facts]) -> None:
    common = statement.project.common_git_folder
    if common is None:
        return
    with locked(os.path.join(common, _FOLDER)) as folder:
        everything = _remembered(statement.project)
        new = facts(everything.get(statement.path, {}))
        content = json.dumps({**everything, statement.path: new}, indent=2, sort_keys=True)
        folder.write(_FILE, content.encode(), mode=_PRIVATE)
        folder.clean()


def _remembered(project: Project) -> Mapping[str, Facts]:
    """Return what is kept, by overlay; what can't be read vouches for nothing."""
    common = project.common_git_folder
    if common is None:
        return {}
    try:
        with open(os.path.join(common, _FOLDER, _FILE), encoding="utf-8") as file:
            everything = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    pairs = everything.items() if isinstance(everything, dict) else ()
    return {path: facts for path, facts in pairs if isinstance(facts, dict)}


def refuse(mistakes: Collection[Mistake | None]) -> None:
    """Raises InputError with what is not trusted, if anything is not."""
    refused = [mistake for mistake in mistakes if mistake is not None]
    if refused:
        raise InputError(*refused)
