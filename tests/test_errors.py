import inspect
import re

from perdure import errors
from perdure.routes.problems import status_of


def tree() -> list[type[errors.PerdureError]]:
    found = [one for _, one in inspect.getmembers(errors, inspect.isclass) if issubclass(one, errors.PerdureError)]
    return sorted(found, key=lambda one: one.__name__)


def test_the_docstring_draws_the_whole_tree():
    drawn = set(re.findall(r"[├└]── (\w+)|^(PerdureError)$", errors.__doc__ or "", re.MULTILINE))
    assert {name for pair in drawn for name in pair if name} == {one.__name__ for one in tree()}


def test_every_error_has_a_code_of_its_own():
    codes = [one.code for one in tree()]
    assert len(codes) == len(set(codes))
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


def test_only_our_own_fault_is_a_500():
    expected = (errors.InvalidInput, errors.NotFound, errors.Conflict)
    for kind in tree():
        if issubclass(kind, expected):
            assert 400 <= status_of(kind) < 500
    assert status_of(errors.Unavailable) == 503
