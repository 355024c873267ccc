"""What a receipt means. Every way two databases can disagree is one line."""

from __future__ import annotations

import pytest

from instance.store.outbox import Uplink, next_epoch
from instance.sync.receipts import Verdict, judge
from schemas.sync import Receipt

EPOCH = next_epoch()
OURS = Uplink(epoch=EPOCH, head=100, confirmed=60, rotations=0, share_since=None)
HASH, OTHER = "a" * 16, "b" * 16


@pytest.mark.parametrize(
    ("wm", "wm_hash", "own_hash", "rotate", "oldest", "fresh", "verdict"),
    [
        (80, HASH, HASH, None, 1, False, Verdict.CONFIRMED),
        (60, HASH, HASH, None, 1, False, Verdict.CONFIRMED),
        (100, HASH, None, None, 1, True, Verdict.CONFIRMED),  # the event is no longer kept here
        (50, HASH, HASH, None, 1, False, Verdict.STALE),  # overtaken by a later receipt
        (50, HASH, HASH, None, 1, True, Verdict.FORGOTTEN),
        (0, None, None, None, 1, True, Verdict.FORGOTTEN),  # an empty central database
        (50, HASH, HASH, None, 52, True, Verdict.FOREIGN),  # what it lost is no longer kept: say everything again
        (101, HASH, None, None, 1, True, Verdict.FOREIGN),  # we were restored from a backup
        (80, OTHER, HASH, None, 1, False, Verdict.FOREIGN),  # a clone wrote there
        (80, HASH, HASH, EPOCH, 1, False, Verdict.FOREIGN),  # told to rotate
    ],
    ids=range(10),
)
def test_verdicts(
    wm: int,
    wm_hash: str | None,
    own_hash: str | None,
    rotate: str | None,
    oldest: int,
    *,
    fresh: bool,
    verdict: Verdict,
) -> None:
    receipt = Receipt(epoch=EPOCH, wm=wm, wm_hash=wm_hash, rotate_after=rotate)
    assert judge(receipt, OURS, own_hash, oldest, fresh=fresh) is verdict


def test_a_receipt_about_another_epoch_means_nothing() -> None:
    receipt = Receipt(epoch=next_epoch(EPOCH), wm=500, rotate_after=EPOCH)
    assert judge(receipt, OURS, None, 1, fresh=True) is Verdict.STALE
