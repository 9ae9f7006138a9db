"""Searching, reading metrics, and writing results down."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from kuchipaku.loadtest.figures import figures_of
from kuchipaku.loadtest.plan import LoadPlan
from kuchipaku.loadtest.record import GeneratorRecord, Role, SessionRecord, SpokenLine
from kuchipaku.loadtest.report import write_report
from kuchipaku.loadtest.run import Machine, Result
from kuchipaku.loadtest.scrape import Samples
from kuchipaku.loadtest.search import search
from kuchipaku.loadtest.usage import memory_of, pose_usage, usage_of

BEFORE = """
# HELP kuchipaku_pose_frames_total Frames.
# TYPE kuchipaku_pose_frames_total counter
kuchipaku_pose_frames_total{outcome="rendered"} 100.0
kuchipaku_pose_frames_total{outcome="cached"} 10.0
kuchipaku_pose_cpu_seconds_total 5.0
"""
AFTER = """
kuchipaku_pose_frames_total{outcome="rendered"} 130.0
kuchipaku_pose_frames_total{outcome="cached"} 40.0
kuchipaku_pose_frames_total{outcome="dropped"} 3.0
kuchipaku_pose_stage_uses_total{result="hit",stage="face"} 30.0
kuchipaku_pose_stage_uses_total{result="run",stage="face"} 10.0
kuchipaku_pose_batch_frames_sum{stage="face"} 10.0
kuchipaku_pose_batch_frames_count{stage="face"} 4.0
kuchipaku_pose_frame_bytes_total{encoding="delta_zstd"} 1.5e+06
kuchipaku_pose_cpu_seconds_total 9.0
kuchipaku_pose_resident_memory_bytes 1048576.0
kuchipaku_pose_admission_refused_total{admission="streams",reason="QUEUE_FULL"} 2.0
"""


def result(sessions: int, late_s: float) -> Result:
    record = GeneratorRecord(loop_lag_s=[0.001])
    for number in range(sessions):
        line = SpokenLine("x", 1.0, 0.5, 25.0, None, sent_at=[0.0])
        for index in range(25):
            line.came(index, line.due(index) + late_s)
        record.sessions.append(
            SessionRecord(number, Role.PLAIN, 0.0, opened_s=0.01, ended_at=2.0, lines=[line])
        )
    plan = LoadPlan("127.0.0.1:1", sessions=sessions, warmup_s=0.0, api_key="a-secret-of-16-chars")
    figures = figures_of(plan, record, 0.0)
    scraped = ({"pose": Samples.parse(BEFORE)}, {"pose": Samples.parse(AFTER)})
    return Result(
        plan,
        figures,
        usage_of(*scraped, figures.session_seconds),
        pose_usage(scraped[0]["pose"], scraped[1]["pose"]),
        "2026-01-01T00:00:00Z",
        Machine("system", "processor", 2),
    )


def served_up_to(most: int, unlucky: Callable[[int], bool] = lambda run: False):
    """A deployment that keeps the SLO up to a number of sessions, but for unlucky runs."""
    tried: list[int] = []

    async def measure(sessions: int) -> Result:
        tried.append(sessions)
        late = sessions > most or unlucky(len(tried))
        return result(1, 0.2 if late else 0.0)

    return measure, tried


@pytest.mark.parametrize("most", [1, 2, 3, 5, 8, 13, 40])
async def test_the_search_finds_the_largest_number(most: int) -> None:
    measure, tried = served_up_to(most)
    found = await search(measure, most=40)
    assert (found.sessions, found.verified) == (most, 3)
    assert tried[-3:] == [most] * 3
    assert len(found.runs) == len(tried)


async def test_nothing_is_found_where_nothing_is_served() -> None:
    measure, tried = served_up_to(0)
    found = await search(measure)
    assert (found.sessions, tried) == (0, [1])


async def test_who_is_refused_is_not_served() -> None:
    async def measure(sessions: int) -> Result:
        """Ten are let in, and all of them are served well."""
        served = result(min(sessions, 10), 0.0)
        refused = max(0, sessions - 10)
        return replace(served, figures=replace(served.figures, refused=refused))

    assert (await search(measure, most=40)).sessions == 10


async def test_a_number_that_fails_a_verification_is_given_up() -> None:
    measure, tried = served_up_to(4, unlucky=lambda run: run == 8)
    # 1 2 4 8(no) 6(no) 5(no), then 4 4(unlucky), and 3 three times.
    found = await search(measure)
    assert found.sessions == 3
    assert tried[-3:] == [3, 3, 3]


def test_metrics_are_read_and_subtracted() -> None:
    before, after = Samples.parse(BEFORE), Samples.parse(AFTER)
    spent = after.since(before)
    assert spent.by("kuchipaku_pose_frames_total", "outcome") == {
        "rendered": 30.0,
        "cached": 30.0,
        "dropped": 3.0,
    }
    assert after.total("kuchipaku_pose_frames_total", outcome="cached") == 40.0
    assert after.total("not_there") == 0.0
    odd = Samples.parse('a{b="c\\"d,e=\\"f"} 1\nnot a sample\n')
    assert odd.by("a", "b") == {'c\\"d,e=\\"f': 1.0}


def test_use_is_told_by_service_and_session_second() -> None:
    seen = result(2, 0.0)
    pose = seen.services["pose"]
    assert pose.cpu_s == pytest.approx(4.0)
    assert pose.cpu_s_per_session_s == pytest.approx(1.0)  # two sessions of two seconds
    assert pose.refused == {"QUEUE_FULL": 2.0}
    assert seen.pose is not None
    assert seen.pose.frame_hit_rate == pytest.approx(0.5)
    assert seen.pose.stage_hit_rates == {"face": 0.75}
    assert seen.pose.frames_per_batch == {"face": 2.5}
    assert seen.sessions_per_core == 1.0


def test_reports_tell_the_same_in_every_form(tmp_path: Path) -> None:
    runs = [result(1, 0.0), result(2, 0.010), result(4, 0.300)]
    write_report(tmp_path, runs, "kuchipaku loadtest --sessions 1,2,4")

    data = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert [run["figures"]["admitted"] for run in data["runs"]] == [1, 2, 4]
    assert "a-secret" not in json.dumps(data)
    with (tmp_path / "results.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["slo_kept"] for row in rows] == ["True", "True", "False"]
    assert float(rows[2]["lateness_p99_s"]) == pytest.approx(0.3)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "`kuchipaku loadtest --sessions 1,2,4`" in text
    assert "300 / 300 / 300 / 300" in text
    assert "in doubt" not in text


def test_the_plot_has_a_point_for_each_run_and_the_limit(tmp_path: Path) -> None:
    write_report(tmp_path, [result(1, 0.002), result(2, 0.010), result(4, 0.300)], "x")
    drawing = ET.parse(tmp_path / "sessions.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    heights = [float(c.attrib["cy"]) for c in drawing.iter(f"{space}circle")]
    assert len(heights) == 3
    assert heights == sorted(heights, reverse=True)
    assert "SLO" in {text.text for text in drawing.iter(f"{space}text")}


def test_a_generator_that_is_late_itself_says_so(tmp_path: Path) -> None:
    late = result(1, 0.0)
    record = GeneratorRecord([SessionRecord(0, Role.PLAIN, 0.0, ended_at=1.0)], [0.05] * 10)
    figures = figures_of(late.plan, record, 0.0)
    doubtful = Result(late.plan, figures, {}, None, "", late.machine)
    assert doubtful.generator_lags
    write_report(tmp_path, [doubtful], "x")
    assert "in doubt" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_a_long_run_tells_whether_memory_grows(tmp_path: Path) -> None:
    scraped = {"pose": Samples.parse(AFTER), "gateway": Samples.parse("")}
    memory = tuple(memory_of(at_s, scraped) for at_s in (0.0, 150.0, 300.0))
    write_report(tmp_path, [replace(result(2, 0.0), memory=memory)], "kuchipaku loadtest")
    table = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "with 2 sessions of crowd" in table
    assert "| seconds | gateway | pose |" in table
    assert table.count("| 0 | 1 |") == 3
    runs = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))["runs"]
    assert [sample["at_s"] for sample in runs[0]["memory"]] == [0.0, 150.0, 300.0]


def test_a_short_run_tells_no_course_of_memory(tmp_path: Path) -> None:
    ends = tuple(memory_of(at_s, {"pose": Samples.parse(AFTER)}) for at_s in (0.0, 20.0))
    write_report(tmp_path, [replace(result(2, 0.0), memory=ends)], "kuchipaku loadtest")
    assert "Resident memory" not in (tmp_path / "report.md").read_text(encoding="utf-8")
