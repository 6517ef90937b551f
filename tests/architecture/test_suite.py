"""What the suite itself relies on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from xdist.scheduler import LoadGroupScheduling

from tests.conftest import pytest_collection_modifyitems


@pytest.mark.parametrize("name", ["test_one", "test_one[a@b::c]"])
def test_tests_of_a_group_go_to_one_worker(request: pytest.FixtureRequest, name: str) -> None:
    item = pytest.Function.from_parent(request.node.parent, name=name, callobj=lambda: None)
    item.add_marker(pytest.mark.xdist_group("browser"))
    config = SimpleNamespace(getoption=lambda option, default=None: option == "loadgroup" or default)
    for _ in range(2):
        pytest_collection_modifyitems(config, [item])  # type: ignore[arg-type]
        assert item.nodeid.endswith(f"::{name}@browser")
    assert LoadGroupScheduling._split_scope(None, item.nodeid) == "browser"  # type: ignore[arg-type]
