"""The kinds of files that people have, each encoded here and compared with a reference."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray
from PIL import Image

from faces.containers import Limits, UnreadableVideoError
from faces.decoding import decode_frames, decode_image
from faces.frame_index import index_frames
from faces.media import ProcessLimits, open_media

Picture = NDArray[np.uint8]
Turn = Callable[[Picture], Picture]

HEIGHT, WIDTH = 48, 96


def drawn(number: int = 0) -> Picture:
    """Smooth colours without symmetry, darker from frame to frame."""
    x, y = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    colours = np.stack([220 * x, 220 * y, 120 + 100 * np.sin(3 * x) * y], axis=2)
    return (colours * 0.97**number).round().astype(np.uint8)


def encode(
    path: Path,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    container: str = "mp4",
    times: list[int] | None = None,
    sound: bool = False,
    matrix: list[int] | None = None,
    pixel_ratio: Fraction | None = None,
    transfer: int | None = None,
    **options: str,
) -> Path:
    """Encode frames with presentation times in milliseconds; default: three at 25 per second."""
    quiet = {"libx264": {"crf": "4"}, "libx265": {"crf": "4", "x265-params": "log-level=none"}}
    quiet |= {"libsvtav1": {"crf": "10", "preset": "12"}, "mjpeg": {"qmin": "1", "qmax": "1"}}
    quiet |= {"libvpx-vp9": {"crf": "4", "b": "0", "cpu-used": "8"}}
    with av.open(path, "w", format=container) as output:
        stream: Any = output.add_stream(codec, rate=25, options=quiet.get(codec, {}) | options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000 if times else 25)
        if pixel_ratio:
            stream.codec_context.sample_aspect_ratio = pixel_ratio
        if transfer:
            stream.codec_context.color_trc = transfer
        if matrix:
            stream.set_display_matrix([*matrix[:2], 0, *matrix[2:], 0, 0, 0, 1 << 30])
        for number, time in enumerate(times or range(3)):
            frame = av.VideoFrame.from_ndarray(drawn(number), format="rgb24")
            frame.pts, frame.time_base = time, stream.codec_context.time_base
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def read(path: Path) -> list[Picture]:
    """Read all frames with the project's reader, in this process."""
    index = index_frames(path)
    return [frame for _, frame in decode_frames(path, index, range(index.length))]


def difference(one: Picture, other: Picture) -> float:
    """Mean absolute difference of two pictures of the same size, in grey levels."""
    assert one.shape == other.shape
    return float(np.abs(one.astype(float) - other).mean())


ONE = 1 << 16


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        pytest.param([0, ONE, -ONE, 0], lambda p: p[::-1].swapaxes(0, 1), id="clockwise"),
        pytest.param([-ONE, 0, 0, -ONE], lambda p: p[::-1, ::-1], id="upside down"),
        pytest.param([0, -ONE, ONE, 0], lambda p: p[:, ::-1].swapaxes(0, 1), id="anticlockwise"),
        pytest.param([-ONE, 0, 0, ONE], lambda p: p[:, ::-1], id="mirrored"),
        pytest.param([ONE, 0, 0, -ONE], lambda p: p[::-1], id="mirrored upside down"),
        pytest.param([0, ONE, ONE, 0], lambda p: p.swapaxes(0, 1), id="mirrored and turned"),
        pytest.param([0, 0, 0, 0], lambda p: p, id="damaged matrix"),
    ],
)
def test_quarter_turns_and_mirrors_move_pixels_exactly(
    tmp_path: Path, matrix: list[int], turn: Turn
) -> None:
    plain, turned = read(encode(tmp_path / "a")), read(encode(tmp_path / "b", matrix=matrix))
    for before, after in zip(plain, turned, strict=True):
        np.testing.assert_array_equal(after, turn(before))


def test_any_other_angle_is_turned_onto_a_larger_picture(tmp_path: Path) -> None:
    cosine, sine = round(np.cos(np.pi / 6) * ONE), round(np.sin(np.pi / 6) * ONE)
    plain = read(encode(tmp_path / "a"))[0]
    turned = read(encode(tmp_path / "b", matrix=[cosine, sine, -sine, cosine]))[0]
    reference = np.asarray(
        Image.fromarray(plain).rotate(-30, Image.Resampling.BILINEAR, expand=True)
    )
    rows, columns = np.subtract(turned.shape[:2], reference.shape[:2])
    assert abs(rows) <= 2
    assert abs(columns) <= 2
    centre = [slice(s // 2 - 15, s // 2 + 15) for s in turned.shape[:2]]
    other = [slice(s // 2 - 15, s // 2 + 15) for s in reference.shape[:2]]
    assert difference(turned[tuple(centre)], reference[tuple(other)]) < 4
    assert not turned[0, 0].any()


@pytest.mark.parametrize(
    ("ratio", "size"), [(Fraction(4, 3), (128, 48)), (Fraction(3, 4), (96, 64))], ids=str
)
def test_oblong_pixels_become_square(
    tmp_path: Path, ratio: Fraction, size: tuple[int, int]
) -> None:
    plain = read(encode(tmp_path / "a"))[0]
    reference = np.asarray(Image.fromarray(plain).resize(size, Image.Resampling.BILINEAR))
    assert difference(read(encode(tmp_path / "b", pixel_ratio=ratio))[0], reference) < 2


def test_oblong_pixels_are_stretched_before_the_turn(tmp_path: Path) -> None:
    plain = read(encode(tmp_path / "a"))[0]
    reference = np.asarray(Image.fromarray(plain).resize((128, 48), Image.Resampling.BILINEAR))
    path = encode(tmp_path / "b", pixel_ratio=Fraction(4, 3), matrix=[0, ONE, -ONE, 0])
    assert difference(read(path)[0], reference[::-1].swapaxes(0, 1)) < 2


def test_ratios_that_differ_by_rounding_are_square(tmp_path: Path) -> None:
    assert read(encode(tmp_path / "a", pixel_ratio=Fraction(640, 639)))[0].shape[1] == WIDTH


@pytest.mark.parametrize(
    "coding",
    [
        pytest.param({"pix_fmt": "yuv420p10le"}, id="H.264 10 bit"),
        pytest.param({"codec": "libx265"}, id="HEVC"),
        pytest.param({"codec": "libx265", "pix_fmt": "yuv420p10le"}, id="HEVC 10 bit"),
        pytest.param({"codec": "libvpx-vp9", "container": "webm"}, id="VP9"),
        pytest.param({"codec": "libsvtav1"}, id="AV1"),
        pytest.param({"codec": "mjpeg", "pix_fmt": "yuvj420p", "container": "avi"}, id="MJPEG"),
    ],
)
def test_codecs_show_the_drawn_colours(tmp_path: Path, coding: dict[str, str]) -> None:
    frames = read(encode(tmp_path / "a", **coding))
    assert len(frames) == 3
    for number, frame in enumerate(frames):
        assert difference(frame, drawn(number)) < 3


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG"), (1, None)])
def test_hdr_is_marked(tmp_path: Path, transfer: int, name: str | None) -> None:
    path = encode(tmp_path / "a", "libx265", "yuv420p10le", transfer=transfer)
    assert index_frames(path).transfer == name


def test_times_are_those_of_the_presentation(tmp_path: Path) -> None:
    """Frames of a variable rate, with B-frames: decoded in another order than presented."""
    times = [0, 40, 100, 900, 1000, 1040, 4000, 4500]
    index = index_frames(encode(tmp_path / "a", times=times, bf="3", b_strategy="0"))
    np.testing.assert_allclose(index.seconds, np.array(times) / 1000, atol=1e-3)
    assert index.times is not None
    assert (np.diff(index.times) < 0).any()


@pytest.mark.parametrize(
    "coding",
    [
        pytest.param({"sc_threshold": "0"}, id="closed groups"),
        pytest.param({"x264-params": "open-gop=1"}, id="open groups"),
        pytest.param({"intra-refresh": "1"}, id="no groups"),
        pytest.param({"codec": "libx265"}, id="HEVC"),
        pytest.param({"codec": "libsvtav1"}, id="AV1"),
    ],
)
def test_skipped_groups_of_pictures_change_no_pixel(tmp_path: Path, coding: dict[str, str]) -> None:
    path = encode(tmp_path / "a", times=list(range(0, 2400, 40)), g="10", bf="3", **coding)
    index, whole = index_frames(path), read(path)
    for wanted in ([35], [3, 31], [0, 59], [10, 19, 20, 41], [9, 29, 39]):
        found = dict(decode_frames(path, index, wanted))
        assert list(found) == wanted
        for number, frame in found.items():
            np.testing.assert_array_equal(frame, whole[number])


def test_three_hours_are_read_in_a_process_of_its_own(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mp4", times=[1000 * second for second in range(0, 3 * 3600, 20)])
    with open_media(path) as media:
        assert not media.is_image
        assert media.index.length == 540
        assert media.index.seconds[-1] == pytest.approx(3 * 3600 - 20)
        frames = dict(media.frames([5, 500]))
    whole = read(path)
    assert list(frames) == [5, 500]
    np.testing.assert_array_equal(frames[500], whole[500])


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1"])
def test_a_trimmed_clip_is_read_from_its_first_shown_frame(tmp_path: Path, codec: str) -> None:
    """An edit list hides the first frames, which the next ones refer to."""
    path = encode(tmp_path / "a.mp4", codec, times=list(range(-200, 1000, 40)), g="40")
    with av.open(path) as container:
        shown = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    index = index_frames(path)
    assert (index.length, index.claimed) == (25, None)
    found = dict(decode_frames(path, index, [0, 1, 20]))
    assert list(found) == [0, 1, 20]
    for number, frame in found.items():
        np.testing.assert_array_equal(frame, shown[number])


def test_one_frame_and_a_cut_off_copy_are_read(tmp_path: Path) -> None:
    path = encode(tmp_path / "one.mp4", times=[0])
    assert len(read(path)) == 1
    path = encode(tmp_path / "cut.mkv", container="matroska", times=list(range(0, 2000, 40)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    with open_media(path) as media:
        assert 10 < media.index.length < 50
        assert [number for number, _ in media.frames([0, 10])] == [0, 10]


@pytest.mark.parametrize("orientation", [1, 3, 6, 7])
def test_images_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    turns: dict[int, Turn] = {
        1: lambda p: p,
        3: lambda p: p[::-1, ::-1],
        6: lambda p: p[::-1].swapaxes(0, 1),
        7: lambda p: p[::-1, ::-1].swapaxes(0, 1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(drawn()).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(decode_image(tmp_path / "a.png"), turns[orientation](drawn()))


def test_sixteen_bits_of_an_image_become_eight(tmp_path: Path) -> None:
    grey = drawn()[..., 0]
    Image.fromarray(grey.astype(np.uint16) * 256).save(tmp_path / "a.png")
    np.testing.assert_array_equal(decode_image(tmp_path / "a.png")[..., 1], grey)


def test_an_image_is_one_frame(tmp_path: Path) -> None:
    Image.fromarray(drawn()).save(tmp_path / "a.webp", lossless=True)
    with open_media(tmp_path / "a.webp") as media:
        assert media.is_image
        np.testing.assert_array_equal(dict(media.frames([0]))[0], drawn())


def test_a_script_that_names_other_files_is_refused(tmp_path: Path) -> None:
    encode(tmp_path / "secret.mp4")
    (tmp_path / "a.mp4").write_text("ffconcat version 1.0\nfile 'secret.mp4'\n")
    (tmp_path / "b.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nsecret.mp4\n")
    for path in (tmp_path / "a.mp4", tmp_path / "b.mp4"):
        with pytest.raises(UnreadableVideoError, match=r"not a video"):
            index_frames(path)


def test_the_cover_picture_of_a_sound_is_no_video(tmp_path: Path) -> None:
    with av.open(tmp_path / "a.mp4", "w") as output:
        sound: Any = output.add_stream("aac", rate=16_000)
        cover: Any = output.add_stream("mjpeg", rate=25)
        cover.width, cover.height, cover.pix_fmt = WIDTH, HEIGHT, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        picture = av.VideoFrame.from_ndarray(drawn(), format="rgb24")
        output.mux([*cover.encode(picture), *cover.encode()])
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        silence.sample_rate = 16_000
        output.mux([*sound.encode(silence), *sound.encode()])
    with pytest.raises(UnreadableVideoError, match="no video frame"):
        index_frames(tmp_path / "a.mp4")


def test_files_beyond_the_limits_are_refused(tmp_path: Path) -> None:
    video = encode(tmp_path / "a.mp4", times=[0, 40, 5000])
    Image.fromarray(drawn()).save(tmp_path / "a.png")
    for limits, reason in (
        (Limits(pixels=1000), "megapixels"),
        (Limits(frames=2), "more than 2 frames"),
        (Limits(seconds=4), "5 s long"),
    ):
        with pytest.raises(UnreadableVideoError, match=reason):
            index_frames(video, limits)
    with pytest.raises(UnreadableVideoError, match="96 x 48 px"):
        decode_image(tmp_path / "a.png", Limits(pixels=1000))


def test_a_process_that_needs_too_much_ends_with_one_line(tmp_path: Path) -> None:
    Image.new("RGB", (5000, 5000)).save(tmp_path / "a.png")
    with (
        pytest.raises(UnreadableVideoError, match="more than 20 MB of memory"),
        open_media(tmp_path / "a.png", process_limits=ProcessLimits(megabytes=20)),
    ):
        pass
    with (
        pytest.raises(UnreadableVideoError, match="processor time"),
        open_media(encode(tmp_path / "a.mp4"), process_limits=ProcessLimits(seconds=0)),
    ):
        pass


def test_files_without_a_picture_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("no picture")
    Image.fromarray(drawn()).save(tmp_path / "b.png")
    (tmp_path / "b.png").write_bytes((tmp_path / "b.png").read_bytes()[:200])
    for name in ("a.jpg", "b.png"):
        with pytest.raises(UnreadableVideoError, match="not an image, or cut short"):
            decode_image(tmp_path / name)
    with pytest.raises(UnreadableVideoError, match="no such file"), open_media(tmp_path / "c.mp4"):
        pass
