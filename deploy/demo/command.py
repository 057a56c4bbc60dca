"""``consilium demo``: sites arrive one after another, and what each brings, costs and gains is shown."""

from __future__ import annotations

import json
import math
import shutil
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.demo.data import Material, arrival_order, folder_material
from deploy.demo.phantom import PATIENTS, coarse_hospitals, phantom_material, write_phantom
from deploy.demo.places import Places, claimed
from deploy.demo.results import Arrival, Received, Results, Setting
from deploy.demo.show import Show
from deploy.demo.table import READING, arrival_view, incremental_table
from deploy.phantom.orders import check_patients
from federated.errors import ConsiliumError, DataError
from federated.files import write_whole
from federated.processes import ended_by_sigterm

if TYPE_CHECKING:
    from deploy.demo.baselines import SiteFolds
    from deploy.demo.onlooker import Onlooker
    from deploy.demo.routes import Way
    from federated.manifest import ReleaseManifest
    from server.event import EventSummary
    from site_agent.home import SiteHome

EXTRA_KINDS = ("weights", "features")
SHOWN = 5
POLICY_NOTE = (
    "Nothing has left a site yet: none has a policy. As each site arrives, its approver (a key made for this demo) "
    "signs a PERMISSIVE policy that no hospital should copy: no limits, no questions. The first site also sends its "
    "own expert's weights and the second its features, which must give the sums it sent, so that all three channels "
    "are seen."
)


def demo(
    *,
    data: Path | None,
    columns: str,
    order: str,
    patients: int | None,
    out: Path,
    offline: bool,
    coarse: str = "",
) -> None:
    """The whole demonstration; everything it starts is stopped, also when it is interrupted.

    Args:
        data: a folder with an index; None for the phantom's hospitals.
        columns: other names of the index's columns.
        order: sites in order of arrival; empty for fewest labels first, and for the phantom's own order.
        patients: of each of the phantom's hospitals that arrive; None for as many as a demonstration takes.
        out: the folder for everything.
        offline: files instead of Flower.
        coarse: the phantom's hospitals that name no level of the short axis, with commas.

    Raises:
        ConsiliumError: the data cannot be used, `out` is somebody else's folder, or an arrival led to no release.
    """
    from threadpoolctl import threadpool_limits

    show = Show()
    _require_fitting(data, columns, patients, coarse)
    if data is not None:
        material = folder_material(data, columns)
    else:
        material = phantom_material(Places(out).data, coarse_hospitals(coarse))
    names = arrival_order(material, order)
    _require_outside(material.index if data is not None else None, out)
    with ended_by_sigterm(), threadpool_limits(1), claimed(out, show.say) as places:
        try:
            if data is None:
                show.say("Computing the images of the phantom.")
                write_phantom(places.data, PATIENTS if patients is None else patients)
            _Demonstration(material, names, places, show).run(offline=offline)
        except KeyboardInterrupt:
            show.say("Interrupted. Everything that was started has been stopped.")
            raise


def _require_fitting(data: Path | None, columns: str, patients: int | None, coarse: str) -> None:
    """Options that go with the images."""
    if data is not None and coarse:
        raise DataError("goes with the phantom only", where="--coarse", cure="leave it out, or --data")
    if data is not None and patients is not None:
        raise DataError("goes with the phantom only", where="--patients", cure="leave it out, or --data")
    if data is None and columns:
        raise DataError("goes with images of your own only", where="--columns", cure="name their folder with --data")
    if patients is not None:
        check_patients(patients)


def _require_outside(index: Path | None, out: Path) -> None:
    """The images must not lie where an earlier demonstration is about to be removed."""
    if index is not None and index.resolve().is_relative_to(out.resolve()):
        raise DataError("lies inside --out, which is emptied first", where=str(index), cure="choose another --out")


class _Demonstration:
    """One run: the federation is founded, sites arrive, everything is judged and written down."""

    def __init__(self, material: Material, order: tuple[str, ...], places: Places, show: Show) -> None:
        self.material, self.order, self.places, self.show = material, order, places, show
        self.setting = Setting(kind=material.kind, order=order, testing=material.testing, names=dict(material.names))
        self.arrivals: list[Arrival] = []
        self.homes: dict[str, SiteHome] = {}
        self.taking_in: dict[str, float] = {}

    def run(self, *, offline: bool) -> None:
        from deploy.demo import federation
        from deploy.demo.onlooker import Onlooker
        from deploy.demo.routes import Files, Flower

        began = time.monotonic()
        self.show.say(f"The images: {self.material.about}", *self._cast(), "")
        coordinator = federation.found(self.material, self.places, f"127.0.0.1:{_free_port()}")
        self.homes = {name: federation.join(coordinator, self.places, name) for name in self.order}
        self.homes |= {name: federation.move_in(coordinator, self.places, name) for name in self.setting.testing}
        way: Way = Files(coordinator, self.places.exchange) if offline else Flower(coordinator)
        with ExitStack() as stack:
            with self.show.doing(f"getting {way.name} ready"):
                stack.enter_context(way)
            way.connect(self.homes[self.order[0]])
            arriving, testing = (
                [self._take_in(name) for name in names] for names in (self.order, self.setting.testing)
            )
            onlooker = Onlooker(arriving, testing)
            if not len(onlooker.held):
                raise DataError("no site has patients enough to hold one back", where=str(self.material.index))
            self.show.say("", POLICY_NOTE, "", READING, "")
            for name in self.order:
                self._arrive(name, way, onlooker)
        self._finish(onlooker, way.name)
        self.show.say(f"{time.monotonic() - began:.0f} seconds in all. Everything that was started has been stopped.")

    def _cast(self) -> list[str]:
        """Who arrives, and who does not."""
        arriving = f"Order of arrival: {', '.join(self.order)}."
        testing = ", ".join(self.setting.testing)
        return [arriving, f"Never arriving, only testing: {testing}."] if testing else [arriving]

    def _take_in(self, name: str) -> SiteFolds:
        """A site looks at its images and makes their features."""
        from deploy.demo import federation

        began = time.monotonic()
        report = federation.take_in(self.homes[name], self.material)
        folds = federation.folds_of(self.homes[name])
        self.taking_in[name] = time.monotonic() - began
        role = "has joined and takes in" if name in self.order else "only tests, on"
        self.show.say(f"{name} {role} {report.images} images of {report.patients} patients.")
        for one in report.aside[:SHOWN]:
            self.show.say(f"  {one.state}: {one.name} {one.reason}")
        if len(report.aside) > SHOWN:
            self.show.say(f"  and {len(report.aside) - SHOWN} more files: consilium site quarantine")
        for note in report.notes if name in self.order else ():  # who only tests has one fold
            self.show.say(f"  {note}")
        return folds

    def _arrive(self, name: str, way: Way, onlooker: Onlooker) -> None:
        """One site contributes; its release is judged and shown."""
        home, began = self.homes[name], time.monotonic()
        with self.show.doing(f"{name} arrives: its own work"):
            self._contribute(home)
        offered = time.monotonic()
        with self.show.doing(f"{name} arrives: contribution, candidate, reports, release"):
            summary = way.run_event()
        released = time.monotonic()
        for following in self.order[len(self.arrivals) + 1 :][:1]:  # its SuperNode starts while we judge
            way.connect(self.homes[following])
        with self.show.doing("judging the release on held-back patients"):
            seconds = self.taking_in[name] + offered - began, released - offered
            arrival = self._judge(name, summary, onlooker, seconds)
        self.arrivals.append(arrival)
        self.show.say(arrival_view(arrival, self.setting), "")

    def _contribute(self, home: SiteHome) -> None:
        from deploy.demo import federation
        from site_agent.agent import work

        place = self.order.index(home.config.site)
        federation.allow(home, ("statistics", "report", *EXTRA_KINDS[place : place + 1]))
        refused = work(home).refusals
        if refused:
            raise ConsiliumError(refused[0].note, where=home.config.site)

    def _judge(self, name: str, summary: EventSummary, onlooker: Onlooker, seconds: tuple[float, float]) -> Arrival:
        from federated.fused_model import FusedModel
        from site_agent.adopt import load

        if summary.release is None:
            where = summary.trouble or "see its quarantine: consilium coordinator status"
            raise ConsiliumError(f"led to no release ({where})", where=f"arrival of {name}")
        manifest, tensors = load(self.homes[name], summary.release)
        rows, over_joint = onlooker.judge(FusedModel.from_release(manifest, tensors), name)
        return Arrival(
            number=len(self.arrivals) + 1,
            site=name,
            received=_received(summary),
            local_seconds=seconds[0],
            exchange_seconds=seconds[1],
            taught=onlooker.taught,
            labels=manifest.labels,
            labels_added=self._added(manifest),
            release=summary.release,
            ridge=manifest.hyperparameters.ridge,
            scatter=manifest.hyperparameters.scatter,
            outside=manifest.hyperparameters.outside,
            calibrated={site.name: site.calibration_patients for site in manifest.sites},
            calibration_needed=math.ceil(1 / manifest.alpha) - 1,
            rows=rows,
            over_joint=over_joint,
        )

    def _added(self, manifest: ReleaseManifest) -> tuple[str, ...]:
        before = self.arrivals[-1].labels if self.arrivals else ()
        return tuple(label for label in manifest.labels if label not in before)

    def _finish(self, onlooker: Onlooker, route: str) -> None:
        """Writes everything down and says where it lies."""
        from deploy.demo.plots import accuracy_over_arrivals, parts_by_class
        from server.bundles import write_bundle
        from server.home import CoordinatorHome
        from server.log import copy_log
        from site_agent.adopt import release_path

        places, last = self.places, self.arrivals[-1]
        results = Results(
            **self.setting.model_dump(),
            about=self.material.about,
            route=route,
            arrivals=tuple(self.arrivals),
            incremental=onlooker.over_arrivals(),
            parts=onlooker.parts(),
        )
        self.show.say(incremental_table(results.incremental, self.setting), "")
        write_whole(places.release, release_path(self.homes[last.site], last.release).read_bytes())
        shutil.copyfile(places.coordinator / "keys.toml", places.keys)
        copy_log(CoordinatorHome(places.coordinator), places.log)
        write_whole(places.predictions, "".join(one.json_line() for one in onlooker.decisions).encode())
        write_bundle(CoordinatorHome(places.coordinator), places.bundle, predictions=[places.predictions])
        write_whole(places.results, json.dumps(results.model_dump(mode="json"), indent=1).encode())
        with self.show.doing("drawing"):
            accuracy_over_arrivals(self.arrivals, self.setting, places.accuracy_plot)
            parts_by_class(results.parts, self.setting, places.parts_plot)
        self.show.list([*_where(places, last.release), ""])
        write_whole(places.tables, self.show.text.encode())


def _received(summary: EventSummary) -> tuple[Received, ...]:
    """Accepted parcels by site and kind, in the order of their first arrival."""
    found: dict[tuple[str, str], list[int]] = {}
    for one in summary.accepted:
        if one.outcome == "accepted":
            found.setdefault((one.site, one.kind), []).append(one.size)
    return tuple(
        Received(site=site, kind=kind, parcels=len(sizes), bytes=sum(sizes)) for (site, kind), sizes in found.items()
    )


def _where(places: Places, release: str) -> list[str]:
    """What lies where, and what to try next."""
    lies = {
        places.release: f"the last release, {release}",
        places.bundle: "the whole record for an auditor, with these answers",
        places.log: "everything that happened, as the sites have witnessed it",
        places.keys: "whose signatures count, for an auditor",
        places.predictions: "its answers on held-back images and clips, with every site's part",
        places.results: "all figures",
        places.tables: "this text",
        places.accuracy_plot: "accuracy over arrivals",
        places.parts_plot: "weights and contributions per site and class",
        places.coordinator: "the coordinator's home",
        places.site("NAME"): "a site's home",
    }
    width = max(len(str(path)) for path in lies)
    return [
        *(f"{path!s:{width}}  {what}" for path, what in lies.items()),
        "",
        "Try next:",
        f"  consilium audit verify {places.bundle} --trust {places.keys}",
        f"  consilium audit weights {places.bundle} --plot {places.out / 'weights.svg'}",
        f"  consilium predict {places.release} IMAGES --trust {places.keys} --out answers.jsonl",
        f"  consilium coordinator status --home {places.coordinator}",
    ]


def _free_port() -> int:
    """A port on this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
