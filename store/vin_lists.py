"""Named lists of VINs, which a definition names instead of holding VINs."""

from collections.abc import Iterable

from campaign.problems import Problem, Refused
from campaign.vin import check_vin
from store.connect import Connection


def read_vins(lines: Iterable[str]) -> list[str]:
    """The VINs of a file of one a line; blank lines and what follows ``#`` say nothing.

    Raises:
        Refused: a line is no VIN, or there is none; every problem with its line.
    """
    vins, problems = [], []
    for number, line in enumerate(lines, start=1):
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        try:
            vins.append(check_vin(text))
        except ValueError as error:
            problems.append(Problem(f"line {number}", repr(text), str(error)))
    if not vins and not problems:
        problems.append(Problem("file", "", "holds no VIN; write one a line"))
    if problems:
        raise Refused(problems, "VIN list")
    return vins


def set_list(connection: Connection, name: str, vins: Iterable[str]) -> tuple[int, int]:
    """Make the list hold exactly these VINs; what it held before is forgotten.

    Returns:
        How many VINs it holds, and how many of them the fleet does not know.
    """
    wanted = sorted(set(vins))
    with connection.transaction():
        connection.execute("DELETE FROM vin_list WHERE name = %s AND vin <> ALL(%s)", (name, wanted))
        connection.execute(
            "INSERT INTO vin_list SELECT %s, unnest(%s::text[]) ON CONFLICT DO NOTHING", (name, wanted)
        )
        row = connection.execute(
            "SELECT count(*) FROM vin_list AS l WHERE name = %s "
            "AND NOT EXISTS (SELECT FROM vehicle AS v WHERE v.vin = l.vin)",
            [name],
        ).fetchone()
    return len(wanted), row[0] if row else 0
