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
    assert known.installed(proof) == installed


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


def test_a_later_epoch_ends_all_that_is_known() -> None:
    known = Known()
    proof = known.proof("V", "t")
    known.learn(proof, standing(epoch=4))
    assert known.vehicle_id(proof, 5) is None
    assert proof not in known


def test_what_was_found_in_a_later_epoch_than_was_read_is_fresh_enough() -> None:
    known = Known()
    proof = known.proof("V", "t")
    known.learn(proof, standing(epoch=4))
    assert known.vehicle_id(proof, 3) == 7


def test_what_was_found_in_an_earlier_epoch_is_not_learnt() -> None:
    known = Known()
    early, late = known.proof("V", "t"), known.proof("W", "t")
    known.learn(late, standing(8, epoch=4))
    known.learn(early, standing(7, epoch=3))
    assert early not in known
    assert late in known


@pytest.mark.parametrize("most", [1, 3])
def test_no_more_is_kept_than_there_is_room_for(most: int) -> None:
    known = Known(most)
    proofs = [known.proof(str(number), "t") for number in range(10)]
    for proof in proofs:
        known.learn(proof, standing())
        assert proof in known
        assert sum(each in known for each in proofs) <= most
