"""What the tests launch."""

from components.lambda_cloud.api.models import LaunchRequest, Tag
from components.lambda_cloud.instance.candidates import Candidate
from components.lambda_cloud.instance.launch_order import LaunchOrder

TOKEN = "a" * 32
GH200 = Candidate("gpu_1x_gh200", "us-east-3")
H100 = Candidate("gpu_1x_h100_pcie", "us-west-3")
ORDER = LaunchOrder(
    candidates=(GH200, H100),
    template=LaunchRequest(
        region_name="",
        instance_type_name="",
        ssh_key_names=["key"],
        name="test",
        image={"family": "lambda-stack-24-04"},
        tags=[Tag(key="team", value="search")],
    ),
    rulesets={},
    token=TOKEN,
    max_price_cents_per_hour=None,
    capacity_timeout_s=0,
)

LOST_WRITES = (
    "drop-before",
    "drop-after",
    "error-409",
    "error-500",
    "error-500-after",
    "error-503",
    "error-429",
    "html",
    "html-after",
    "truncated",
)
"""What may become of the answer to a write, carried out or not."""
