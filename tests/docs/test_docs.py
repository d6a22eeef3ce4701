"""The pages say what the code says: keys, defaults, states, commands, settings, texts and links.

| Given | When | Then |
|---|---|---|
| a model or setting changes | its key or default differs from the page | the page is named here |
| a guard, a rate, a card or the brake changes | the page has the old numbers | it is named here |
| a command, signal or option is renamed | a page still shows the old one | it is named here |
| a text of an error or a pause is reworded | the runbook quotes the old one | it is named here |
"""

import re
import shlex
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import BaseModel, TypeAdapter
from pydantic_core import PydanticUndefined
from typer.core import TyperGroup

from campaign.brake import Matured, expected_harm, in_flight_cap
from campaign.cohorts import Dimension
from campaign.criteria import Criterion, DateRange, EcuMatch
from campaign.deferral import DeferralReason
from campaign.definition import Definition, parse
from campaign.evidence import below_limit, exact_upper
from campaign.guards import PILOT_GUARDS, RATES, STANDARD_GUARDS, Action, Guard, Metric, Rule, standard
from campaign.install_window import CampaignWindow
from campaign.judgement import SLICES_JUDGED_TOGETHER, slice_length
from campaign.lifecycle import State
from campaign.package import Artifact, Module, Package
from campaign.permission import Answer
from campaign.phase import Limits, Phase
from campaign.promotion import OnInconclusive, Promotion, Requires
from campaign.rings import StandardRings, standard_rings
from campaign.supervision import Finding
from campaign.verdict import Counts, Status, evaluate
from campaign.waiting import READY
from commands.documents import _Loader
from docs.diagrams import BLOCK, diagrams
from runtime.settings import PREFIX, Settings
from starter import app
from store.words import ANY_IN_FLIGHT_SQL
from workflows import search
from workflows.campaign import CampaignWorkflow

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")

SECTIONS: dict[str, type[BaseModel]] = {
    "## Campaign": Definition,
    "## Phase": Phase,
    "## Install window": CampaignWindow,
    "## Limits": Limits,
    "## Guard": Guard,
    "## Promotion": Promotion,
    "## Criteria": Criterion,
    "### Days": DateRange,
    "### ECU": EcuMatch,
    "## Package": Package,
    "### Module": Module,
    "### Artifact": Artifact,
    "## Rings": StandardRings,
}

#: Defaults that stand elsewhere, or are worked out from other keys; the page says so in words.
WORDS = {
    ("## Campaign", "limits"): "the defaults of limits",
    ("## Campaign", "guards"): "the standard guards",
    ("## Campaign", "promotion"): "the defaults of promotion",
    ("## Phase", "limits"): "the campaign's",
    ("## Phase", "guards"): "the campaign's",
    ("## Phase", "promotion"): "the campaign's",
    ("## Limits", "overdue_after"): "an eighth of `silent_after`",
    ("## Guard", "name"): "the metric's word",
    ("## Guard", "limit"): "by metric",
    ("## Guard", "accept"): "by metric",
}


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """The text between a heading and the next one of any depth."""
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"no section {heading!r}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of the tables in a text, without heads and rules."""
    found = [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    heads = {n - 1 for n, cells in enumerate(found) if set("".join(cells)) <= set("-: ")}
    return [cells for n, cells in enumerate(found) if n not in heads and n - 1 not in heads]


def default(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if value is None or value == ():
        return "none"
    if isinstance(value, timedelta):
        return f"`{TypeAdapter(timedelta).dump_python(value, mode='json')}`"
    if isinstance(value, Enum):
        return f"`{value.value}`"
    assert not isinstance(value, BaseModel), "a model has no short default: say it in WORDS"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Decimal | int | str):
        return f"`{value}`" if str(value) else '`""`'
    raise AssertionError(f"no words for the default {value!r}")


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_definition_page_lists_exactly_the_keys_of_the_model_with_their_defaults(heading: str) -> None:
    listed = {cells[0]: cells[2] for cells in rows(section(read(ROOT / "docs/definition.md"), heading))}
    known = {
        f"`{field.alias or name}`": WORDS.get((heading, name)) or default(field.default)
        for name, field in SECTIONS[heading].model_fields.items()
    }
    assert listed == known


def test_the_defaults_in_words_are_those_of_keys_that_exist_and_hold() -> None:
    assert all(name in SECTIONS[heading].model_fields for heading, name in WORDS)
    limits = Limits()
    assert limits.overdue == limits.silent_after / 8
    for metric in Metric:
        guard = Guard.model_validate({"metric": metric})
        assert (guard.name, guard.limit, guard.accept) == (metric.value, *RATES[metric])


def definition_page(heading: str) -> str:
    return section(read(ROOT / "docs/definition.md"), heading)


def test_the_metrics_are_listed_with_their_rates() -> None:
    listed = {cells[0]: (cells[3], cells[4]) for cells in rows(definition_page("### Metrics"))}
    assert listed == {
        f"`{metric.value}`": (f"`{limit}`", f"`{accept}`") for metric, (limit, accept) in RATES.items()
    }


def test_the_modes_and_the_actions_are_listed() -> None:
    assert [cells[0] for cells in rows(definition_page("### Modes"))] == [f"`{rule.value}`" for rule in Rule]
    types = {cells[0]: cells[1] for cells in rows(definition_page("## Guard"))}
    assert types["`action`"] == ", ".join(f"`{action.value}`" for action in Action)


def test_what_a_promotion_may_require_is_listed() -> None:
    types = {cells[0]: cells[1] for cells in rows(definition_page("## Promotion"))}
    assert types["`requires`"] == ", ".join(f"`{word.value}`" for word in Requires)
    assert types["`on_inconclusive`"] == ", ".join(f"`{word.value}`" for word in OnInconclusive)


def rates(guard: Guard) -> str:
    if guard.mode is Rule.COUNT:
        assert guard.max_count == 0
        return "none is allowed"
    return f"limit `{guard.limit}`, accept `{guard.accept}`"


def test_the_standard_guards_are_listed_for_each_type() -> None:
    listed = rows(definition_page("### Standard guards"))
    assert listed == [
        [f"`{usual.name}`", f"`{usual.mode.value}`", rates(usual), rates(pilot)]
        for usual, pilot in zip(STANDARD_GUARDS, PILOT_GUARDS, strict=True)
    ]
    assert {guard.action for guard in (*STANDARD_GUARDS, *PILOT_GUARDS)} == {Action.PAUSE}
    for word in ("general", "recall"):
        definition = Definition.model_validate(
            {"name": "a", "package": "b", "phases": [{"rollout_percent": 100}], "type": word}
        )
        assert definition.guards_of(1) == STANDARD_GUARDS


def breaches(guard: Guard, failed: int, of: int) -> bool:
    return evaluate(guard, Counts(started=of, finished=of, failed=failed)).status is Status.BREACH


@pytest.mark.parametrize("page", ["README.md", "docs/definition.md", "docs/runbook.md"])
def test_the_card_on_a_page_is_that_of_the_standard_guard(page: str) -> None:
    guard = standard(Metric.INSTALLATION_SUCCESS)
    text = " ".join(read(ROOT / page).split())
    found = re.search(r"(\d+) failures(?: among| pause)? up to (\d+)((?:[^.;:]*?(?:\d+ up to \d+),?)*)", text)
    assert found, page
    card = [(int(found[1]), int(found[2]))]
    card += [(int(failed), int(of)) for failed, of in re.findall(r"(\d+) up to (\d+)", found[3])]
    for failed, of in card:
        assert breaches(guard, failed, of), (page, failed, of)
        assert not breaches(guard, failed, of + 1), (page, failed, of)
    if "from 9" in text:
        assert breaches(guard, 9, 449)
        assert not breaches(guard, 8, 399)
        assert all(breaches(guard, of // 50 + 1, of) for of in range(400, 5_000))
    assert not any(breaches(guard, 1, of) for of in range(1, 100))


def test_the_numbers_of_the_proof_are_those_of_the_code() -> None:
    guard = standard(Metric.INSTALLATION_SUCCESS)
    accept, limit = float(guard.accept), float(guard.limit)
    text = definition_page("## Promotion")
    for failed, of in enumerate((198, 290, 382)):
        assert below_limit(of, failed, accept, limit) >= guard.health_bar
        assert below_limit(of - 1, failed, accept, limit) < guard.health_bar
        assert re.search(rf"\b{of}\b", text)
    for failed, of in enumerate((598, 947, 1258)):
        assert exact_upper(of, failed) <= accept < exact_upper(of - 1, failed)
        assert f"{of:,}" in text
    assert "under 9.5 %" in text
    assert f"{exact_upper(30, 0) * 100:.3g}" == "9.5"
    assert "up to 9 failures among these 1,030" in " ".join(definition_page("### The four phases").split())
    assert below_limit(1_030, 9, accept, limit) >= guard.health_bar > below_limit(1_030, 10, accept, limit)


def test_the_numbers_of_the_brake_are_those_of_the_code() -> None:
    limits = Limits()
    assert limits.harm_budget is not None
    text = definition_page("## Limits")
    for matured, bad, word in ((0, 0, "30 at first"), (30, 0, "220"), (300, 0, "1,977"), (1_000, 3, "2,846")):
        cap = in_flight_cap(
            Matured(vehicles=matured, bad=bad), limits.harm_budget, limits.in_flight_floor, limits.in_flight
        )
        assert f"{cap:,}" in word
        assert word in " ".join(text.split())
    assert limits.overdue == timedelta(hours=3)
    assert slice_length(limits.overdue) == timedelta(minutes=5)
    assert slice_length(limits.overdue) * SLICES_JUDGED_TOGETHER == limits.overdue / 3 == timedelta(hours=1)
    assert expected_harm(1_000, 30) == 1_750
    demo = yaml.load(read(ROOT / "examples/winter-optimization.yaml"), Loader=_Loader)
    floor = Limits.model_validate(demo["limits"]).in_flight_floor
    readme = " ".join(read(ROOT / "README.md").split())
    assert f"harm about {expected_harm(limits.harm_budget, floor)} vehicles" in readme
    assert f"it begins with {floor} at once" in readme


def test_every_dimension_of_a_cohort_is_named() -> None:
    for page in (
        "docs/definition.md",
        "docs/runbook.md",
        "docs/glossary.md",
        "docs/adr/0016-cohorts-and-the-culprit.md",
    ):
        text = read(ROOT / page)
        assert all(f"`{dimension.value}`" in text for dimension in Dimension), page


def blocks(page: Path, language: str) -> list[str]:
    return [body for kind, body in FENCE.findall(read(page)) if kind == language]


@pytest.mark.parametrize("text", blocks(ROOT / "docs/definition.md", "yaml"))
def test_every_definition_on_the_page_passes_the_door(text: str) -> None:
    parse(yaml.load(text, Loader=_Loader), datetime(2026, 1, 1, tzinfo=UTC))


def test_the_page_says_the_words_of_every_enumeration() -> None:
    text = read(ROOT / "docs/definition.md")
    for model, name in ((Definition, "type"), (Definition, "priority"), (Definition, "interaction")):
        words = [str(word.value) for word in type(model.model_fields[name].default)]
        assert ", ".join(f"`{word}`" for word in words) in text


def test_the_rings_table_is_the_preset() -> None:
    listed = rows(section(read(ROOT / "docs/definition.md"), "### The four phases"))
    rings = standard_rings("DE")
    assert [cells[0] for cells in listed] == [ring.name for ring in rings]
    for cells, ring in zip(listed, rings, strict=True):
        hours = ring.wait // timedelta(hours=1)
        assert cells[3] == (f"{hours} h" if hours else "none")
        assert ring.guards is None or ring.guards[:-1] == STANDARD_GUARDS
        own = ring.guards and f"the standard guards and `{ring.guards[-1].name}`"
        assert cells[4] == (own or "the campaign's")


def test_the_guards_of_the_rings_are_those_the_page_says() -> None:
    bare = {"name": "a", "package": "b", "rings": {"country": "DE"}}
    own = [{"metric": "silence"}]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    for more, usual in (({}, STANDARD_GUARDS), ({"type": "beta"}, PILOT_GUARDS)):
        definition = parse(bare | more, now)
        assert definition.guards_of(1)[:-1] == definition.guards_of(2) == usual
        extra = definition.guards_of(1)[-1]
        assert (extra.name, extra.metric, extra.mode) == ("any_failure", Metric.FAILURE, Rule.COUNT)
    definition = parse(bare | {"guards": own}, now)
    assert [guard.name for number in range(1, 5) for guard in definition.guards_of(number)] == ["silence"] * 4


def test_the_diagrams_are_drawn_from_the_tables() -> None:
    assert BLOCK.findall(read(ROOT / "docs/architecture.md")) == diagrams()


def shown_default(name: str, value: Any) -> str:
    if isinstance(value, timedelta):
        return f"`{value.total_seconds():g}`"
    if value is None:
        return "none"
    return f"`{value}`" if value != () else "empty"


def test_the_readme_lists_exactly_the_settings_with_their_defaults() -> None:
    listed = {
        cells[0]: cells[1] for cells in rows(section(read(ROOT / "README.md"), "### Environment variables"))
    }
    known = {
        f"`{PREFIX}{name.upper()}`": shown_default(name, field.default)
        for name, field in Settings.model_fields.items()
    }
    assert listed == known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_on_a_page_exists(page: Path) -> None:
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    known |= set(re.findall(rf"{PREFIX}\w+", read(ROOT / "docker-compose.yml")))
    known |= set(re.findall(rf"{PREFIX}TEST_\w+", read(ROOT / "tests/conftest.py")))
    assert set(re.findall(rf"{PREFIX}\w+", read(page))) <= known


def commands(text: str) -> list[str]:
    """What follows ``starter.py`` in blocks and spans."""
    code = [body.replace("\\\n", " ") for _, body in FENCE.findall(text)]
    code += SPAN.findall(FENCE.sub("", text))
    found = [match for body in code for match in re.findall(r"(?<!\w)starter\.py +([a-z][^\n|;&]*)", body)]
    return [words.strip() for words in found]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_on_a_page_exists_with_its_options(page: Path) -> None:
    for words in commands(read(page)):
        command: Any = typer.main.get_command(app)
        rest = shlex.split(words, comments=True)
        while isinstance(command, TyperGroup):
            assert rest, f"{page.name}: starter.py {words}: no command"
            name = rest.pop(0)
            assert name in command.commands, f"{page.name}: starter.py {words}"
            command = command.commands[name]
        options = {option for parameter in command.params for option in parameter.opts}
        given = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert given <= options, f"{page.name}: starter.py {words}"


def test_the_commands_of_the_readme_are_found_at_all() -> None:
    found = commands(read(ROOT / "README.md"))
    assert "fleet import examples/fleet-sample.jsonl" in found
    assert len(found) > 10


def test_the_exit_codes_name_every_command() -> None:
    text = section(read(ROOT / "docs/runbook.md"), "## Exit codes")
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    for name in command.commands:
        assert f"`{name}`" in text or f"`{name} …`" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_make_target_on_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", read(ROOT / "Makefile"), re.MULTILINE))
    used = re.findall(r"(?:^|`|BP: |\d )make ([a-z-]+)", read(page), re.MULTILINE)
    assert set(used) <= targets


def test_the_runbook_has_a_command_for_every_signal_update_and_query() -> None:
    text = read(ROOT / "docs/runbook.md")
    known = vars(CampaignWorkflow)["__temporal_workflow_definition"]
    for name in filter(None, (*known.signals, *known.updates)):
        assert re.search(rf"--name {name}\b", text), name
    for name in filter(None, known.queries):
        assert re.search(rf"--type {name}\b", text), name


def test_the_findings_are_listed() -> None:
    text = section(read(ROOT / "docs/architecture.md"), "## Supervision by retry-polling")
    assert [cells[0] for cells in rows(text)] == [f"`{finding.value}`" for finding in Finding]


def test_the_runbook_says_what_to_do_for_every_metric() -> None:
    text = section(read(ROOT / "docs/runbook.md"), "### Which guard it was")
    assert {cells[0] for cells in rows(text)} == {f"`{metric.value}`" for metric in Metric}


def test_the_runbook_says_what_to_do_for_every_reason_to_wait() -> None:
    listed = [
        (SPAN.findall(cells[0])[0], reason)
        for cells in rows(section(read(ROOT / "docs/runbook.md"), "### Why vehicles wait"))
        for reason in SPAN.findall(cells[1])
    ]
    known = [("deferred", reason.value) for reason in DeferralReason]
    known += [("pending", answer.value) for answer in Answer if answer is not Answer.GRANTED]
    assert sorted(listed) == sorted([*known, ("pending", READY)])


def test_the_runbook_lists_every_notice_and_how_urgent_it_is() -> None:
    """Titles begin the notices; those of an end are the names of the final states."""
    code = read(ROOT / "workflows/campaign.py") + read(ROOT / "workflows/steps.py")
    known = dict.fromkeys((state.value for state in State if state.final), "no")
    assert 'f"{story.state}: {self.definition.name}"' in code
    for title, rest in re.findall(r'f"([A-Z][a-z ]+): \{self\.definition\.name\}"(.*(?:\n.*){0,2})', code):
        known[title] = "yes" if "urgent=True" in rest else "no"
    listed = rows(section(read(ROOT / "docs/runbook.md"), "## Notices"))
    assert {SPAN.findall(cells[0])[0]: cells[2] for cells in listed} == known


def test_the_runbook_registers_every_search_attribute() -> None:
    text = read(ROOT / "docs/runbook.md")
    assert set(re.findall(r"--name (Campaign\w+) --type", text)) == set(search.REGISTERED)


def source() -> str:
    """All our code, with string literals that are continued on the next line joined."""
    folders = ("campaign", "store", "activities", "workflows", "gateway", "runtime", "commands")
    files = [file for folder in folders for file in sorted((ROOT / folder).glob("*.py"))]
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(map(read, files)))


@pytest.mark.parametrize(
    ("heading", "least"),
    [("## What a pause means and what to do", 8), ("### Waiting for a person", 4), ("## Common errors", 25)],
)
def test_every_text_the_runbook_quotes_is_said_by_the_code(heading: str, least: int) -> None:
    code = source()
    fragments = [
        SPAN.findall(cells[0])[0] for cells in rows(section(read(ROOT / "docs/runbook.md"), heading))
    ]
    assert len(fragments) >= least
    for fragment in fragments:
        assert fragment in code or fragment.removesuffix(" by") in code, fragment


def test_every_log_line_of_the_runbook_is_written_by_the_code() -> None:
    code = source() + read(ROOT / "worker.py")
    for cells in rows(section(read(ROOT / "docs/runbook.md"), "## Log lines")):
        for line in SPAN.findall(cells[0]):
            assert f'"{line}"' in code, line


def slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)]*))?\)", FENCE.sub("", read(page))):
        if "://" in target:
            continue
        file = (page.parent / target).resolve() if target else page
        assert file.is_relative_to(ROOT), target
        assert file.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", read(file), re.MULTILINE)
            assert anchor in map(slug, headings), f"{page.name}: #{anchor}"


def test_every_decision_is_listed_with_its_title() -> None:
    listed = dict(
        re.findall(r"\[\d{4}\]\((\d{4}-[\w-]+\.md)\) \| (.*) \|$", read(ROOT / "docs/adr/README.md"), re.M)
    )
    files = sorted(path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md"))
    assert sorted(listed) == files
    for name in files:
        text = read(ROOT / "docs/adr" / name)
        assert text.startswith(f"# {name[:4]}: {listed[name]}") or listed[name] in text.splitlines()[0]
        for part in ("**Context.**", "**Decision.**", "**Rejected.**", "**Consequences.**"):
            assert part in text, f"{name}: {part}"


def test_every_table_of_the_database_is_described() -> None:
    from sqlmodel import SQLModel

    import store.tables  # noqa: F401  (fills the metadata)

    text = section(read(ROOT / "docs/architecture.md"), "## Tables")
    assert {word for cells in rows(text) for word in SPAN.findall(cells[0])} == set(SQLModel.metadata.tables)


#: Put together from pieces, so that this file does not hold them.
_DOT = r"\."
HOSTS = "|".join(
    ("pypi" + _DOT, "python" + "hosted" + _DOT, "npmjs" + _DOT, "yarnpkg" + _DOT, "crates" + _DOT + "io")
)


@pytest.mark.parametrize("page", [*PAGES, ROOT / "docs/demo.svg"], ids=lambda page: page.name)
def test_no_page_names_a_path_of_one_machine_or_a_package_registry(page: Path) -> None:
    text = read(page)
    assert not re.findall(r"(?<![\w.}/])/(?:home|root|work|Users|tmp|opt)/", text)
    assert not re.findall(HOSTS, text, re.IGNORECASE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_page_is_plain_text_without_pictographs(page: Path) -> None:
    assert not re.findall(r"[\u2600-\u27bf\U0001f000-\U0001faff]", read(page))


def test_statements_that_look_for_vehicles_in_flight_have_their_index() -> None:
    statements = [body for page in PAGES for kind, body in FENCE.findall(page.read_text()) if kind == "sql"]
    in_flight = [
        each for each in statements if re.search(r"state = '(offered|downloading|installing)'", each)
    ]
    assert in_flight
    assert all(ANY_IN_FLIGHT_SQL in each for each in in_flight)
