"""Registered packages: their files in the artifact directory, named by content, and their rows.

A package's name never changes its content, and a file is verified by its bytes before any row speaks of it.
"""

import hashlib
import json
import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import yaml
from psycopg.types.json import Jsonb
from pydantic import ValidationError

from campaign.package import Artifact, Package
from campaign.problems import Problem, Refused, closest, explain
from store.connect import Connection
from store.objects import ObjectStore

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Registered:
    """A package in the database. ``is_new``: this registration wrote it, it was not there before."""

    package: Package
    digest: str
    registered_at: datetime
    is_new: bool = False


@dataclass(frozen=True)
class _Content:
    """A file's size and its hashes, lower-case hex."""

    size_bytes: int
    sha256: str
    sha1: str
    md5: str


def read_package(path: Path, source_dir: Path) -> Package:
    """The package in a YAML or JSON file.

    Where an artifact states no ``size_bytes`` or ``sha256``, they are taken from the file in ``source_dir``.

    Raises:
        Refused: with every problem found, each naming field, value and cure.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
        # YAML takes almost all JSON, but not the tabs some tools indent it with.
        raw = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise _refused(str(path), f"cannot be read: {reason}") from error
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        raise _refused(str(path), "is neither YAML nor JSON: " + " ".join(str(error).split())) from error
    if not isinstance(raw, dict):
        raise _refused(str(path), "give one mapping: name, modules, …")
    try:
        _fill_in(raw, source_dir)
        return Package.model_validate(raw)
    except ValidationError as error:
        raise Refused(explain(error, Package), subject="package") from error


def register(
    connection: Connection,
    package: Package,
    source_dir: Path,
    artifacts_dir: Path,
    objects: ObjectStore | None = None,
) -> Registered:
    """Copy a package's files to ``artifacts_dir/<sha256>`` and write its rows. Safe to repeat.

    Args:
        objects: where the files are uploaded to, before any row speaks of them.

    Raises:
        Refused: a file is missing or is not what the package states, the name has other content already,
            or the object store cannot be written.
    """
    _refuse_other_content(connection, package)
    artifacts = {module.artifact.filename: module.artifact for module in package.modules}
    contents: list[_Content] = []
    problems: list[Problem] = []
    artifacts_dir.mkdir(parents=True, exist_ok=True)
    for artifact in artifacts.values():
        try:
            contents.append(_take_in(artifact, source_dir, artifacts_dir))
        except Refused as refused:
            problems += refused.problems
    if problems:
        raise Refused(problems, subject="package")
    if objects is not None:
        for content in contents:
            objects.put(artifacts_dir / content.sha256, content.sha256)
    with connection.transaction():
        for content in contents:
            connection.execute(_INSERT_ARTIFACT, vars(content))
        row = (package.name, package.digest, Jsonb(package.model_dump(mode="json")))
        is_new = connection.execute(_INSERT_PACKAGE, row).rowcount == 1
        _refuse_other_content(connection, package)
    return next(
        Registered(found.package, found.digest, found.registered_at, is_new)
        for found in _select(connection, package.name)
    )


_INSERT_ARTIFACT = """
INSERT INTO artifact (sha256, sha1, md5, size_bytes) VALUES (%(sha256)s, %(sha1)s, %(md5)s, %(size_bytes)s)
ON CONFLICT (sha256) DO NOTHING
"""

_INSERT_PACKAGE = """
INSERT INTO package (name, digest, body) VALUES (%s, %s, %s) ON CONFLICT (name) DO NOTHING
"""


def package(connection: Connection, name: str) -> Package:
    """The registered package of this name.

    Raises:
        Refused: there is none; the message names the closest one.
    """
    return registered(connection, name).package


def registered(connection: Connection, name: str) -> Registered:
    """The same with its digest and the time of its registration; raises as `package` does."""
    for found in _select(connection, name):
        return found
    problem = Problem("package", repr(name), f"is not registered; {closest(name, known(connection))}")
    raise Refused([problem], subject="package")


def packages(connection: Connection) -> list[Registered]:
    """All registered packages, by name."""
    return _select(connection, None)


def known(connection: Connection) -> list[str]:
    """The names of all registered packages, in order."""
    return [name for (name,) in connection.execute("SELECT name FROM package ORDER BY name")]


def _select(connection: Connection, name: str | None) -> list[Registered]:
    rows = connection.execute(
        "SELECT body, digest, registered_at FROM package "
        "WHERE %(name)s::text IS NULL OR name = %(name)s ORDER BY name",
        {"name": name},
    )
    return [Registered(Package.model_validate(body), digest, at) for body, digest, at in rows]


def _refuse_other_content(connection: Connection, package: Package) -> None:
    query = "SELECT digest FROM package WHERE name = %s"
    found = connection.execute(query, (package.name,)).fetchone()
    if found and found[0] != package.digest:
        cure = "is registered with other content; a name never changes its content: choose a new name"
        raise Refused([Problem("name", repr(package.name), cure)], subject="package")


def _take_in(artifact: Artifact, source_dir: Path, artifacts_dir: Path) -> _Content:
    """Copy one file under the name of its content; it appears whole or not at all."""
    descriptor, name = tempfile.mkstemp(prefix=".incoming-", dir=artifacts_dir)
    try:
        with os.fdopen(descriptor, "wb") as copy:
            content = _read(source_dir, artifact.filename, copy)
            copy.flush()
            os.fsync(copy.fileno())
        wrong = [
            Problem(
                f"{artifact.filename} {key}", str(stated), f"is stated, the file has {found}; correct one"
            )
            for key, stated, found in (
                ("size_bytes", artifact.size_bytes, content.size_bytes),
                ("sha256", artifact.sha256, content.sha256),
            )
            if stated != found
        ]
        if wrong:
            raise Refused(wrong, subject="package")
        os.chmod(name, 0o644)  # mkstemp's 0600 would hide it from a gateway under another user
        os.replace(name, artifacts_dir / content.sha256)
        _sync_folder(artifacts_dir)
        return content
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)


def _sync_folder(folder: Path) -> None:
    """After this the new name in the folder survives a power cut; Windows has no such call."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _read(source_dir: Path, filename: str, copy: BinaryIO | None = None) -> _Content:
    size = 0
    # sha1 and md5 are what older update clients compare; sha256 names the content.
    sha256, sha1, md5 = (
        hashlib.sha256(),
        hashlib.sha1(usedforsecurity=False),
        hashlib.md5(usedforsecurity=False),
    )
    try:
        with (source_dir / filename).open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                size += len(chunk)
                for digest in (sha256, sha1, md5):
                    digest.update(chunk)
                if copy is not None:
                    copy.write(chunk)
    except OSError as error:
        cure = f"cannot be read in {source_dir}: {error.strerror}; name the folder that holds it"
        raise _refused(filename, cure) from error
    return _Content(size, sha256.hexdigest(), sha1.hexdigest(), md5.hexdigest())


def _fill_in(raw: dict[str, Any], source_dir: Path) -> None:
    """Add what the file leaves out; whatever has another shape than a package is left to the validation."""
    modules = raw.get("modules")
    for module in modules if isinstance(modules, list) else ():
        artifact = module.get("artifact") if isinstance(module, dict) else None
        if not isinstance(artifact, dict) or {"size_bytes", "sha256"} <= artifact.keys():
            continue
        stated = {"size_bytes": 1, "sha256": "0" * 64} | artifact
        try:
            filename = Artifact.model_validate(stated).filename
        except ValidationError:
            continue
        content = _read(source_dir, filename)
        artifact.setdefault("size_bytes", content.size_bytes)
        artifact.setdefault("sha256", content.sha256)


def _refused(field: str, cure: str) -> Refused:
    return Refused([Problem(field, "", cure)], subject="package")
