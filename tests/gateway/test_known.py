"""What the gateway remembers of vehicles, and for how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.known import Known
from store.polls import Outlook, Standing


def standing(
    vehicle_id: int = 7, *, epoch: int = 1, idle: bool = True, installed: int | None = None
) -> Standing:
    return Standing(
        vehicle_id=vehicle_id, vin="V", token_hash=None, former_hash=None, config_wanted=False, action=None,
        state=None, cancel_wanted=False, stands=False, installed=installed, outlook=Outlook(admissible=False),
        waits=False, idle=idle, epoch=epoch,
    )  # fmt: skip


@given(
    vehicle_id=st.integers(1, 2**31 - 1),
    installed=st.none() | st.integers(1, 2**31 - 1),
    idle=st.booleans(),
)
def test_what_was_learnt_is_known(vehicle_id: int, installed: int | None, idle: bool) -> None:
    known = Known()
    proof = known.proof("V", "TargetToken t")
    known.learn(proof, standing(vehicle_id, idle=idle, installed=installed))

    assert proof in known
    assert known.vehicle_id(proof, 1) == vehicle_id
    assert known.idle(proof) is idle
    found = standing(vehicle_id, installed=installed)
    assert known.standing(proof, "V", 1) == (found if idle else None)
    assert known.standing(proof, "V", 2) is None


def test_nothing_is_known_of_another_proof() -> None:
    known = Known()
    known.learn(known.proof("V", "TargetToken t"), standing())
    for vin, shown in (("W", "TargetToken t"), ("V", "TargetToken u"), ("V", ""), ("V\0TargetToken t", "")):
        other = known.proof(vin, shown)
        assert other not in known
        assert known.vehicle_id(other, 1) is None
        assert not known.idle(other)


def test_another_process_makes_other_proofs() -> None:
    assert Known().proof("V", "t") != Known().proof("V", "t")


def test_what_is_known_from_another_epoch_holds_no_more_also_from_a_later_one() -> None:
    known = Known()
    proof = known.proof("V", "t")
    for asked in (3, 5):
        known.learn(proof, standing(epoch=4))
        assert known.vehicle_id(proof, asked) is None
        assert proof not in known


def test_what_is_learnt_in_another_epoch_ends_what_was_known() -> None:
    known = Known()
    one, other = known.proof("V", "t"), known.proof("W", "t")
    known.learn(one, standing(7, epoch=4))
    known.learn(other, standing(8, epoch=3))
    assert one not in known
    assert known.vehicle_id(other, 3) == 8


def test_what_is_learnt_again_takes_no_more_room() -> None:
    known = Known(2)
    proofs = [known.proof(vin, "t") for vin in ("V", "W")]
    for proof in (*proofs, *proofs):
        known.learn(proof, standing())
    assert all(proof in known for proof in proofs)


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_is_kept_than_there_is_room_for(most: int) -> None:
    known = Known(most)
    proofs = [known.proof(str(number), "t") for number in range(10)]
    for proof in proofs:
        known.learn(proof, standing())
        assert proof in known
        assert sum(each in known for each in proofs) <= most
