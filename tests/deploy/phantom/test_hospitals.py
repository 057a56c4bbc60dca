from __future__ import annotations

from deploy.phantom.hospitals import federation_orders, hospital_order
from deploy.phantom.orders import check_order
from shared_models.phantom.hospitals import HOSPITALS


def test_a_hospital_is_ordered_as_it_is() -> None:
    for hospital in HOSPITALS.values():
        order = hospital_order(hospital, 5)
        check_order(order)
        assert tuple(shot.name for shot in order.shots) == hospital.labels
        assert (order.site, order.machines, order.patients) == (hospital.name, hospital.machines, 5)
        assert order.split == ("test" if hospital.role == "external" else "")
        assert all(order.shots[shot] == hospital.balance.get(shot.name, 1.0) for shot in order.shots)


def test_the_federation_has_all_of_them_with_the_label_sets_of_the_paper() -> None:
    orders = federation_orders(3)
    assert [len(order.shots) for order in orders] == [8, 2, 11, 4, 15, 15]
    assert {machine for order in orders for machine in order.machines} > {"albatross", "dunlin"}
