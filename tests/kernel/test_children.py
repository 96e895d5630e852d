"""Children are changed only where the owner wants something else; a server's defaults are no difference."""

from fairway.kernel.control.children import missing


def test_defaults_inside_lists_are_no_difference() -> None:
    current = {"spec": {"ports": [{"port": 80, "protocol": "TCP"}], "clusterIP": "127.32.0.1"}}
    assert missing(current, {"spec": {"ports": [{"port": 80}]}}) == {}


def test_a_changed_list_is_replaced_whole() -> None:
    current = {"spec": {"ports": [{"port": 80, "protocol": "TCP"}]}}
    assert missing(current, {"spec": {"ports": [{"port": 81}]}}) == {"spec": {"ports": [{"port": 81}]}}


def test_an_empty_wish_is_met_by_nothing() -> None:
    assert missing({"spec": {}}, {"spec": {"template": {}, "args": []}}) == {}
