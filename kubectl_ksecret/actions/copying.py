"""Copy values into a source: what stands there already is left alone, and every copy is read back."""

from collections.abc import Mapping, Sequence

from ..errors import InputError, Mistake, Refusal
from ..frozen import Record
from ..model.resolution import Environment, SourceRead
from ..sensitive import Sensitive
from ..sources import WritableSource, new_id
from ..values.extraction import extract, replaced
from ..values.gate import Address
from .rehearsal import refused


class Copied(Record):
    """The names that were written, and those that held the same values before."""

    written: Sequence[str]
    kept: Sequence[str]


class _Target(Record):
    """A name of the source: who reads it, and what it holds now and shall hold."""

    name: str
    reads: Sequence[SourceRead]
    before: Sensitive | None
    content: Sensitive

    @property
    def is_kept(self) -> bool:
        """Whether it holds all of the values already."""
        return self.before is not None and all(_same(read, self.before, self.content) for read in self.reads)


def copy(
    environment: Environment,
    source: WritableSource,
    values: Mapping[Address, Sensitive],
    *,
    overwrite: bool,
    dry_run: bool,
) -> Copied:
    """Write values, by Secret and key, under the names by which an environment reads them.

    Raises InputError, before anything is written, for a value that the source can't hold, and for a name that holds
    another one unless it is to be overwritten. Raises Refusal if the source refuses a write, or reads back otherwise.
    """
    targets = _targets(environment, source, values)
    wrong = [mistake for target in targets for mistake in _mistakes(source, target, overwrite=overwrite)]
    if wrong:
        raise InputError(*wrong)
    written = [target for target in targets if not target.is_kept]
    for target in written if not dry_run else ():
        source.write(target.name, target.content, new_id(source, target.name))
    if written and not dry_run:
        _verify(source, written)
    return Copied(
        written=[target.name for target in written], kept=[target.name for target in targets if target.is_kept]
    )


def _targets(environment: Environment, source: WritableSource, values: Mapping[Address, Sensitive]) -> list[_Target]:
    reads: dict[str, list[SourceRead]] = {}
    for read in environment.source_reads():
        if (read.secret, read.key) in values:
            reads.setdefault(environment.same_name(read.remote.name), []).append(read)
    existing = source.read([of_name[0].remote.name for of_name in reads.values()]) if reads else {}
    targets = []
    mistakes: list[Mistake] = []
    for of_name in reads.values():
        name = of_name[0].remote.name
        before = existing[name].value if name in existing else None
        content = before
        for read in of_name:
            value = values[read.secret, read.key]
            try:
                # A name without a property is replaced as a whole, so that its second reader must agree.
                content = replaced(read.remote, value, content)
            except ValueError as error:
                mistakes.append(Mistake(f"{read.address}: {name} {error}", read.remote.key.origin.at()))
        if content is not None:
            mistakes += _contradictions(of_name, values, content)
            targets.append(_Target(name=name, reads=of_name, before=before, content=content))
    if mistakes:
        raise InputError(*mistakes)
    return targets


def _contradictions(
    reads: Sequence[SourceRead], values: Mapping[Address, Sensitive], content: Sensitive
) -> list[Mistake]:
    """Find the readers whose value another reader of the same name and property would replace."""
    agreeing = [read for read in reads if _holds(read, content, values[read.secret, read.key])]
    contradictions = []
    for read in reads:
        if read not in agreeing:
            others = ", ".join(other.address for other in agreeing if other.remote.property == read.remote.property)
            message = f"{read.address} has another value than {others}, and both shall read {read.remote.shown()}"
            contradictions.append(Mistake(message, hint="give each a name or a property of its own"))
    return contradictions


def _holds(read: SourceRead, content: Sensitive, value: Sensitive) -> bool:
    """Whether a key finds its own value in what a name shall hold."""
    try:
        return extract(read.remote, content).reveal() == value.reveal()
    except ValueError:
        return False


def _mistakes(source: WritableSource, target: _Target, *, overwrite: bool) -> list[Mistake]:
    if target.is_kept:
        return []
    read = target.reads[0]
    if wrong := source.refused(target.name, target.content):
        return [Mistake(f"{read.address}: {target.name}: {wrong}", read.remote.key.origin.at())]
    if not overwrite and target.before is not None:
        clashing = [read for read in target.reads if _holds_another(read, target.before, target.content)]
        if clashing:
            shown = ", ".join(read.remote.shown() for read in clashing)
            hint = "take another name or property, or replace it with --overwrite"
            return [Mistake(f"{source.shown} holds another value of {shown}", hint=hint)]
    return [mistake for read in target.reads for mistake in refused(read, target.content)]


def _holds_another(read: SourceRead, before: Sensitive, content: Sensitive) -> bool:
    """Whether a name holds a value of a key, and another one."""
    try:
        extract(read.remote, before)
    except ValueError:
        return False
    return not _same(read, before, content)


def _same(read: SourceRead, one: Sensitive, other: Sensitive) -> bool:
    try:
        return extract(read.remote, one).reveal() == extract(read.remote, other).reveal()
    except ValueError:
        return False


def _verify(source: WritableSource, targets: Sequence[_Target]) -> None:
    """Read all names back. Raises Refusal if one of them holds something else than was written."""
    values = source.read([target.name for target in targets])
    for target in targets:
        if target.name not in values or not all(
            _same(read, values[target.name].value, target.content) for read in target.reads
        ):
            raise Refusal(Mistake(f"{source.shown} does not give back what was written as {target.name}"))
