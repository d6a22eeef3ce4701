"""Definition files: YAML or JSON."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from campaign.definition import Definition, parse
from campaign.problems import Problem, Refused


def read_document(file: Path) -> Any:
    """The decoded document of a file; JSON is read as the YAML it is.

    Raises:
        Refused: the file is missing or not YAML; the message names line and column.
    """
    try:
        return yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except FileNotFoundError:
        raise Refused([Problem("file", str(file), "there is no such file")]) from None
    except IsADirectoryError:
        raise Refused([Problem("file", str(file), "is a folder; give a definition file")]) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        reason = getattr(error, "problem", None) or str(error)
        raise Refused([Problem("file", str(file), f"is no YAML: {where}{reason}")]) from None


def read_definition(file: Path) -> tuple[dict[str, Any], Definition]:
    """The document of a definition file as JSON, and the definition it stands for.

    Raises:
        Refused: with every problem.
    """
    definition = parse(read_document(file), datetime.now(UTC))
    return definition.model_dump(mode="json", by_alias=True, exclude_none=True), definition


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice, and leaves dates and times to the definition."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for index, key in enumerate(keys):
            if key in keys[:index]:
                mark = node.value[index][0].start_mark
                raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", mark)
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
