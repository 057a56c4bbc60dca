"""The list of releases that stand, as sites are handed it with every exchange."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from federated.release_status import MAX_STANDING, ReleaseStatus, sign_status
from server.home import CoordinatorHome
from server.registry import EntryRow, ReleaseRow, now


def release_status(session: Session, home: CoordinatorHome) -> bytes:
    """The newest releases that stand, signed; by how far the log goes, a later list is told from an earlier one."""
    standing = select(ReleaseRow.digest).where(ReleaseRow.state == "standing").order_by(ReleaseRow.number.desc())
    status = ReleaseStatus(
        federation=home.config.federation,
        number=session.scalar(select(func.max(EntryRow.id))) or 0,
        issued=now(),
        lease_days=home.config.lease_days,
        standing=tuple(sorted(session.scalars(standing.limit(MAX_STANDING)))),
    )
    return sign_status(status, home.key())
