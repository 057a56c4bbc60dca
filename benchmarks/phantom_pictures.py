"""``python -m benchmarks.phantom_pictures FOLDER``: the pictures of docs/phantom.md, all of them phantom."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from shared_models.phantom import labels as label
from shared_models.phantom.machines import MACHINES
from shared_models.phantom.motion import END_SYSTOLE
from shared_models.phantom.muscle import draw_muscle_patient, sweep
from shared_models.phantom.patients import draw_patient
from shared_models.phantom.study import Acquisition, Frame
from shared_models.phantom.thigh import RECTUS_FEMORIS
from shared_models.phantom.views import VIEWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#000000", "#3a3a3a", "#c23b3b", "#5aa469", "#4a6fd0", "#d0c14a", "#3fb5b5", "#b766b0")
SIZE = (300, 400)
PATIENT, MACHINE = 11, "albatross"
GREYS = 48  # of a picture's palette: a third of the bytes
DISPLACEMENT_STEP = 12  # pixels between arrows


def main(folder: Path) -> None:
    """Every picture, into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (
        ("phantom_views", _views),
        ("phantom_machines", _machines),
        ("phantom_beat", _beat),
        ("phantom_muscle", _muscle),
    ):
        _save(draw(), folder / f"{name}.png")


def _taken(view: str, machine: str = MACHINE, phase: float = 0.0) -> tuple[Acquisition, Frame]:
    held = Acquisition(draw_patient(PATIENT), view, machine, size=SIZE, jitter=False)
    return held, next(held.frames([phase]))


def _views() -> Figure:
    """Every view with what it shows and the seven points."""
    figure, panels = _panels(5, 6, "Every view of one phantom heart at end-diastole, and its truth")
    for place, view in enumerate(VIEWS):
        _, frame = _taken(view)
        left, right = panels[2 * place], panels[2 * place + 1]
        _show(left, frame.image, view)
        _show_labels(right, frame.labels)
        right.plot(frame.contour[:, 0], frame.contour[:, 1], "w.-", markersize=5, linewidth=0.8)
    _legend(panels[2 * len(VIEWS)])
    return figure


def _machines() -> Figure:
    """The same heart through every machine for hearts."""
    names = [name for name, machine in MACHINES.items() if machine.geometry != "linear"]
    figure, panels = _panels(2, 4, "The same phantom heart through every machine")
    for panel, name in zip(panels, names, strict=False):
        _show(panel, _taken("A4C", name)[1].image, name)
    return figure


def _beat() -> Figure:
    """A beat in four chambers, and how the tissue has moved."""
    figure, panels = _panels(2, 4, "A beat, and where the tissue of each place was at end-diastole")
    for column, phase in enumerate((0.0, END_SYSTOLE / 2, END_SYSTOLE, 0.52)):
        held, frame = _taken("A4C", phase=phase)
        _show(panels[column], frame.image, f"phase {phase:.2f}: {frame.volume_ml:.0f} ml")
        _show_labels(panels[4 + column], frame.labels)
        _arrows(panels[4 + column], held, frame)
    return figure


def _arrows(panel: Axes, held: Acquisition, frame: Frame) -> None:
    field = held.displacement_to_end_diastole(frame.phase)[::DISPLACEMENT_STEP, ::DISPLACEMENT_STEP]
    heart = frame.labels[::DISPLACEMENT_STEP, ::DISPLACEMENT_STEP] >= label.LV
    rows, columns = np.nonzero(heart)
    moved = field[rows, columns] / held.scanner.spacing_mm
    panel.quiver(
        columns * DISPLACEMENT_STEP,
        rows * DISPLACEMENT_STEP,
        moved @ held.plane.right,
        moved @ held.plane.down,
        color="white",
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.004,
    )


def _muscle() -> Figure:
    """A thigh at three visits."""
    figure, panels = _panels(1, 3, "The rectus femoris of one phantom thigh at three visits")
    patient = draw_muscle_patient(PATIENT)
    for panel, visit in zip(panels, ("T1", "T2", "T3"), strict=True):
        clip = sweep(patient, "l", visit, frames=12, seed=1, size=SIZE)
        _show(panel, clip.images[-1], f"{visit}: {clip.area_mm2[-1] / 100:.2f} cm² of rectus femoris")
        panel.contour(clip.labels[-1] == RECTUS_FEMORIS, levels=[0.5], colors="#f0c040", linewidths=0.8)
    return figure


def _panels(rows: int, columns: int, title: str) -> tuple[Figure, Sequence[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2.5 * columns, 2.0 * rows + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=11)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels:
        panel.axis("off")
    return figure, panels


def _show(panel: Axes, image: NDArray[np.uint8], title: str) -> None:
    panel.imshow(image, cmap="gray", vmin=0, vmax=255)
    panel.set_title(title, fontsize=8)


def _show_labels(panel: Axes, labels: NDArray[np.uint8]) -> None:
    from matplotlib.colors import ListedColormap

    panel.imshow(labels, cmap=ListedColormap(COLOURS), vmin=0, vmax=len(COLOURS) - 1, interpolation="nearest")


def _legend(panel: Axes) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(color=colour, label=name) for colour, name in zip(COLOURS, label.LABEL_NAMES, strict=True)]
    panel.legend(handles=patches, loc="center", fontsize=7, frameon=False)


def _save(figure: Figure, path: Path) -> None:
    """As a PNG with a palette."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    colours = np.asarray(canvas.buffer_rgba())[..., :3]
    Image.fromarray(colours).quantize(GREYS + len(COLOURS)).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
