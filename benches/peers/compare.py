#!/usr/bin/env python3
"""Runs tools over the same captures in turns and compares the processor time that they take.

Called by run.sh, which makes the captures and knows where programs are. What is run stands in
tools.toml. Each run is pinned to one core; its processor time is user + system of the process and of
all that it started, as the kernel counted it. In every round each tool runs once, and the order turns,
so that ratios of one round are of one moment of the machine.
"""

import argparse
import ctypes
import json
import os
import platform
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = "rstscope"
WORDS_MAX = 110
TIMEOUT_S = 600
PR_SET_CHILD_SUBREAPER = 36


def main():
    arguments = parse()
    adopt_orphans()
    tools, missing = known_tools(arguments)
    programs = {"here": HERE, "ours": arguments.ours, "floor": arguments.floor}
    results = {
        "date": date.today().isoformat(),
        "machine": machine(arguments.cpu),
        "packets": arguments.packets,
        "rounds": arguments.rounds,
        "slow_rounds": arguments.slow_rounds,
        "command": arguments.command,
        "missing": missing,
        "tools": {tool["name"]: describe(tool, arguments, programs) for tool in tools},
        "captures": {},
    }
    starts = take_turns(tools, arguments.words, arguments, programs)
    for capture in arguments.captures:
        name, path = capture.split("=", 1)
        runs = take_turns(tools, path, arguments, programs)
        results["captures"][name] = summed(runs, starts, arguments.packets)
    print(text(results))
    write(arguments.json, json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    write(arguments.markdown, markdown(results))


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("captures", nargs="+", metavar="NAME=FILE", help="what is read")
    parser.add_argument("--packets", type=int, required=True, help="in each capture")
    parser.add_argument("--words", required=True, metavar="FILE", help="a small capture to show words of")
    parser.add_argument("--ours", required=True, metavar="PROGRAM", help="rstscope")
    parser.add_argument("--floor", required=True, metavar="PROGRAM", help="the program of floor.rs")
    parser.add_argument("--tools", help="names or packages, separated by commas; all if absent")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slow-rounds", type=int, default=2, help="for tools that are slow")
    parser.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--scratch", default="/dev/shm", help="folder in memory")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--markdown", metavar="FILE")
    parser.add_argument("--command", default="benches/peers/run.sh", help="told in the results")
    return parser.parse_args()


def known_tools(arguments):
    """The tools that are asked for and there, and the names of those that are not there."""
    tools = tomllib.loads((HERE / "tools.toml").read_text())["tool"]
    if arguments.tools:
        asked = set(arguments.tools.split(",")) | {OURS}
        names = {word for tool in tools for word in (tool["name"], tool.get("package"))}
        if unknown := asked - names:
            sys.exit(f"unknown tools {', '.join(sorted(unknown))}; see tools.toml")
        tools = [tool for tool in tools if asked & {tool["name"], tool.get("package")}]
    there = [tool for tool in tools if tool["run"].startswith("{") or shutil.which(program(tool))]
    missing = [tool["name"] for tool in tools if tool not in there]
    for name in missing:
        print(f"SKIPPED: {name} is not installed", file=sys.stderr)
    return there, missing


def program(tool):
    return tool["run"].split()[0]


def describe(tool, arguments, programs):
    """Version and words of a tool; the command as it is shown to readers."""
    shown = {"capture": "FILE", "scratch": "SCRATCH", "here": ".", "ours": "rstscope", "floor": "floor"}
    return {
        "kind": tool["kind"],
        "command": tool["run"].format(**shown),
        "version": first_line(tool.get("version"), arguments, programs),
        "says": tool["says"],
        "shows": first_line(tool.get("shows"), arguments, programs),
    }


def first_line(command, arguments, programs):
    if not command:
        return ""
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        line = command.replace("{scratch}", scratch).replace("{capture}", arguments.words)
        for name, value in programs.items():
            line = line.replace(f"{{{name}}}", str(value))
        outcome = subprocess.run(
            ["bash", "-c", line], cwd=scratch, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S
        )
    lines = [" ".join(line.split()) for line in outcome.stdout.decode(errors="replace").splitlines()]
    words = next(filter(None, lines), "")
    return words if len(words) <= WORDS_MAX else words[:WORDS_MAX] + " ..."


def take_turns(tools, capture, arguments, programs):
    """Runs every tool once a round; gives the runs of each by round."""
    runs = {tool["name"]: {} for tool in tools}
    for number in range(arguments.rounds):
        first = number % len(tools)
        for tool in tools[first:] + tools[:first]:
            if tool.get("slow") and number >= arguments.slow_rounds:
                continue
            run = measure(tool, capture, arguments, programs)
            runs[tool["name"]][number] = run
            note = f"{Path(capture).name}, round {number + 1}: {tool['name']} {run['cpu_s']:.2f} s"
            print(note, file=sys.stderr)
    return runs


def measure(tool, capture, arguments, programs):
    """One run: processor seconds and peak memory, or the end of everything if the tool failed."""
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        values = {"capture": capture, "scratch": scratch, **programs}
        words = [word.format(**values) for word in shlex.split(tool["run"])]
        errors = Path(scratch, "standard-error")
        with errors.open("wb") as stream:
            child = subprocess.Popen(
                words,
                cwd=scratch,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stream,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, {arguments.cpu}),
            )
            status, usages = reap(child.pid)
        child.returncode = status
        if status != 0:
            tail = errors.read_text(errors="replace")[-2000:]
            sys.exit(f"{shlex.join(words)} ended with {status}:\n{tail}")
    return {
        "cpu_s": sum(usage.ru_utime + usage.ru_stime for usage in usages),
        "peak_kib": max(usage.ru_maxrss for usage in usages),
    }


def adopt_orphans():
    """What a tool started and did not wait for becomes our child, and its time is counted."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap(pid):
    """Waits for a child and for all that it left behind."""
    deadline = time.monotonic() + TIMEOUT_S
    status, usages = None, []
    while True:
        try:
            ended, code, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return status, usages
        if ended:
            usages.append(usage)
            if ended == pid:
                status = os.waitstatus_to_exitcode(code)
        elif time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
        else:
            time.sleep(0.005)


def summed(runs, starts, packets):
    """Of each tool: median and least seconds, packets a second, the median ratio to ours; and the
    least seconds that a nearly empty capture takes, which is its start-up."""
    sums = {}
    for name, rounds in runs.items():
        times = [run["cpu_s"] for run in rounds.values()]
        ours = runs[OURS]
        ratios = [ours[number]["cpu_s"] / max(run["cpu_s"], 1e-6) for number, run in rounds.items()]
        sums[name] = {
            "runs": len(times),
            "cpu_s": [round(seconds, 4) for seconds in times],
            "cpu_s_median": statistics.median(times),
            "cpu_s_min": min(times),
            "start_s": min(run["cpu_s"] for run in starts[name].values()),
            "packets_per_cpu_s": packets / max(statistics.median(times), 1e-6),
            "packets_per_cpu_s_best": packets / max(min(times), 1e-6),
            "speed_over_ours": statistics.median(ratios),
            "peak_mib": max(run["peak_kib"] for run in rounds.values()) / 1024,
        }
    return sums


def rows(results, capture):
    """The fastest first; speed relative to ours is told as a factor that a reader can say."""
    sums = results["captures"][capture]
    for name, sum_ in sorted(sums.items(), key=lambda item: -item[1]["packets_per_cpu_s"]):
        ratio = sum_["speed_over_ours"]
        if name == OURS:
            factor = "1"
        elif ratio >= 1:
            factor = f"{ratio:.2f} times as fast"
        else:
            factor = f"1/{1 / ratio:.1f}"
        yield [
            name,
            results["tools"][name]["kind"],
            f"{sum_['packets_per_cpu_s'] / 1e6:.2f}",
            f"{sum_['packets_per_cpu_s_best'] / 1e6:.2f}",
            factor,
            f"{sum_['cpu_s_median']:.3f} ({sum_['cpu_s_min']:.3f})",
            f"{sum_['start_s']:.3f}",
            str(sum_["runs"]),
            f"{sum_['peak_mib']:.0f}",
        ]


HEADER = ["tool", "kind", "M packets a CPU second", "best", "speed against ours", "CPU s median (min)", "of it start-up", "runs", "MiB"]


def text(results):
    parts = []
    for capture in results["captures"]:
        table = [HEADER, *rows(results, capture)]
        widths = [max(len(row[column]) for row in table) for column in range(len(HEADER))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in table]
        parts.append("\n".join([f"\n{capture}: {results['packets']:,} packets", *lines]))
    says = [f"{name}: {tool['says']}\n    {tool['shows']}" for name, tool in results["tools"].items()]
    return "\n".join([*parts, "\nOf a reset each says:", *says])


def markdown(results):
    out = [
        "<!-- Written by benches/peers/run.sh; do not edit. -->",
        "# Compared with other tools",
        "",
        f"{results['date']}, {results['machine']}. `{results['command']}`: {results['packets']:,} packets a capture, "
        f"{results['rounds']} rounds in turns ({results['slow_rounds']} for the slowest), each pinned to one core. "
        "Processor time is user + system of the whole process, start-up included: what a capture of 4,000 packets takes "
        "at least. The speed against ours is the median of the ratios within a round. What each run is, and how to repeat it: [README](README.md).",
    ]
    for capture in results["captures"]:
        out += ["", f"## Capture `{capture}`", "", *markdown_table([HEADER, *rows(results, capture)])]
    says = [
        [name, tool["version"] or "as built", tool["says"], f"`{tool['shows']}`" if tool["shows"] else "–"]
        for name, tool in results["tools"].items()
    ]
    header = ["tool", "version", "what it says of a reset", "in its own words"]
    out += ["", "## What each says of a reset", "", *markdown_table([header, *says])]
    commands = [[name, f"`{tool['command']}`"] for name, tool in results["tools"].items()]
    out += ["", "## Commands", "", *markdown_table([["tool", "command"], *commands])]
    if results["missing"]:
        out += ["", f"Not there, so not measured: {', '.join(results['missing'])}."]
    return "\n".join(out) + "\n"


def markdown_table(table):
    line = lambda cells: "| " + " | ".join(re.sub(r"\|", r"\\|", cell) for cell in cells) + " |"
    return [line(table[0]), "|" + "---|" * len(table[0]), *map(line, table[1:])]


def machine(cpu):
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    name = model.group(1) if model else platform.machine()
    load = os.getloadavg()[0]
    return f"{name}, {os.cpu_count()} cores (core {cpu} used), Linux {platform.release()}, load {load:.1f} at the start"


def write(path, content):
    if path:
        Path(path).write_text(content)


if __name__ == "__main__":
    main()
