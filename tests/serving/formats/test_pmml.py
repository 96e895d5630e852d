"""PMML: a tree that answers classes and probabilities, and a line that answers a number."""

from pathlib import Path

import numpy as np
import pytest

from fairway.serving.inpod import formats
from fairway.serving.inpod.messages import Refusal
from fairway.serving.inpod.model import CannotLoad, Tensor

from .asking import arrays, rows

pytest.importorskip("pypmml", reason="pypmml is not installed")
jpype = pytest.importorskip("jpype", reason="jpype is not installed")

pytestmark = [pytest.mark.slow]

HEAD = '<?xml version="1.0"?><PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/>'

TREE = f"""{HEAD}
<DataDictionary>
  <DataField name="kind" optype="categorical" dataType="string"><Value value="cat"/><Value value="dog"/></DataField>
  <DataField name="weight" optype="continuous" dataType="double"/>
  <DataField name="colour" optype="categorical" dataType="string"><Value value="black"/><Value value="red"/></DataField>
</DataDictionary>
<TreeModel functionName="classification" missingValueStrategy="defaultChild">
  <MiningSchema>
    <MiningField name="kind" usageType="target"/><MiningField name="weight"/><MiningField name="colour"/>
  </MiningSchema>
  <Output>
    <OutputField name="chance_cat" optype="continuous" dataType="double" feature="probability" value="cat"/>
    <OutputField name="leaf" optype="categorical" dataType="string" feature="entityId"/>
  </Output>
  <Node id="1" score="cat" recordCount="4" defaultChild="2"><True/>
    <ScoreDistribution value="cat" recordCount="2"/><ScoreDistribution value="dog" recordCount="2"/>
    <Node id="2" score="cat" recordCount="2"><SimplePredicate field="weight" operator="lessThan" value="9"/>
      <ScoreDistribution value="cat" recordCount="2"/><ScoreDistribution value="dog" recordCount="0"/></Node>
    <Node id="3" score="dog" recordCount="2"><SimplePredicate field="weight" operator="greaterOrEqual" value="9"/>
      <ScoreDistribution value="cat" recordCount="0"/><ScoreDistribution value="dog" recordCount="2"/></Node>
  </Node>
</TreeModel></PMML>"""

LINE = f"""{HEAD}
<DataDictionary>
  <DataField name="y" optype="continuous" dataType="double"/>
  <DataField name="n" optype="continuous" dataType="integer"/>
</DataDictionary>
<RegressionModel functionName="regression">
  <MiningSchema><MiningField name="y" usageType="target"/><MiningField name="n"/></MiningSchema>
  <RegressionTable intercept="1"><NumericPredictor name="n" coefficient="2"/></RegressionTable>
</RegressionModel></PMML>"""


@pytest.fixture(autouse=True)
def java() -> None:
    try:
        jpype.getDefaultJVMPath()
    except jpype.JVMNotFoundException:
        pytest.skip("Java is not installed")


def test_a_tree_answers_its_target_and_what_its_output_asks_for(tmp_path: Path) -> None:
    (tmp_path / "model.pmml").write_text(TREE)
    model = formats.load("", "m", tmp_path, {})
    assert model.signature.inputs == (Tensor("weight", "FP64", (-1,)), Tensor("colour", "BYTES", (-1,)))
    assert model.signature.outputs == (
        Tensor("kind", "BYTES", (-1,)),
        Tensor("chance_cat", "FP64", (-1,)),
        Tensor("leaf", "BYTES", (-1,)),
    )
    cat, dog = {"kind": "cat", "chance_cat": 1.0, "leaf": "2"}, {"kind": "dog", "chance_cat": 0.0, "leaf": "3"}
    assert rows(model, [[4, "red"], [30.5, "black"]]) == [cat, dog]
    assert rows(model, [{"colour": "red", "weight": 30}, {"colour": "red", "weight": 4}]) == [dog, cat]
    assert rows(model, [{"colour": None, "weight": None}]) == [cat]  # the tree's own way with what is missing
    assert rows(model, [[4, "red"]] * 100) == [cat] * 100

    with pytest.raises(Refusal, match="wants the columns colour too"):
        rows(model, [{"weight": 4}])
    with pytest.raises(Refusal, match=r"wants rows of 2 values, not the shape \[1, 3\]"):
        rows(model, [[1, 2, 3]])
    with pytest.raises(Refusal, match="weight of the model m is FP64, and the request has something else there"):
        rows(model, [["heavy", "red"]])


def test_a_line_answers_a_number(tmp_path: Path) -> None:
    (tmp_path / "line.pmml").write_text(LINE)
    model = formats.load("pmml", "m", tmp_path / "line.pmml", {})
    assert model.signature.inputs == (Tensor("n", "INT64", (-1,)),)
    answer = arrays(model, x=np.array([[1], [2]]))
    assert answer["y"].tolist() == [3.0, 5.0]
    assert arrays(model, n=np.array([1, 2]))["y"].tolist() == [3.0, 5.0]  # the shape that the metadata says
    assert rows(model, [[1], [2]]) == [{"y": 3.0}, {"y": 5.0}]  # objects, as KServe has them
    asked = (
        '<Output><OutputField name="offer" optype="continuous" dataType="double" feature="predictedValue"/></Output>'
    )
    (tmp_path / "offer.pmml").write_text(LINE.replace("<RegressionTable", asked + "<RegressionTable"))
    assert rows(formats.load("pmml", "m", tmp_path / "offer.pmml", {}), [[1]]) == [{"y": 3.0, "offer": 3.0}]
    with pytest.raises(Refusal, match="n of the model m is INT64, and the request has numbers there that are not"):
        arrays(model, x=[[1.5]])


def test_what_is_not_pmml(tmp_path: Path) -> None:
    (tmp_path / "model.pmml").write_text("<hello/>")
    with pytest.raises(CannotLoad, match=r"is not a PMML model that can be read here .*root element of type PMML"):
        formats.load("pmml", "m", tmp_path, {})
