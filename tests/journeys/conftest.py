"""Owns the end of the browser that the web journeys of one process share."""

from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, None, None]:
    """Leave the browser when the next test needs none: its driver holds this thread's loop."""
    try:
        return (yield)
    finally:
        if item.get_closest_marker("browser"):
            from tests.journeys.page import leave_browser

            if nextitem is None or nextitem.get_closest_marker("browser") is None:
                leave_browser()
