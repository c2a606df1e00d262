"""Holds what the platform publishes about clouds: providers, their regions, instance types, sizes and prices.

Sizes, prices, regions and groups are those of the documentation's sample answer of ListInstanceTypes (Clarifai/docs
``curl_output_4.txt``), as they stand on the wire. What is not in it, is from its table "Supported Cloud Instances":
the types t4g, g7e, g4-standard and tpu7x, with rounded sizes, prices computed back from the hourly ones, and
regions and groups like those of their neighbours; and the price of GH200, which is 111 in the sample and $2.99 an
hour by now. Types that are priced "Contact us" have 65 on the wire, all of them. Regions are those of
Clarifai/skills (``clarifai-pricing``), which names no types of Azure and DigitalOcean by id.
"""

from __future__ import annotations

from typing import NamedTuple


class InstanceRow(NamedTuple):
    """Describes an instance type of a cloud. ``price``: thousandths of a US cent per second. ``group``: of feature
    flags, by size (``GROUPS``)."""

    id: str
    cpu: str
    memory: str
    accelerators: int
    accelerator: str
    price: str
    region: str
    group: str


GROUPS = {"S": "ComputeResourceSmall", "M": "ComputeResourceMedium", "L": "ComputeResourceLarge"}

# In the order of the platform's answer of ListCloudProviders; those after oracle came later.
REGIONS: dict[str, tuple[str, ...]] = {
    "aws": ("us-east-1", "us-west-2"),
    "gcp": ("us-east4", "us-central1"),
    "azure": ("eastus",),
    "vultr": ("new-york", "atlanta", "chicago", "seattle"),
    "oracle": ("us-chicago-1",),
    "digitalocean": ("nyc1", "nyc2", "sfo3", "atl1"),
    "lambda": ("us-south-3", "us-east-1"),
}
# These regions are known to be there, not with which types: they get those of the provider's first one.
LIKE_THE_FIRST = (("aws", "us-west-2"), ("lambda", "us-east-1"))

# Slowest first, with the memory of one. TPUs expose no memory.
ACCELERATORS = {
    "NVIDIA-T4": "15360Mi",
    "NVIDIA-A16": "16Gi",
    "NVIDIA-L4": "23034Mi",
    "NVIDIA-A10G": "23028Mi",
    "NVIDIA-L40S": "46068Mi",
    "GOOGLE-TPU-v5e": "",
    "NVIDIA-A100": "81920Mi",
    "NVIDIA-RTX-PRO-6000": "96Gi",
    "GOOGLE-TPU-v5p": "",
    "GOOGLE-TPU-v6e": "",
    "NVIDIA-H100": "81559Mi",
    "NVIDIA-GH200": "97871Mi",
    "AMD-MI300X": "127.816Gi",
    "GOOGLE-TPU-v7": "",
    "NVIDIA-B200": "183359Mi",
}
TOPOLOGIES = {
    "ct5lp-hightpu-1t": "1x1",
    "ct5lp-hightpu-4t": "2x2",
    "ct5p-hightpu-4t": "2x2x1",
    "ct6e-standard-1t": "1x1",
    "ct6e-standard-4t": "2x2",
}
SPOT_ONLY = ("a3-highgpu-1g",)
ARM64 = ("t4g.", "vbm-72c-480gb-gh200")

INSTANCE_TYPES: dict[str, tuple[InstanceRow, ...]] = {
    "aws": (
        InstanceRow("t3a.medium", "1545m", "2962Mi", 0, "", "2", "us-east-1", "S"),
        InstanceRow("t3a.large", "1545m", "6553Mi", 0, "", "3", "us-east-1", "S"),
        InstanceRow("t3a.xlarge", "3535m", "13878Mi", 0, "", "5", "us-east-1", "S"),
        InstanceRow("t3a.2xlarge", "7525m", "29033Mi", 0, "", "10", "us-east-1", "S"),
        InstanceRow("t4g.medium", "1.5", "2.89Gi", 0, "", "65", "us-east-1", "S"),
        InstanceRow("t4g.large", "1.5", "6.4Gi", 0, "", "65", "us-east-1", "S"),
        InstanceRow("t4g.xlarge", "3.5", "13.55Gi", 0, "", "65", "us-east-1", "S"),
        InstanceRow("g4dn.xlarge", "3535m", "14197Mi", 1, "NVIDIA-T4", "18", "us-east-1", "S"),
        InstanceRow("g5.xlarge", "3535m", "13878Mi", 1, "NVIDIA-A10G", "35", "us-east-1", "S"),
        InstanceRow("g5.2xlarge", "7525m", "29033Mi", 1, "NVIDIA-A10G", "42", "us-east-1", "S"),
        InstanceRow("g6.xlarge", "3535m", "13878Mi", 1, "NVIDIA-L4", "28", "us-east-1", "S"),
        InstanceRow("g6.2xlarge", "7525m", "29033Mi", 1, "NVIDIA-L4", "34", "us-east-1", "S"),
        InstanceRow("g6e.xlarge", "3535m", "29033Mi", 1, "NVIDIA-L40S", "65", "us-east-1", "M"),
        InstanceRow("g6e.2xlarge", "7525m", "59343Mi", 1, "NVIDIA-L40S", "78", "us-east-1", "M"),
        InstanceRow("g6e.12xlarge", "47425m", "359873Mi", 4, "NVIDIA-L40S", "364", "us-east-1", "L"),
        InstanceRow("g7e.4xlarge", "15.5", "112.34Gi", 1, "NVIDIA-RTX-PRO-6000", "139", "us-east-1", "M"),
        InstanceRow("g7e.8xlarge", "31.5", "230.74Gi", 1, "NVIDIA-RTX-PRO-6000", "146", "us-east-1", "M"),
        InstanceRow("g7e.12xlarge", "47.4", "466.19Gi", 2, "NVIDIA-RTX-PRO-6000", "288", "us-east-1", "L"),
        InstanceRow("g7e.24xlarge", "95.3", "939.79Gi", 4, "NVIDIA-RTX-PRO-6000", "459", "us-east-1", "L"),
        InstanceRow("g7e.48xlarge", "191.1", "1887.96Gi", 8, "NVIDIA-RTX-PRO-6000", "921", "us-east-1", "L"),
    ),
    "gcp": (
        InstanceRow("n2-standard-2", "1368m", "5546Mi", 0, "", "4", "us-east4", "S"),
        InstanceRow("n2-standard-4", "3358m", "12938Mi", 0, "", "8", "us-east4", "S"),
        InstanceRow("n2-standard-8", "7348m", "28339Mi", 0, "", "15", "us-east4", "S"),
        InstanceRow("n2-standard-16", "15328m", "59141Mi", 0, "", "30", "us-east4", "S"),
        InstanceRow("g2-standard-4", "3358m", "12938Mi", 1, "NVIDIA-L4", "25", "us-east4", "S"),
        InstanceRow("g2-standard-8", "7348m", "28339Mi", 1, "NVIDIA-L4", "30", "us-east4", "S"),
        InstanceRow("g2-standard-12", "11338m", "43740Mi", 1, "NVIDIA-L4", "35", "us-east4", "S"),
        InstanceRow("g2-standard-16", "15328m", "59141Mi", 1, "NVIDIA-L4", "40", "us-east4", "S"),
        InstanceRow("g2-standard-32", "31288m", "120906Mi", 1, "NVIDIA-L4", "60", "us-east4", "S"),
        InstanceRow("g4-standard-48", "47.2", "169.03Gi", 1, "NVIDIA-RTX-PRO-6000", "157", "us-east4", "M"),
        InstanceRow("g4-standard-96", "95.1", "345.43Gi", 2, "NVIDIA-RTX-PRO-6000", "313", "us-east4", "L"),
        InstanceRow("g4-standard-192", "190.9", "698.23Gi", 4, "NVIDIA-RTX-PRO-6000", "625", "us-east4", "L"),
        InstanceRow("g4-standard-384", "382.4", "1403.83Gi", 8, "NVIDIA-RTX-PRO-6000", "1250", "us-east4", "L"),
        InstanceRow("a2-ultragpu-1g", "11338m", "163054Mi", 1, "NVIDIA-A100", "198", "us-east4", "M"),
        InstanceRow("a3-highgpu-1g", "25303m", "227280Mi", 1, "NVIDIA-H100", "384", "us-east4", "L"),
        InstanceRow("a3-highgpu-8g", "206848m", "1871045Mi", 8, "NVIDIA-H100", "3073", "us-east4", "L"),
        InstanceRow("ct5lp-hightpu-1t", "23308m", "43740Mi", 1, "GOOGLE-TPU-v5e", "65", "us-central1", "L"),
        InstanceRow("ct5lp-hightpu-4t", "111088m", "185132Mi", 4, "GOOGLE-TPU-v5e", "65", "us-central1", "L"),
        InstanceRow("ct5p-hightpu-4t", "206848m", "442033Mi", 4, "GOOGLE-TPU-v5p", "65", "us-central1", "L"),
        InstanceRow("ct6e-standard-1t", "43258m", "442033Mi", 1, "GOOGLE-TPU-v6e", "65", "us-central1", "L"),
        InstanceRow("ct6e-standard-4t", "178918m", "714990Mi", 4, "GOOGLE-TPU-v6e", "65", "us-central1", "L"),
        InstanceRow("tpu7x-standard-1t", "55.2", "227.83Gi", 1, "GOOGLE-TPU-v7", "65", "us-central1", "L"),
        InstanceRow("tpu7x-standard-4t", "222.8", "933.43Gi", 4, "GOOGLE-TPU-v7", "65", "us-central1", "L"),
    ),
    "vultr": (
        InstanceRow("vc2-2c-4gb", "1415m", "3627Mi", 0, "", "1", "new-york", "S"),
        InstanceRow("vc2-4c-8gb", "3415m", "7518Mi", 0, "", "2", "new-york", "S"),
        InstanceRow("vc2-6c-16gb", "5415m", "15300Mi", 0, "", "4", "new-york", "S"),
        InstanceRow("vc2-8c-32gb", "7415m", "30865Mi", 0, "", "8", "new-york", "S"),
        InstanceRow("vc2-16c-64gb", "15415m", "61995Mi", 0, "", "15", "new-york", "S"),
        InstanceRow("vc2-24c-96gb", "23415m", "93124Mi", 0, "", "30", "new-york", "S"),
        InstanceRow("vcg-a16-6c-64g-16vram", "5415m", "61995Mi", 1, "NVIDIA-A16", "16", "new-york", "S"),
        InstanceRow("vcg-l40s-16c-180g-48vram", "15415m", "174840Mi", 1, "NVIDIA-L40S", "58", "new-york", "M"),
        InstanceRow("vcg-a100-12c-120g-80vram", "11415m", "116472Mi", 1, "NVIDIA-A100", "83", "new-york", "M"),
        InstanceRow(
            "vcg-b200-248c-2826g-1536vram", "255415m", "1992030Mi", 8, "NVIDIA-B200", "2220", "seattle", "L"
        ),
        InstanceRow("vbm-72c-480gb-gh200-gpu", "71415m", "466680Mi", 1, "NVIDIA-GH200", "83", "atlanta", "M"),
        InstanceRow(
            "vbm-256c-2048gb-8-mi300x-gpu", "255415m", "1992030Mi", 8, "AMD-MI300X", "1109", "chicago", "L"
        ),
    ),
    "oracle": (
        InstanceRow("VM.Standard.E6.Flex", "835m", "14964Mi", 0, "", "65", "us-chicago-1", "S"),
        InstanceRow("VM.GPU.A10.1", "14788m", "232872Mi", 1, "NVIDIA-A10G", "65", "us-chicago-1", "S"),
        InstanceRow("BM.GPU.A10.4", "14788m", "232872Mi", 4, "NVIDIA-A10G", "65", "us-chicago-1", "M"),
        InstanceRow("BM.GPU.MI300X.8", "111545m", "1991694Mi", 8, "AMD-MI300X", "65", "us-chicago-1", "L"),
    ),
    "lambda": (InstanceRow("cl-xl-gpu-8-b200", "207305m", "2857011Mi", 8, "NVIDIA-B200", "65", "us-south-3", "L"),),
}
