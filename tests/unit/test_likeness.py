from __future__ import annotations

from centralcloud.learning.likeness import clusters

LONG = 'with open ( $1 , "rb" ) as $2 : $3 = json . loads ( $2 . read ( ) ) ; return $3 [ "S" ]'


def test_near_duplicates_stand_behind_the_strongest() -> None:
    near = LONG.replace('"rb"', '"r"')
    assert clusters([LONG, "return $1", near, "$1 = $2 . copy ( )"]) == [0, 1, 0, 3]


def test_the_strongest_is_the_first() -> None:
    near = LONG.replace('"rb"', '"r"')
    assert clusters([near, LONG]) == clusters([LONG, near]) == [0, 0]


def test_nothing_is_no_cluster() -> None:
    assert clusters([]) == []
