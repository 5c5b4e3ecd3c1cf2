"""The record of what is sealed: it is read as it was written, and no text in its place does harm."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from kubectl_ksecret.backends import BACKENDS, implementation
from kubectl_ksecret.manifests import record
from kubectl_ksecret.manifests.record import Provenance

keys = st.text("-._abAB01", min_size=1, max_size=9).filter(lambda key: key != "." and not key.startswith(".."))
words = st.text("-abAB01:/+=.", min_size=1, max_size=9)
versions = st.text("0123456789abcdef", min_size=1, max_size=9)
entries = st.builds(
    lambda time, by, digest, version, inputs, template: Provenance(
        time=time, by=by, digest=digest, version=version, inputs=inputs, template=template
    ),
    words,
    words,
    st.just("") | words,
    st.none() | versions,
    st.dictionaries(keys, versions),
    st.none() | words,
)


@settings(deadline=None)
@given(st.dictionaries(keys, entries, max_size=5))
def test_a_record_is_read_as_it_was_written(written: dict[str, Provenance]) -> None:
    """Each key stands on two lines of its own, so that git merges neighbours; whatever the keys are called."""
    text = record.text(written)
    assert text.splitlines()[0::2] == [f"{key}:" for key in sorted(written)]
    assert all(re.fullmatch(r"  time=.*", line) for line in text.splitlines()[1::2])
    read = record.parse(text)
    assert {key: vars(entry) for key, entry in read.items()} == {key: vars(entry) for key, entry in written.items()}


@settings(deadline=None)
@given(st.text(alphabet=" :=,\nabtimey\r\u2028") | st.text())
def test_no_text_in_place_of_a_record_does_harm(text: str) -> None:
    """What can't be read is left out."""
    assert all(entry.line() for entry in record.parse(text).values())


@settings(deadline=None)
@given(st.recursive(st.none() | st.text(), lambda below: st.lists(below) | st.dictionaries(st.text(), below)))
def test_no_object_in_place_of_annotations_does_harm(annotations: object) -> None:
    """A manifest may have been edited by hand."""
    for backend in [implementation(kind) for kind in BACKENDS]:
        template = {"metadata": {"annotations": annotations}}
        assert record.of({"metadata": {"annotations": annotations}, "spec": {"template": template}}, backend) == {}
