import numpy as np

from faces.video_faces import crop_square


def test_the_square_is_larger_than_the_box() -> None:
    frame = np.zeros((200, 300, 3), dtype=np.uint8)
    frame[60:140, 100:160] = 200  # 80 px high, so the side of the square is 104 px
    crop = crop_square(frame, np.array([100.0, 60.0, 160.0, 140.0]), scale=1.3, size=104)
    assert crop.shape == (104, 104, 3)
    rows, columns = np.nonzero(crop[..., 0])
    assert (rows.min(), rows.max()) == (12, 91)
    assert (columns.min(), columns.max()) == (22, 81)


def test_the_frame_is_reflected_at_its_border() -> None:
    frame = np.arange(100, dtype=np.uint8)[None, :, None].repeat(100, 0).repeat(3, 2)
    crop = crop_square(frame, np.array([-10.0, 40.0, 10.0, 60.0]), scale=1.0, size=20)
    np.testing.assert_array_equal(crop[0, :, 0], [*range(10, 0, -1), *range(10)])
    whole = crop_square(frame[:3, :4], np.array([-50.0, -50.0, 50.0, 50.0]), scale=1.3, size=32)
    assert whole.shape == (32, 32, 3)
