"""What a signal is known by: its door, the door's name for it, and its time where every telling brings the same."""

from datetime import timedelta

from accounts.fingerprints import LENGTH, fingerprint
from tests.cast import NOW


def test_the_same_name_at_another_door_is_another_signal() -> None:
    assert fingerprint("sendgrid", "1") == fingerprint("sendgrid", "1")
    assert len({fingerprint("sendgrid", "1"), fingerprint("web", "1"), fingerprint("sendgrid", "2")}) == 3
    assert fingerprint("a", "b\0c") != fingerprint("a\0b", "c\0")


def test_fingerprints_sort_as_their_times_do_whatever_the_names() -> None:
    times = [NOW - timedelta(days=9_000), NOW - timedelta(seconds=1), NOW, NOW + timedelta(days=9_000)]
    dated = [fingerprint("ses", name, at) for name, at in zip("zyxw", times, strict=True)]
    assert dated == sorted(dated)
    assert fingerprint("ses", "a") < dated[0], "what has no time of its own stands before all that has"
    assert {len(one) for one in dated} == {LENGTH}


def test_a_time_before_1970_or_after_all_others_fits_as_well() -> None:
    for years in (-1_900, 7_900):
        assert len(fingerprint("csv", "1", NOW + timedelta(days=365 * years))) == LENGTH
