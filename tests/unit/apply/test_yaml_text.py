"""Manifests written back as text: as kubectl reads YAML, where a bare y or n is a boolean."""

from __future__ import annotations

import pytest
import yaml

from clients.apply.yaml_text import dump

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("letter", ["y", "Y", "n", "N"])
def test_a_letter_that_kubectl_takes_for_a_boolean_is_quoted(letter: str):
    assert dump([{"team": letter}]) == f"team: '{letter}'\n"
    assert dump([{letter: 1}]) == f"'{letter}': 1\n"


def test_what_is_written_is_read_back_the_same():
    objects = [{"kind": "Namespace", "metadata": {"labels": {"team": "y", "size": "n", "on": "yes", "x": "yes-y"}}}, {}]
    assert list(yaml.safe_load_all(dump(objects))) == objects
    assert "x: yes-y" in dump(objects), "no more quotes than needed"
