"""Secrets encrypted with SOPS: one data key and one MAC for all keys of a file."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property

from ...backends.sops import SopsBackend, declared_recipients, rules_of
from ...backends.sops import document as outside
from ...errors import Mistake, Place, shown
from ...manifests import record
from ...manifests.committed import Manifest
from ...manifests.record import Entries
from ...model.kubernetes import Object
from ...model.resolution import Environment, Secret
from ...sensitive import Sensitive
from .. import age
from . import document


class SopsSealer:
    """Seals a Secret with the least change that its one data key and MAC allow."""

    def __init__(self, environment: Environment, now: datetime, variables: Mapping[str, str]) -> None:
        """Raises InputError if the recipients can't be used."""
        self._environment, self._backend, self._now = environment, SopsBackend(), now
        self._variables = variables
        self._recipients = {name: declared_recipients(environment, name) for name in environment.secrets}

    @cached_property
    def _identities(self) -> Sequence[Sensitive]:
        """Return the user's identities; a command of his may print them, so nothing asks for them too early."""
        return age.identities(self._variables)

    def fingerprint(self, secret: Secret) -> str:
        """Return that of the Secret's recipients."""
        return outside.fingerprint(self._recipients[secret.name])

    def readers(self) -> Sequence[str]:
        """Return the recipients; where they differ among the Secrets, each with the Secret that it can read."""
        sets = {frozenset(recipients) for recipients in self._recipients.values()}
        if len(sets) == 1:
            return sorted(*sets)
        return [f"{name}: {recipient}" for name, them in self._recipients.items() for recipient in sorted(them)]

    def files(self) -> Sequence[str]:
        """Return the .sops.yaml that the recipients come from, if they come from one."""
        return rules_of(self._environment)

    def held(self, secret: Secret, manifest: Manifest | None) -> Mapping[str, str]:
        """Return the encrypted keys; none of a file that has to change as a whole and that no identity opens."""
        if manifest is None or not self._is_ours(secret, manifest):
            return {}
        if self._must_change(secret, manifest) and not self._opens(manifest):
            return {}
        # Another's file may hold some under stringData: sealing moves them to data.
        held: dict[str, str] = {}
        for field in outside.ENCRYPTED_FIELDS:
            for key, text in (manifest.object.get(field) or {}).items():
                held[str(key)] = str(text)
        return held

    def _is_ours(self, secret: Secret, manifest: Manifest) -> bool:
        written = manifest.object
        named = written["metadata"].get("name") == secret.name
        return named and written["kind"] == "Secret" and not any(outside.flaws(written))

    def _must_change(self, secret: Secret, manifest: Manifest) -> bool:
        """Whether the file can't stay as it is, whatever the values."""
        written = manifest.object
        return (
            set(outside.readers(written)) != set(self._recipients[secret.name])
            or not outside.mac_survives_rewriting(written)
            or not self._backend.held(written).keys() <= secret.keys.keys()
        )

    def _opens(self, manifest: Manifest) -> bool:
        entries = outside.age_entries(manifest.object)
        return any(age.unwrap(entry["enc"], self._identities) for entry in entries)

    def needed(self, secret: Secret, manifest: Manifest | None, chosen: Collection[str]) -> Collection[str]:
        """Return the chosen ones; all of them if any is, for a file that no identity opens."""
        if not chosen or manifest is None or (self._is_ours(secret, manifest) and self._opens(manifest)):
            return chosen
        return secret.keys.keys()

    def warnings(self, secret: Secret, manifest: Manifest | None) -> Iterator[Mistake]:
        """Name the readers that a file has and loses when it is sealed, as nobody declares them."""
        for reader in outside.readers(manifest.object) if manifest else ():
            if reader not in self._recipients[secret.name]:
                message = f"{secret.name} is no longer encrypted for {shown(reader)}, who is not declared"
                yield Mistake(message, Place(manifest.file) if manifest else None)

    def seal(
        self, secret: Secret, manifest: Manifest | None, values: Mapping[str, Sensitive], entries: Entries
    ) -> Object | None:
        """Return the file with the least change; nothing for a Secret of which nothing is sealed."""
        # One data key, so one set of recipients: what stays is for them too from now on.
        entries = {key: entry.but(by=self.fingerprint(secret)) for key, entry in entries.items()}
        shell = self._backend.shell(self._environment, secret)
        recipients = self._recipients[secret.name]
        held = {key: text for key, text in self.held(secret, manifest).items() if key in secret.keys}
        staying = {key: text for key, text in held.items() if key not in values}
        if manifest is not None and held and self._opens(manifest):
            if not values and not self._must_change(secret, manifest):
                block = {"data": manifest.object["data"], outside.BLOCK: manifest.object[outside.BLOCK]}
                return {**self._backend.with_record(shell, entries), **block}
            opened = document.open_document(manifest.text, manifest.file, self._identities)
            encrypted = document.update(
                opened, shell, values, staying=staying.keys(), recipients=recipients, now=self._now
            )
        elif values:
            encrypted = document.encrypt(shell, values, recipients, self._now)
        else:
            return self._backend.mended(self._environment, secret, manifest.object) if manifest else None
        data = {name: encrypted[name] for name in ("data", outside.BLOCK)}
        recorded = _with_digests(entries, staying, encrypted["data"])
        return {**self._backend.with_record(shell, recorded), **data}


def _with_digests(entries: Entries, staying: Mapping[str, str], encrypted: Mapping[str, str]) -> Entries:
    """Return the entries with the digests of what is encrypted now.

    An untouched value may be encrypted anew, for other recipients. Its entry speaks of the new ciphertext only if it
    spoke of the old one: what another hand sealed, or nobody recorded, stays so.
    """
    recorded = {}
    for key, provenance in entries.items():
        speaks_of_it = key not in staying or record.is_of(provenance, staying[key])
        digest = record.digest_of(encrypted[key]) if speaks_of_it else provenance.digest
        recorded[key] = provenance.but(digest=digest)
    return recorded
