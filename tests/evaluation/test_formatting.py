from evaluation.formatting import MINUS, duration, signed, signed_interval


def test_what_is_rounded_to_zero_has_no_sign() -> None:
    assert [signed(value) for value in (-0.0004, 0.0, 0.0004)] == ["0.000"] * 3
    assert [signed(value) for value in (-0.0006, 0.0006)] == [f"{MINUS}0.001", "+0.001"]
    assert signed(-0.004, 2) == "0.00"
    assert signed_interval((-0.1, 0.0001)) == f"[{MINUS}0.100, 0.000]"


def test_seconds_are_rounded_before_their_unit_is_chosen() -> None:
    assert [duration(seconds) for seconds in (59.4, 59.7, 60)] == ["59 s", "1 min", "1 min"]
    assert [duration(60 * minutes) for minutes in (59.7, 61)] == ["1 h 00 min", "1 h 01 min"]
