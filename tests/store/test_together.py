"""Questions that are waited for once."""

import psycopg
import pytest
from sqlalchemy.exc import OperationalError

from store.together import ask
from tests.store.fleet import Fleet


def test_each_question_has_its_answer_whose_columns_have_names(fleet: Fleet) -> None:
    with fleet.engine.begin() as connection:
        one, nothing, two = ask(
            connection,
            ("SELECT %(n)s::int AS number, 'a' AS letter", {"n": 1}),
            ("SELECT 1 AS number WHERE false", {}),
            ("SELECT generate_series(1, %(n)s) AS number", {"n": 2}),
        )
    assert [(row.number, row.letter) for row in one] == [(1, "a")]
    assert list(nothing) == []
    assert [row.number for row in two] == [1, 2]


def test_questions_are_of_the_transaction_they_are_asked_in(fleet: Fleet) -> None:
    with fleet.engine.connect() as connection:
        ask(connection, ("SELECT set_config('application_name', 'asked', true) AS name", {}))
        [[row]] = ask(connection, ("SELECT current_setting('application_name') AS name", {}))
        assert row.name == "asked"
        connection.rollback()
        [[row]] = ask(connection, ("SELECT current_setting('application_name') AS name", {}))
        assert row.name != "asked"


def test_a_question_that_fails_fails_all_and_the_connection_serves_the_next_transaction(fleet: Fleet) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), fleet.engine.begin() as connection:
        ask(
            connection, ("SELECT 1 AS number", {}), ("SELECT 1 / 0 AS number", {}), ("SELECT 2 AS number", {})
        )
    with fleet.engine.begin() as connection:
        [[row]] = ask(connection, ("SELECT 3 AS number", {}))
    assert row.number == 3


def test_a_connection_that_is_lost_is_not_given_to_the_next_transaction(fleet: Fleet) -> None:
    def who(*, lost: bool = False) -> int:
        with fleet.engine.begin() as connection:
            [[row]] = ask(connection, ("SELECT pg_backend_pid() AS pid", {}))
            if lost:
                fleet.run("SELECT pg_terminate_backend(:pid, 5000)", pid=row.pid)
                ask(connection, ("SELECT 1", {}))
        return int(row.pid)

    before = who()
    with pytest.raises(OperationalError):
        who(lost=True)
    assert who() != before
