"""Each test runs in a process of its own, because what is switched off stays off."""

import subprocess
import sys
from pathlib import Path

import pytest

import otx_seg

SENDING = """
import openvino_telemetry
from openvino_telemetry.backend.backend_ga4 import GA4Backend
sent = []
GA4Backend.send = lambda self, message: sent.append(message)
"""


def run(code, home, **more):
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", **more}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return done.stdout.split()


CONVERT = """
import onnx, openvino
from onnx import TensorProto, helper
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", ends[:1], ends[1:])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "{folder}/m.onnx")
openvino.convert_model("{folder}/m.onnx")
"""


def test_openvino_and_nncf_work_and_leave_nothing_in_the_home_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    code = "import otx_seg\nimport sys" + CONVERT.format(folder=tmp_path)
    code += "import nncf\nprint('openvino_telemetry.main' in sys.modules)"
    assert run(code, home) == ["False"]
    assert list(home.rglob("*telemetry*")) == []
    assert not (home / "intel").exists()


@pytest.mark.parametrize(("switch", "expected"), [("", True), ("import otx_seg", False)])
def test_telemetry_that_was_imported_before_sends_nothing(tmp_path, switch, expected):
    home = tmp_path / "home"
    home.mkdir()
    code = f"""{SENDING}
telemetry = openvino_telemetry.Telemetry("app", "1", "G-0", "ga4", enable_opt_in_dialog=False)
{switch}
later = openvino_telemetry.Telemetry("app", "1", "G-0", "ga4", enable_opt_in_dialog=False)
for one in (telemetry, later):
    one.send_event("a", "b", "c", force_send=True)
    one.start_session("a")
telemetry.force_shutdown(1.0)
telemetry.sender.executor.shutdown(wait=True)
print(bool(sent))
"""
    assert run(code, home) == [str(expected)]


def test_the_users_own_setting_is_not_touched(tmp_path):
    consent = tmp_path / "intel" / "openvino_telemetry"
    consent.parent.mkdir()
    consent.write_text("1")
    code = "from otx_seg.telemetry import switch_off; switch_off()" + CONVERT.format(folder=tmp_path)
    run(code, tmp_path)
    assert consent.read_text() == "1"
    assert [path.name for path in consent.parent.iterdir()] == ["openvino_telemetry"]


def test_trackers_send_nothing_but_the_training_unless_the_user_says_otherwise(tmp_path):
    code = "import os\nfrom otx_seg.training.trackers import check_trackers\ncheck_trackers(['tensorboard'])\n"
    code += "print(*(os.environ[name] for name in ('MLFLOW_DISABLE_TELEMETRY', 'WANDB_ERROR_REPORTING')))"
    here = str(Path(otx_seg.__file__).parents[1])
    assert run(code, tmp_path, PYTHONPATH=here) == ["true", "false"]
    assert run(code, tmp_path, PYTHONPATH=here, WANDB_ERROR_REPORTING="true") == ["true", "true"]
