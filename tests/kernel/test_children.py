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


def test_an_amount_in_another_form_is_no_difference() -> None:
    current = {"spec": {"containers": [{"resources": {"limits": {"cpu": "500m", "memory": "1Gi"}}}], "sizeLimit": "1k"}}
    wanted = {"spec": {"containers": [{"resources": {"limits": {"cpu": 0.5, "memory": "1024Mi"}}}], "sizeLimit": 1000}}
    assert missing(current, wanted) == {}
    assert missing({"limits": {"cpu": "500m"}}, {"limits": {"cpu": 1}}) == {"limits": {"cpu": "1"}}


def test_a_text_elsewhere_is_one() -> None:
    env = {"env": [{"name": "HALF", "value": "500m"}]}
    assert missing(env, {"env": [{"name": "HALF", "value": "0.5"}]})
    assert missing({"data": {"a": "1Gi"}}, {"data": {"a": "1024Mi"}})
    assert missing({"limits": {"cpu": "500m"}}, {"limits": {"cpu": "much"}}) == {"limits": {"cpu": "much"}}
