"""Whom the gateway knows: who has proven which vehicle it is, and whether there was nothing for it.

It holds for one epoch (store/epoch.py) and is forgotten with it. Most vehicles that poll have nothing to
expect, poll after poll: for them this stands in for asking where they stand.
"""

import hashlib
import secrets
from typing import NamedTuple

from starlette.types import Scope

from gateway.headers import header
from store.polls import Standing, nothing

#: A million take some 150 MiB. Beyond it all is forgotten, and learnt again.
MOST_PROOFS = 1_000_000

_PROOF_BYTES = 16
_PROOF = "ringmaster.proof"
_ACTION_BITS = 31


class Vehicle(NamedTuple):
    """A vehicle that has proven who it is; in the epoch ``known_in``, where it was not asked since."""

    vehicle_id: int
    vin: str
    known_in: int | None = None


class Known:
    """What is known by proof: the vehicle, whether it is idle, and what it installed last.

    Each is packed into one integer: objects would take three times the memory, and the garbage collector
    would go through all of them again and again.

    Args:
        most_proofs: how many are kept.
    """

    def __init__(self, most_proofs: int = MOST_PROOFS) -> None:
        self._most = most_proofs
        self._key = secrets.token_bytes(32)
        self._facts: dict[bytes, int] = {}
        self._epoch = 0

    def proof(self, vin: str, authorization: str) -> bytes:
        """Stands for a vehicle and what it showed; keyed, so that nobody can look for two that are alike."""
        shown = f"{vin}\0{authorization}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(shown, digest_size=_PROOF_BYTES, key=self._key).digest()

    def proof_in(self, scope: Scope, vin: str) -> bytes:
        """The proof of a request of this vehicle, made once for it."""
        proof: bytes | None = scope.get(_PROOF)
        if proof is None:
            proof = scope[_PROOF] = self.proof(vin, header(scope, b"authorization") or "")
        return proof

    def learn(self, proof: bytes, standing: Standing) -> None:
        """Keep what was found of the vehicle that showed this proof."""
        self._begin(standing.epoch)
        if len(self._facts) >= self._most and proof not in self._facts:
            self._facts.clear()
        self._facts[proof] = (
            standing.vehicle_id << _ACTION_BITS | (standing.installed or 0)
        ) << 1 | standing.idle

    def __contains__(self, proof: bytes) -> bool:
        """Whether it was seen; worth asking for the epoch then."""
        return proof in self._facts

    def vehicle_id(self, proof: bytes, epoch: int) -> int | None:
        """The vehicle that showed this proof.

        Args:
            epoch: as it was read after the request came: what is known from another one holds no more, also
                from a later one: a restored database tells other things by that number.
        """
        self._begin(epoch)
        fact = self._facts.get(proof)
        return None if fact is None else fact >> _ACTION_BITS + 1

    def remembered(self, proof: bytes, vin: str) -> Vehicle | None:
        """The vehicle that showed this proof, if its epoch still lasts."""
        fact = self._facts.get(proof)
        return None if fact is None else Vehicle(fact >> _ACTION_BITS + 1, vin, self._epoch)

    def forget(self, proof: bytes) -> None:
        """Know nothing of who showed this proof, for its epoch is over."""
        self._facts.pop(proof, None)

    def idle(self, proof: bytes) -> bool:
        """Whether there was nothing for the vehicle that showed this proof."""
        return bool(self._facts.get(proof, 0) & 1)

    def standing(self, proof: bytes, vin: str, epoch: int) -> Standing | None:
        """Where the vehicle stands that showed this proof, if there is nothing for it; takes what
        `vehicle_id` does.
        """
        vehicle_id = self.vehicle_id(proof, epoch)
        if vehicle_id is None or not self.idle(proof):
            return None
        installed = self._facts[proof] >> 1 & (1 << _ACTION_BITS) - 1
        return nothing(vehicle_id, vin, installed or None, epoch)

    def _begin(self, epoch: int) -> None:
        if epoch != self._epoch:
            self._facts.clear()
            self._epoch = epoch
