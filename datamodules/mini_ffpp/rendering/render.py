import cv2
import numpy as np

from datamodules.mini_ffpp.clip import Clip
from datamodules.mini_ffpp.rendering.features import paint_features
from datamodules.mini_ffpp.rendering.hair import paint_hair_behind, paint_hair_front
from datamodules.mini_ffpp.rendering.head import head_grid, head_window, paint_head, project
from datamodules.mini_ffpp.rendering.identity import Identity
from datamodules.mini_ffpp.rendering.motion import Pose, sample_motion
from datamodules.mini_ffpp.rendering.painting import Array, planes
from datamodules.mini_ffpp.rendering.scene import Scene, paint_body, sample_scene


def render_clip(identity: Identity, rng: np.random.Generator, frames: int, size: int) -> Clip:
    """Render a video of a person, with a scene, a motion and sensor noise.

    Args:
        identity: The person.
        rng: Draws the scene, the motion and the noise.
        frames: Number of frames.
        size: Width and height of a frame in pixels.
    """
    scene, poses = sample_take(rng, frames, size)
    pictures, landmarks = [], []
    for pose in poses:
        picture = render_frame(identity, scene, pose)
        noise = draw_sensor_noise(rng, size, scene.sensor_noise)
        pictures.append(np.clip(picture + noise, 0, 255))
        landmarks.append(landmarks_of(identity, pose, size))
    return Clip(np.stack(pictures), np.stack(landmarks), scene.grain)


def sample_take(rng: np.random.Generator, frames: int, size: int) -> tuple[Scene, list[Pose]]:
    """Draw the scene of a video and the poses of its frames; see `render_clip`."""
    return sample_scene(rng, size), sample_motion(rng, frames)


def render_frame(identity: Identity, scene: Scene, pose: Pose) -> Array:
    """Render one frame without noise, `[size, size, 3]`, 0 to 255."""
    image = scene.background.copy()
    size = image.shape[1]
    grid = head_grid(identity, pose, size)
    paint_hair_behind(image, identity, pose, grid, scene.light)
    paint_body(image, identity, scene, grid)
    window = head_window(identity, pose, size)
    head, face = image[(..., *window)], grid.crop(window)
    shade = paint_head(head, identity, face, scene.light)
    paint_features(head, identity, pose, face, shade)
    paint_hair_front(image, identity, pose, grid, scene.light)
    image *= planes(scene.warmth) * np.float32(scene.exposure)
    focused = cv2.GaussianBlur(image.transpose(1, 2, 0).copy(), (0, 0), scene.sharpness)
    return np.clip(focused, 0, 255).astype(np.float32)


def landmarks_of(identity: Identity, pose: Pose, size: int) -> np.ndarray:
    """Return the five landmarks of MTCNN in pixels, `[5, 2]`: eyes, nose, corners of the mouth."""
    half = identity.mouth_width * (1 + 0.12 * pose.smile - 0.1 * pose.mouth_open)
    corner = identity.mouth_height - 0.06 * pose.smile
    points = [
        (-identity.eye_distance, identity.eye_height),
        (identity.eye_distance, identity.eye_height),
        (0.0, identity.nose_length),
        (-half, corner),
        (half, corner),
    ]
    return project(identity, pose, size, points).astype(np.float32)


def draw_sensor_noise(rng: np.random.Generator, size: int, strength: float) -> Array:
    """Draw noise like a camera's: mostly in brightness, slightly smoothed by demosaicing.

    Args:
        rng: Draws the noise.
        size: Width and height in pixels.
        strength: Standard deviation per channel before the smoothing, in grey levels.
    """
    noise = strength * rng.standard_normal((size, size, 3), dtype=np.float32)
    red, green, blue = np.moveaxis(noise, 2, 0)
    grey = (red + green + blue) / np.float32(3) * np.float32(1.3)
    mixed = cv2.GaussianBlur(np.dstack([grey] * 3) + 0.5 * noise, (0, 0), 0.55)
    return np.asarray(mixed * 1.5, dtype=np.float32)
