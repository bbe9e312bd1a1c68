import pytest

from perdure.processors.testing import LocalContext


@pytest.fixture
def context(tmp_path) -> LocalContext:
    return LocalContext(tmp_path)
