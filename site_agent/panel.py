"""The panel as this site holds it: its own expert networks that left, and those of other sites that came.

What comes is used only if the coordinator signed it for this site, it is a state of the network that it names (types
and shapes are held against it before anything is loaded), its numbers are such as training gives, and its digest is the
one that it says. It stays as it came, with its signature, which is checked again whenever it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from federated.averaging import check_values
from federated.contract import Scalar, Tensors, unpack_tensors
from federated.envelope import open_parcel, parse_parcel
from federated.errors import ContractError, cannot_read
from federated.files import write_whole
from federated.manifest import parse_manifest
from federated.panel import Asked, ExpertManifest
from site_agent.expert_settings import HEAD
from site_agent.ledger import sent, transaction
from site_agent.mailbox import Outbox
from site_agent.steps import Step

if TYPE_CHECKING:
    from federated.envelope import Opened
    from shared_models.views import ExpertNetwork
    from site_agent.home import SiteHome

BROKEN = (KeyError, RuntimeError, TypeError, ValueError)  # what networks say of a configuration that cannot be


@dataclass(frozen=True)
class Expert:
    """A network of the panel.

    Attributes:
        contribution: digest of the `weights` that it is.
        place: in the order of arrival, from 1; 0 for this site's own, which are not sent back.
        state: not loaded into a network yet.
    """

    contribution: str
    site: str
    place: int
    architecture: str
    config: dict[str, Scalar]
    labels: tuple[str, ...]
    state: Tensors

    @property
    def is_asked(self) -> bool:
        """Whether features, logits and neural means can be asked of it, as of networks that classify."""
        from shared_models.registry import CLASSIFIERS

        return self.architecture in CLASSIFIERS

    @cached_property
    def network(self) -> ExpertNetwork:
        """Frozen, as it answers.

        Raises:
            ContractError: it cannot be built here.
        """
        from shared_models.views import frozen_expert

        try:
            return frozen_expert(self.architecture, self.config, self.state)
        except BROKEN as error:
            raise ContractError(str(error), where=f"expert of {self.site}") from error

    @cached_property
    def asked(self) -> Asked:
        """What it says of an image, discrepancies included; of a network that classifies."""
        from shared_models.views import sizes_of

        sizes = sizes_of(self.architecture, self.config)
        return Asked(contribution=self.contribution, features=sizes.features, logits=sizes.logits, means=sizes.means)


def keep(home: SiteHome, opened: Opened) -> Step:
    """Puts an expert that came beside the others, and takes away those that it replaces; again is no work.

    Raises:
        ContractError: it is not what it should be; then it is not kept.
    """
    manifest: ExpertManifest = opened.manifest
    require_sound(home, manifest, opened.tensors)
    home.experts.mkdir(mode=0o700, exist_ok=True)
    path = _path(home, manifest.contribution)
    if path.exists():
        _require_unchanged(home, path, manifest)
    else:
        source = next(home.inbox.glob(f"*-{opened.digest.removeprefix('sha256:')}.parcel"))
        write_whole(path, source.read_bytes())
    for name in manifest.replaces:
        _path(home, name).unlink(missing_ok=True)
    return Step(kind="expert", subject=f"expert of {manifest.site}", state="kept", digest=opened.digest)


def _require_unchanged(home: SiteHome, path: Path, manifest: ExpertManifest) -> None:
    """A contribution is one network for ever."""
    held = _opened(home, path).manifest
    if (held.network, held.site, held.labels) != (manifest.network, manifest.site, manifest.labels):
        cure = "show both parcels to the auditor; the earlier one stays in use"
        raise ContractError(
            f"is another network than {held.contribution} was", where=f"expert of {held.site}", cure=cure
        )


def require_sound(home: SiteHome, manifest: ExpertManifest, tensors: Tensors) -> None:
    """Whether an expert, whose signature was checked, may be asked here.

    Raises:
        ContractError: it is of another task, has labels that are unknown here, cannot be built, or its state is not one
            of the network that it names.
    """
    from shared_models.registry import labels_of, state_form
    from shared_models.views import expert_digest

    where = f"expert of {manifest.site}"
    if manifest.task != home.config.task or manifest.architecture == HEAD:
        raise ContractError("is no expert network for this home's task", where=where)
    try:
        wanted = state_form(manifest.architecture, **manifest.config)
        labels = labels_of(manifest.architecture, manifest.config)
    except BROKEN as error:
        raise ContractError(f"cannot be built here ({error})", where=where) from error
    if labels not in (None, len(manifest.labels)):
        raise ContractError(f"has {len(manifest.labels)} labels and speaks of {labels}", where=where)
    found = {name: (str(array.dtype), array.shape) for name, array in tensors.items()}
    for name in sorted(set(wanted) | set(found)):
        if found.get(name) != wanted.get(name):
            raise ContractError(f"tensor {name} is {found.get(name)}, the network has {wanted.get(name)}", where=where)
    check_values(tensors)
    if expert_digest(manifest.architecture, manifest.config, tensors) != manifest.network:
        raise ContractError("is another network than the one it says", where=where, cure="ask for it again")


def panel_of(home: SiteHome) -> list[Expert]:
    """Every expert that classifies and that this site can ask, by the digest of its contribution.

    Raises:
        ConsiliumError: a file is missing or was changed.
    """
    found = {expert.contribution: expert for expert in (*received(home), *own_experts(home).values())}
    return [found[name] for name in sorted(found) if found[name].is_asked]


def received(home: SiteHome) -> list[Expert]:
    """Those of other sites, in order of arrival.

    Raises:
        ConsiliumError: a file was changed.
    """
    found = [_read(home, path) for path in home.experts.glob("*.parcel")]
    return sorted(found, key=lambda expert: expert.place)


def own_experts(home: SiteHome) -> dict[str, Expert]:
    """This site's own, by batch, in the order in which they left; not those taken back or refused."""
    with transaction(home.state_path) as connection:
        rows = [row for row in sent(connection) if row.kind == "weights" and not row.withdrawn]
    refused = {path.stem.partition("-")[2] for path in (home.outbox / "refused").glob("*.parcel")}
    found: dict[str, Expert] = {}
    for row in rows:
        parcel = Outbox(home).sent(row.digest)
        if parcel is None or row.digest.removeprefix("sha256:") in refused:
            continue
        manifest = parse_manifest(parcel.manifest)
        if manifest.architecture != HEAD:
            found[manifest.batch] = _expert(row.digest, 0, manifest, unpack_tensors(parcel.tensors, manifest))
    return found


def base_of(home: SiteHome, batch: str) -> Expert | None:
    """The first expert that classifies, from which a new one starts (step 2); None where this is the first.

    An earlier one of the same batch is none to start from: it may know a patient who was forgotten since.
    """
    others = received(home)
    own = [expert for name, expert in own_experts(home).items() if name != batch]
    first = [expert for expert in others if expert.place == 1]
    return next((expert for expert in [*first, *own, *others] if expert.is_asked), None)


def _expert(contribution: str, place: int, manifest: Any, state: Tensors) -> Expert:
    return Expert(
        contribution, manifest.site, place, manifest.architecture, dict(manifest.config), manifest.labels, state
    )


def _read(home: SiteHome, path: Path) -> Expert:
    opened = _opened(home, path)
    manifest = opened.manifest
    return _expert(manifest.contribution, manifest.place, manifest, opened.tensors)


def _opened(home: SiteHome, path: Path) -> Opened:
    try:
        parcel = parse_parcel(path.read_bytes())
    except OSError as error:
        raise cannot_read(path, error) from error
    except ContractError as error:
        raise ContractError(
            error.what, where=str(path), cure="remove it, and ask the coordinator for it again"
        ) from error
    opened = open_parcel(parcel, home.trust(), recipient=home.config.site)
    manifest = opened.manifest
    if not isinstance(manifest, ExpertManifest) or _path(home, manifest.contribution) != path:
        raise ContractError("is another expert than its name says", where=str(path))
    return opened


def _path(home: SiteHome, contribution: str) -> Path:
    return home.experts / f"{contribution.removeprefix('sha256:')}.parcel"
