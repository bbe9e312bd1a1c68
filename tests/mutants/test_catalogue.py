"""The list of mutants is true of the sources: a mutant whose text is gone would prove nothing."""

from collections import Counter
from pathlib import Path

import pytest
from mutants.catalogue import MUTANTS, SOURCES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_changes_one_place_and_still_compiles(mutant):
    source = (ROOT / SOURCES / mutant.file).read_text()
    changed = mutant.applied(source)
    assert changed != source
    compile(changed, mutant.file, "exec")
    assert all((ROOT / test).is_file() for test in mutant.tests)


def test_no_two_have_one_name():
    assert max(Counter(mutant.name for mutant in MUTANTS).values()) == 1


def test_what_is_gone_is_told():
    with pytest.raises(ValueError, match="is 0 times in"):
        MUTANTS[0].applied("")
