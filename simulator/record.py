"""The part of an as-built record that a vehicle knows about itself."""

from pydantic import BaseModel, ConfigDict, Field


class Ecu(BaseModel):
    """One control unit as it left the factory."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1)
    hw_id: str
    sw_version: str


class Record(BaseModel):
    """One vehicle; further members of the manufacturing JSON are somebody else's business."""

    model_config = ConfigDict(frozen=True)

    vin: str = Field(min_length=1)
    model: str
    country: str | None = None
    ecus: tuple[Ecu, ...]
