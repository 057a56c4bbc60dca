"""Ultrasound machines that differ as vendors and sites do. The names are birds and no vendor's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

Geometry = Literal["sector", "convex", "linear"]
MarkKind = Literal["ecg", "ticks", "bar", "logo", "text", "focus", "key"]


@dataclass(frozen=True)
class Mark:
    """Something drawn over an image.

    Attributes:
        kind: what it is.
        place: of its middle (of its top left corner for text), as fractions of the width and the height.
        size: of its longer side as a fraction of the height; of the letters for text; of the width for the ECG.
        grey: brightness, 1 to 255.
        text: what a text says; ``{depth}``, ``{rate}``, ``{bpm}`` and ``{frequency}`` are filled in.
    """

    kind: MarkKind
    place: tuple[float, float]
    size: float = 0.05
    grey: int = 200
    text: str = ""


@dataclass(frozen=True)
class Compression:
    """How images are stored: `quality` 1 to 100 as in JPEG; video stores the difference from the frame before."""

    quality: int
    video: bool = False


@dataclass(frozen=True)
class Machine:
    """A machine as a site has set it.

    Attributes:
        name: how it is asked for.
        geometry: how beams lie: from a point behind the face (sector, convex) or side by side (linear).
        width_deg: the angle of a sector; of no meaning for a linear array.
        width_mm: the width of a linear array; of no meaning for a sector.
        radius_mm: from the point where beams meet to the face; a few mm for a phased array, 40 to 60 for a convex one.
        depth_mm: of the image, from the face.
        start_mm: where the image begins.
        frequency_mhz: sent.
        harmonic: whether it listens at twice that.
        cycles: length of the pulse in periods of what it listens to.
        active_mm: how much of the face forms a beam: lateral resolution.
        focus_mm: depth of the transmit focus.
        beams: at most, in one image.
        samples: at most, along one beam.
        white_db: level over myocardium that is shown white.
        dynamic_range_db: from there down to black.
        reject: the lowest part of that range which is shown black, 0 to 1.
        gamma: of the grey map; over 1 is darker.
        contrast: how much of the grey map is S-shaped, 0 to 1.
        black: grey of no echo inside the sector.
        noise_db: electronic noise against myocardium at the face, before time gain.
        tgc_db_cm_mhz: one-way absorption for which time gain makes up.
        side_lobe: amplitude of the beam that is spread wide.
        clutter_db: haze at the face against myocardium.
        haze_db: of what hangs over the whole depth, patchily, against myocardium.
        reverberation_db: of the first repeated line against myocardium.
        dropout_db: typical loss of beams that have poor contact.
        smoothing: how often power is averaged with its neighbours before it is compressed.
        persistence: weight of the image before, 0 to 1.
        image_size: (height, width) in pixels.
        margin: (sides, top, bottom) left free, as fractions of the width and the height.
        crop: (sides, bottom) of the sector that the image cuts off, as fractions.
        compression: how it stores images; None is without loss.
        frame_rate_hz: images in a second.
        marks: drawn over the image.
    """

    name: str
    geometry: Geometry = "sector"
    width_deg: float = 85.0
    width_mm: float = 50.0
    radius_mm: float = 4.0
    depth_mm: float = 160.0
    start_mm: float = 1.0
    frequency_mhz: float = 1.7
    harmonic: bool = True
    cycles: float = 2.5
    active_mm: float = 13.5
    focus_mm: float = 90.0
    beams: int = 160
    samples: int = 576
    white_db: float = 18.5
    dynamic_range_db: float = 58.0
    reject: float = 0.05
    gamma: float = 1.6
    contrast: float = 0.2
    black: float = 0.0
    noise_db: float = -62.0
    tgc_db_cm_mhz: float = 0.28
    side_lobe: float = 0.05
    clutter_db: float = 4.0
    haze_db: float = -21.0
    reverberation_db: float = -6.0
    dropout_db: float = 8.0
    smoothing: int = 1
    persistence: float = 0.2
    image_size: tuple[int, int] = (600, 800)
    margin: tuple[float, float, float] = (0.02, 0.04, 0.04)
    crop: tuple[float, float] = (0.0, 0.0)
    compression: Compression | None = None
    frame_rate_hz: float = 50.0
    marks: tuple[Mark, ...] = ()

    @property
    def received_mhz(self) -> float:
        """What the machine listens to."""
        return self.frequency_mhz * (2 if self.harmonic else 1)

    @property
    def wavelength_mm(self) -> float:
        """Of what it listens to, at 1540 m/s."""
        return 1.54 / self.received_mhz


_ALBATROSS = Machine(  # high end, wide and smooth
    "albatross",
    width_deg=88,
    radius_mm=3,
    frequency_mhz=1.7,
    cycles=2.2,
    active_mm=15,
    beams=176,
    smoothing=2,
    image_size=(708, 1016),
    dynamic_range_db=62,
    gamma=2.1,
    noise_db=-68,
    haze_db=-27,
    clutter_db=0,
    reverberation_db=-12,
    dropout_db=4,
    persistence=0.3,
    compression=Compression(92),
    frame_rate_hz=62,
    marks=(
        Mark("ecg", (0.27, 0.95), 0.42, 190),
        Mark("ticks", (0.97, 0.0), 0.012, 180),
        Mark("bar", (0.955, 0.22), 0.24, 255),
        Mark("logo", (0.62, 0.06), 0.035, 120),
        Mark("text", (0.01, 0.05), 0.025, 220, "FR {rate}HZ"),
        Mark("text", (0.01, 0.085), 0.025, 220, "{depth}CM"),
        Mark("text", (0.01, 0.13), 0.02, 200, "2D\n66%\nC 50\nP LOW\nHGEN"),
        Mark("text", (0.9, 0.95), 0.025, 220, "{bpm} BPM"),
        Mark("key", (0.57, 0.05), 0.03, 220),
    ),
)
_BITTERN = Machine(  # a usual cart
    "bittern",
    width_deg=80,
    depth_mm=170,
    frequency_mhz=1.6,
    image_size=(600, 800),
    dynamic_range_db=56,
    gamma=1.9,
    noise_db=-60,
    persistence=0.15,
    compression=Compression(82),
    frame_rate_hz=53,
    marks=(
        Mark("ecg", (0.2, 0.93), 0.3, 180),
        Mark("ticks", (0.0, 0.0), 0.006, 220),
        Mark("bar", (0.955, 0.2), 0.2, 255),
        Mark("text", (0.01, 0.06), 0.026, 230, "{rate}HZ\n{depth}CM"),
        Mark("text", (0.01, 0.16), 0.02, 200, "2D\n74%\nC 50\nP LOW\nHPEN"),
        Mark("text", (0.9, 0.95), 0.022, 220, "{bpm} BPM"),
        Mark("focus", (0.985, 0.0), 0.02, 160),
        Mark("key", (0.58, 0.06), 0.035, 150),
    ),
)
_CURLEW = Machine(  # a portable device: few channels, much noise
    "curlew",
    width_deg=72,
    radius_mm=8,
    depth_mm=160,
    frequency_mhz=1.9,
    harmonic=False,
    cycles=2.4,
    active_mm=14,
    beams=96,
    samples=320,
    image_size=(480, 640),
    dynamic_range_db=52,
    reject=0.0,
    gamma=1.5,
    contrast=0.0,
    noise_db=-44,
    haze_db=-19,
    side_lobe=0.08,
    clutter_db=10,
    reverberation_db=3,
    dropout_db=12,
    persistence=0.45,
    compression=Compression(55, video=True),
    frame_rate_hz=24,
    marks=(
        Mark("ticks", (0.03, 0.0), 0.015, 150),
        Mark("text", (0.03, 0.03), 0.03, 170, "CARDIAC {depth}CM"),
        Mark("key", (0.9, 0.06), 0.04, 170),
    ),
)
_DUNLIN = Machine(  # old, contrasty, as taped or filmed off the screen
    "dunlin",
    width_deg=66,
    radius_mm=2,
    depth_mm=180,
    frequency_mhz=2.5,
    harmonic=False,
    cycles=2.6,
    active_mm=16,
    beams=112,
    image_size=(480, 640),
    white_db=20,
    dynamic_range_db=42,
    reject=0.1,
    gamma=0.95,
    contrast=0.7,
    black=9,
    noise_db=-54,
    side_lobe=0.06,
    clutter_db=8,
    reverberation_db=0,
    dropout_db=9,
    persistence=0.5,
    compression=Compression(45),
    frame_rate_hz=30,
    marks=(
        Mark("ecg", (0.5, 0.94), 0.9, 140),
        Mark("ticks", (0.5, 0.0), 0.008, 130),
        Mark("text", (0.05, 0.04), 0.035, 160, "ECHO LAB 4"),
        Mark("text", (0.7, 0.04), 0.035, 160, "D {depth} HR {bpm}"),
        Mark("bar", (0.05, 0.5), 0.35, 180),
        Mark("key", (0.1, 0.15), 0.04, 160),
    ),
)
_EIDER = Machine(  # wide, high frequency, near the screen's edge
    "eider",
    width_deg=98,
    radius_mm=6,
    depth_mm=130,
    frequency_mhz=3.4,
    harmonic=False,
    cycles=3.0,
    active_mm=12,
    focus_mm=65,
    image_size=(600, 800),
    dynamic_range_db=62,
    gamma=2.0,
    contrast=0.1,
    noise_db=-64,
    clutter_db=6,
    persistence=0.1,
    margin=(0.0, 0.02, 0.02),
    compression=Compression(75, video=True),
    frame_rate_hz=90,
    marks=(
        Mark("ecg", (0.5, 0.97), 0.98, 160),
        Mark("bar", (0.03, 0.25), 0.3, 255),
        Mark("logo", (0.93, 0.06), 0.06, 200),
        Mark("text", (0.08, 0.03), 0.022, 210, "FPS {rate}"),
        Mark("text", (0.86, 0.9), 0.022, 180, "{frequency}MHZ"),
        Mark("key", (0.55, 0.03), 0.03, 255),
    ),
)
_FULMAR = Machine(  # cut close: the arc at the bottom is lost
    "fulmar",
    width_deg=76,
    radius_mm=4,
    depth_mm=150,
    frequency_mhz=1.8,
    image_size=(434, 636),
    dynamic_range_db=54,
    gamma=1.8,
    contrast=0.35,
    noise_db=-58,
    persistence=0.25,
    margin=(0.0, 0.0, 0.0),
    crop=(0.0, 0.12),
    compression=Compression(70),
    frame_rate_hz=45,
    marks=(
        Mark("ticks", (0.99, 0.0), 0.012, 200),
        Mark("ecg", (0.5, 0.93), 0.96, 200),
        Mark("text", (0.02, 0.04), 0.03, 200, "ADULT ECHO"),
        Mark("key", (0.93, 0.08), 0.04, 220),
    ),
)
_GODWIT = Machine(  # small squares for learning, as public sets hold them
    "godwit",
    width_deg=90,
    depth_mm=165,
    frequency_mhz=1.7,
    image_size=(112, 112),
    dynamic_range_db=58,
    gamma=2.0,
    margin=(0.0, 0.0, 0.0),
    crop=(0.04, 0.0),
    compression=Compression(85, video=True),
    frame_rate_hz=50,
    marks=(Mark("key", (0.12, 0.08), 0.07, 200),),
)
_HOOPOE = Machine(  # abdominal probe, used from below the ribs
    "hoopoe",
    geometry="convex",
    width_deg=62,
    radius_mm=50,
    depth_mm=180,
    frequency_mhz=2.6,
    harmonic=False,
    active_mm=18,
    image_size=(480, 640),
    dynamic_range_db=60,
    noise_db=-60,
    compression=Compression(80),
    frame_rate_hz=28,
    marks=(
        Mark("ticks", (0.97, 0.0), 0.012, 200),
        Mark("text", (0.02, 0.04), 0.03, 200, "ABD {depth}CM"),
        Mark("focus", (0.95, 0.0), 0.025, 200),
        Mark("key", (0.1, 0.15), 0.04, 220),
    ),
)
_SANDERLING = Machine(  # linear array for muscle
    "sanderling",
    geometry="linear",
    width_mm=50,
    depth_mm=55,
    start_mm=0.5,
    frequency_mhz=12,
    harmonic=False,
    cycles=2.5,
    active_mm=14,
    focus_mm=25,
    beams=224,
    image_size=(512, 512),
    white_db=18,
    dynamic_range_db=60,
    gamma=1.1,
    noise_db=-78,
    haze_db=-30,
    tgc_db_cm_mhz=0.5,
    side_lobe=0.02,
    clutter_db=2,
    reverberation_db=-14,
    dropout_db=2,
    persistence=0.3,
    compression=Compression(85),
    frame_rate_hz=40,
    marks=(
        Mark("ticks", (0.97, 0.0), 0.012, 200),
        Mark("text", (0.02, 0.02), 0.025, 200, "MSK {frequency}MHZ"),
        Mark("focus", (0.95, 0.0), 0.025, 200),
        Mark("key", (0.08, 0.1), 0.04, 220),
    ),
)

MACHINES: Mapping[str, Machine] = {
    each.name: each for each in (_ALBATROSS, _BITTERN, _CURLEW, _DUNLIN, _EIDER, _FULMAR, _GODWIT, _HOOPOE, _SANDERLING)
}


def machine_named(name: str) -> Machine:
    """The machine of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in MACHINES:
        raise ValueError(f"there is no machine '{name}'; known are {', '.join(MACHINES)}")
    return MACHINES[name]


def without_marks(machine: Machine) -> Machine:
    """The same machine drawing nothing over its images."""
    return replace(machine, marks=())
