from dataclasses import dataclass

import numpy as np

MOST_FRAMES_PER_SECOND = 8
BLINK_EVERY_SECONDS = 2.0
WAVES = (0.6, 0.4, 0.3)


@dataclass(frozen=True)
class Pose:
    """Head and expression in one frame; angles in radians, positions relative to the image size."""

    x: float
    y: float
    scale: float
    roll: float
    yaw: float
    pitch: float
    mouth_open: float
    smile: float
    eyes_open: float
    gaze_x: float
    gaze_y: float
    brow_raise: float


def frame_rate(frames: int) -> int:
    """Return the frames per second of a clip; up to eight frames last one second."""
    return min(frames, MOST_FRAMES_PER_SECOND)


def frame_times(frames: int) -> np.ndarray:
    """Return the times of a clip's frames in seconds."""
    return np.arange(frames) / frame_rate(frames)


def sample_motion(rng: np.random.Generator, frames: int) -> list[Pose]:
    """Draw the poses of a talking head, one per frame."""
    time = frame_times(frames)

    def wander(mean: float, spread: float, fastest: float = 0.9) -> np.ndarray:
        return mean + spread * smooth_walk(rng, time, fastest)

    loudness = rng.uniform(0.35, 0.9)
    talk = np.clip(smooth_walk(rng, time, 3.2) * 0.9 + 0.25, 0, 1) * loudness
    tracks = {
        "x": wander(0.5 + rng.uniform(-0.05, 0.05), 0.010),
        "y": wander(0.47 + rng.uniform(-0.03, 0.03), 0.008),
        "scale": wander(rng.uniform(0.165, 0.205), 0.0015),
        "roll": wander(rng.uniform(-0.07, 0.07), 0.025),
        "yaw": wander(rng.uniform(-0.22, 0.22), 0.06),
        "pitch": wander(rng.uniform(-0.08, 0.08), 0.04),
        "mouth_open": talk,
        "smile": wander(rng.uniform(-0.2, 0.7), 0.15),
        "eyes_open": _blinks(rng, time),
        "gaze_x": wander(rng.uniform(-0.15, 0.15), 0.12),
        "gaze_y": wander(0.0, 0.06),
        "brow_raise": wander(0.0, 0.35),
    }
    return [
        Pose(**{name: float(track[frame]) for name, track in tracks.items()})
        for frame in range(frames)
    ]


def smooth_walk(rng: np.random.Generator, time: np.ndarray, fastest: float) -> np.ndarray:
    """Draw a sum of three sines of at most `fastest` hertz, at most sum(WAVES) from 0."""
    waves = [
        weight * np.sin(2 * np.pi * (rng.uniform(0.2, 1.0) * fastest * time + rng.random()))
        for weight in WAVES
    ]
    return np.sum(waves, axis=0)


def _blinks(rng: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Draw the opening of the eyes: a blink closes them for about a frame every two seconds."""
    lids = np.ones_like(time) * rng.uniform(0.85, 1.0)
    moment = rng.uniform(0, BLINK_EVERY_SECONDS)
    while moment < time[-1] + 0.2:
        lids = np.minimum(lids, np.clip(np.abs(time - moment) / 0.12, 0.05, 1.0))
        moment += rng.uniform(0.7, 1.5) * BLINK_EVERY_SECONDS
    return lids
