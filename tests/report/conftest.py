"""Networks that the tests of the renderers look at."""

import pytest

import archscope


@pytest.fixture(scope="session")
def report_of():
    """Reports by name, each made once."""
    made = {}

    def report(name, **conditions):
        key = (name, *sorted(conditions.items()))
        if key not in made:
            made[key] = archscope.analyze(name, **conditions)
        return made[key]

    return report
