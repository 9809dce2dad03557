"""The announced retirements: a size is found by its whole name, whatever it shares with others."""

from __future__ import annotations

import json
import re
from datetime import date

import pytest

from azml_tasks.checks.retirement.announced import of_image, of_priority, of_python, of_size
from tests.docs.blocks import ROOT
from tests.imports import PACKAGE

ANNOUNCED = json.loads((PACKAGE / "checks/retirement/announced.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("sizes", "series", "day"),
    [
        ("STANDARD_D3 STANDARD_D14 Standard_d1", "D", "2028-05-01"),
        ("STANDARD_DS3 STANDARD_DS14", "DS", "2028-05-01"),
        ("STANDARD_D3_V2 STANDARD_D15_V2 STANDARD_D15i_v2 Standard_D11_v2_Promo D2_v2", "Dv2", "2028-05-01"),
        ("STANDARD_DS3_V2 standard_ds12_v2 Standard_DS11-1_v2 STANDARD_DS14-8_V2", "DSv2", "2028-05-01"),
        ("STANDARD_L4S STANDARD_L32S", "Ls", "2028-05-01"),
        ("STANDARD_L8S_V2 STANDARD_L80S_V2", "LSv2", "2028-11-15"),
        ("STANDARD_A1_V2 STANDARD_A8M_V2", "Av2", "2028-11-15"),
        ("STANDARD_A0 STANDARD_A7 STANDARD_A11 BASIC_A4", "A (version 1)", "2024-08-31"),
        ("STANDARD_B1LS STANDARD_B2S STANDARD_B2MS STANDARD_B20MS", "B (version 1)", "2028-11-15"),
        ("STANDARD_F4", "F", "2028-11-15"),
        ("STANDARD_F4S", "Fs", "2028-11-15"),
        ("STANDARD_F4S_V2 STANDARD_F72s_v2", "FSv2", "2028-11-15"),
        ("STANDARD_G5", "G", "2028-11-15"),
        ("STANDARD_GS5 STANDARD_GS5-16", "GS", "2028-11-15"),
        ("STANDARD_NC6 STANDARD_NC24R Standard_NC12_Promo", "NC", "2023-08-31"),
        ("STANDARD_NC6S_V2 STANDARD_NC24RS_V2", "NCv2", "2023-08-31"),
        ("STANDARD_NC6S_V3 STANDARD_NC24S_V3", "NCv3", "2025-09-30"),
        ("STANDARD_NC24RS_V3", "NCv3", "2025-03-31"),
        ("STANDARD_ND6S STANDARD_ND24RS", "ND", "2023-08-31"),
        ("STANDARD_NV6 STANDARD_NV24_PROMO", "NV", "2023-09-06"),
        ("STANDARD_NV12S_V3 STANDARD_NV48S_V3", "NVv3", "2026-09-30"),
        ("STANDARD_NV4AS_V4 STANDARD_NV32AS_V4", "NVv4", "2026-09-30"),
        ("STANDARD_H16MR STANDARD_H8 STANDARD_H16R_PROMO", "H", "2022-08-31"),
        ("STANDARD_HB60RS STANDARD_HB60-15RS", "HB", "2024-08-31"),
        ("STANDARD_DC2S_V2 STANDARD_DC8_V2", "DCsv2", "2026-06-30"),
        ("STANDARD_M192IDMS_V2 STANDARD_M192IS_V2", "Msv2 and Mdsv2, isolated sizes with 192 vCPUs", "2027-03-31"),
    ],
)
def test_a_size_of_a_series_that_is_to_be_retired(sizes: str, series: str, day: str):
    found = {size: of_size(size) for size in sizes.split()}

    assert {size: one and (one.what, one.day.isoformat()) for size, one in found.items()} == {
        size: (f"{size} ({series} series)", day) for size in found
    }


@pytest.mark.parametrize(
    "sizes",
    [
        "STANDARD_D4DS_V4 STANDARD_D3_V3 STANDARD_D4_V3 STANDARD_D4S_V3",
        "STANDARD_D2A_V4 STANDARD_D4AS_V4 STANDARD_D4S_V5",
        "STANDARD_DC4S_V3 STANDARD_E4_V3 STANDARD_E4S_V3 STANDARD_E4DS_V5",
        "STANDARD_B2S_V2 STANDARD_B2TS_V2 STANDARD_B2AS_V2",
        "STANDARD_L8S_V3 STANDARD_L8AS_V3 STANDARD_F4AS_V6 STANDARD_FX4MDS",
        "STANDARD_NC4AS_T4_V3 STANDARD_NC24ADS_A100_V4 STANDARD_NC40ADS_H100_V5 STANDARD_ND96ASR_V4 STANDARD_ND40RS_V2",
        "STANDARD_NV6ADS_A10_V5 STANDARD_NV36ADMS_A10_V5 STANDARD_HB120RS_V2 STANDARD_HC44RS STANDARD_M128MS",
        "STANDARD_M192MS_V2 S cpu STANDARD_ D30_V2",
    ],
)
def test_a_size_that_only_looks_like_one(sizes: str):
    assert [size for size in sizes.split() if of_size(size)] == []


def test_the_other_kinds():
    assert of_priority("dedicated") is None
    low = of_priority("lowpriority")
    assert low
    assert (low.day, low.as_of) == (date(2026, 3, 31), date(2025, 12, 18))
    assert low.source == "https://azure.microsoft.com/updates/?id=501658, as of 2025-12-18"
    pythons = {version: of_python(version) for version in ("3.8.10", "3.10", "3.11", "3.12", "3.99", "x")}
    assert {version: one and (str(one.day), one.successor, one.of_sdk_v1) for version, one in pythons.items()} == {
        "3.8.10": ("2024-10-07", "3.11", False),
        "3.10": ("2026-10-31", "3.11", True),
        "3.11": ("2027-10-31", "3.14 after moving to SDK v2", True),
        "3.12": ("2028-10-31", "3.14", False),
        "3.99": None,
        "x": None,
    }
    assert {one.successor for version in ("3.10", "3.11") if (one := of_python(version, on_v2=True))} == {"3.14"}
    images = {
        "mcr.microsoft.com/azureml/openmpi3.1.2-ubuntu18.04": "2023-05-31",
        "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04:20240101.v1": "2025-05-31",
        "mcr.microsoft.com/azureml/base:intelmpi2018.3-ubuntu16.04": None,
        "mcr.microsoft.com/azureml/curated/sklearn-1.0-ubuntu20.04-py38-cpu:60": "2025-05-31",
        "mcr.microsoft.com/azureml/openmpi5.0-ubuntu24.04": None,
        "python:3.10": None,
    }
    assert {image: (one := of_image(image)) and str(one.day) for image in images} == images


def test_each_entry_has_a_source_a_day_and_a_successor_that_is_not_retired_itself():
    for row in ANNOUNCED["vm_sizes"]:
        assert row["source"] in ANNOUNCED["sources"]
        assert row["link"].startswith("https://")
        named = re.findall(r"STANDARD_\w+", row["successor"])
        assert named or "series" in row["successor"]
        assert [size for size in named if of_size(size)] == []
    assert of_image(ANNOUNCED["image_successor"]) is None


def two_years_after_the_release() -> date:
    """Return the day until which nothing that is named may be retired, from the newest release in CHANGELOG."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    year, month, day = map(int, re.findall(r"^## \[[\d.]+\] - (\d+)-(\d+)-(\d+)$", text, re.MULTILINE)[0])
    return date(year + 2, month, day)


def test_nothing_that_the_scaffold_the_examples_and_the_pages_name_is_retired_within_two_years():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "docs/examples").rglob("*.yaml")]
    files = [*pages, *(path for path in (ROOT / "template").rglob("*") if path.is_file())]
    files += [PACKAGE / "model/resources.py", PACKAGE / "azure/v1/resources/computes.py"]
    last, named = two_years_after_the_release(), set()
    for file in files:
        # Blocks of `text` show what is printed, which may be about a retired size; so do comments.
        text = re.sub(
            r"^```text\n.*?^```$|^#.*?$", "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
        )
        for size in re.findall(r"\bSTANDARD_\w+", text, re.IGNORECASE):
            named.add(size)
            assert (found := of_size(size)) is None or found.day > last, f"{file}: {found}"
        for image in re.findall(r"mcr\.microsoft\.com\S+", text):
            assert (found := of_image(image)) is None or found.day > last, f"{file}: {found}"
        for version in re.findall(r"python_version: [\"']?(\d+\.\d+)", text):
            # The SDK v1 has no newer Pythons.
            assert (found := of_python(version)) is None or found.of_sdk_v1 or found.day > last, f"{file}: {found}"
    assert "STANDARD_D4DS_V4" in named
