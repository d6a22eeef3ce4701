"""What is rolled out: an update package of one module per ECU."""

import hashlib
from typing import Annotated

from pydantic import Field, field_validator, model_validator

from campaign.criteria import Words
from campaign.model import Frozen
from campaign.vehicle import Name, Vehicle
from campaign.versions import VersionRange, in_range, same_version

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$")]


class Artifact(Frozen):
    """The file a vehicle downloads, named by its content."""

    filename: FileName
    size_bytes: int = Field(gt=0)
    sha256: Sha256


class Requirement(Frozen):
    """Software that another ECU must have first."""

    ecu: Name
    versions: VersionRange


class Module(Frozen):
    """The new software of one ECU, what it may replace, and what other ECUs must have first."""

    ecu: Name
    hw_ids: Words
    version: Name
    from_versions: VersionRange | None = None
    requires: tuple[Requirement, ...] = ()
    artifact: Artifact


class Package(Frozen):
    """A named set of modules, installed in their order."""

    name: Name
    description: str = ""
    modules: tuple[Module, ...] = Field(min_length=1, max_length=32)

    @field_validator("modules")
    @classmethod
    def _one_module_an_ecu(cls, modules: tuple[Module, ...]) -> tuple[Module, ...]:
        names = [module.ecu for module in modules]
        if len(set(names)) < len(names):
            raise ValueError("two modules name the same ECU; a package holds one module per ECU")
        return modules

    @model_validator(mode="after")
    def _one_content_a_file(self) -> "Package":
        contents: dict[str, str] = {}
        for module in self.modules:
            artifact = module.artifact
            if contents.setdefault(artifact.filename, artifact.sha256) != artifact.sha256:
                raise ValueError(f"file name {artifact.filename!r} stands for two different contents")
        return self

    @model_validator(mode="after")
    def _what_is_required_comes_first(self) -> "Package":
        brought: dict[str, str] = {}
        for module in self.modules:
            for need in module.requires:
                later = {other.ecu for other in self.modules} - brought.keys()
                if need.ecu in later:
                    raise ValueError(
                        f"{module.ecu} requires {need.ecu} {need.versions}, which this package brings only "
                        f"after it; put its module first"
                    )
                if need.ecu in brought and not in_range(brought[need.ecu], need.versions):
                    raise ValueError(
                        f"{module.ecu} requires {need.ecu} {need.versions}, and this package brings "
                        f"{brought[need.ecu]}"
                    )
            brought[module.ecu] = module.version
        return self

    @property
    def requirements(self) -> tuple[Requirement, ...]:
        """What a vehicle must have before: what the package does not bring itself."""
        brought = {module.ecu for module in self.modules}
        return tuple(need for module in self.modules for need in module.requires if need.ecu not in brought)

    @property
    def digest(self) -> str:
        """The sha256 of the package's canonical JSON, lower-case hex."""
        # A package that says nothing of it keeps the digest it had before there was such a key.
        silent = {place: {"requires"} for place, module in enumerate(self.modules) if not module.requires}
        return hashlib.sha256(self.model_dump_json(exclude={"modules": silent}).encode()).hexdigest()


def package_misses(package: Package, vehicle: Vehicle) -> list[str]:
    """Why a package does not fit a vehicle, whatever the criteria say; empty where it fits."""
    reasons = []
    ecus = {ecu.name: ecu for ecu in vehicle.ecus}
    for module in package.modules:
        ecu = ecus.get(module.ecu)
        if ecu is None:
            reasons.append(f"has no ECU {module.ecu}")
        elif ecu.hw_id not in module.hw_ids:
            reasons.append(
                f"{module.ecu} hardware is {ecu.hw_id}, the package fits {', '.join(module.hw_ids)}"
            )
        elif module.from_versions and not in_range(ecu.sw_version, module.from_versions):
            reasons.append(
                f"{module.ecu} software is {ecu.sw_version}, the package replaces {module.from_versions}"
            )
    for need in package.requirements:
        ecu = ecus.get(need.ecu)
        if ecu is None:
            reasons.append(f"has no ECU {need.ecu}")
        elif not in_range(ecu.sw_version, need.versions):
            reasons.append(
                f"{need.ecu} software is {ecu.sw_version}, the package needs {need.versions} first"
            )
    if not reasons and all(same_version(ecus[m.ecu].sw_version, m.version) for m in package.modules):
        reasons.append("already has this software")
    return reasons
