"""Raw measurements to Markdown: rates, and longsight over each peer round by round.

A run's raw figures lie in docs/benchmarks/DATE-MACHINE/. Each such folder has a README.md with the tables of its runs, and
docs/benchmarks/README.md lists all runs; both are written here.
"""

import json
import math
import re
from statistics import median

BEGIN = "<!-- bench-peers: what stands between these two lines is written by scripts/bench-peers.sh -->"
END = "<!-- bench-peers: end -->"
MIB = 1 << 20


def folder_name(date, machine):
    """`2030-01-31-amd-epyc-25-17`: where the raw figures of a day and a machine lie."""
    noise = r"\((r|tm)\)|\b(processor|cpu|family|model)\b|stepping \d+"
    return "-".join([date, *re.findall(r"[a-z0-9.]+", re.sub(noise, " ", machine["cpu"].lower()))])


def markdown(result):
    """One run, compared with its peers."""
    machine = result["roofline"]["machine"]
    lines = [f"LLaVA-OneVision {result['shape']}'s shape{cut(result['layers'])}. {result['date']}, {machine['cpu']}, "
             f"{machine['cores']} cores, {result['threads']} threads, {' '.join(machine['features'])}; {result['system']}; "
             f"commit {result['commit']}; {result['rounds']} round{'s' if result['rounds'] > 1 else ''}.", "", *versions(result), ""]
    for table in (limits_table(result["roofline"]), rates_table(result["runs"]), memory_table(result["runs"]),
                  tokens_table(result["runs"])):
        lines += [*table, ""] if table else []
    lines += [f"- Not measured: {f['stage']} {f['size']}: {f['error']}" for f in result["failures"]]
    lines += [f"- Left out, or could not be installed: {peer}" for peer in result["left_out"]]
    return "\n".join(lines).strip() + "\n"


def cut(layers):
    parts = [f"{name} cut to {layers[name]} of {layers[f'{name}_published']} layers" for name in ("tower", "decoder")
             if layers[name] != layers[f"{name}_published"]]
    return f", {', '.join(parts)} (for every side; nothing is extrapolated)" if parts else ""


def versions(result):
    found = {(run["side"], run["output"]["version"]) for run in result["runs"] if "version" in run["output"]}
    return [f"- {side}: {version}" for side, version in sorted(found)]


def limits_table(roofline):
    rows = [[limit["name"], limit["instructions"], limit["threads"],
             spread(limit["giga_per_sec"]["all"]) if limit["giga_per_sec"] else "-"] for limit in roofline["limits"]]
    return table(["machine's limit", "instructions", "threads", "10^9 a second (lowest to highest)"], rows)


def rates(runs):
    """{(stage, size): {(side, dtype): {round: rate}}}, and longsight's percent of the machine's limit."""
    by_stage, percents = {}, {}
    for run in runs:
        for entry in run["output"].get("results", []):
            if run["stage"] == "whole":
                continue
            key, who = (entry["stage"], entry["size"]), (run["side"], run["dtype"])
            by_stage.setdefault(key, {}).setdefault(who, {})[run["round"]] = median(entry["per_sec"]["all"])
            if entry.get("percent_of_limit") is not None:
                text = f"{entry['limit'].rsplit(' ', 1)[0]}"
                percents.setdefault((key, who), (text, []))[1].append(entry["percent_of_limit"])
    return by_stage, percents


def rates_table(runs):
    by_stage, percents = rates(runs)
    rows = []
    for (stage, size), sides in sorted(by_stage.items(), key=lambda item: (STAGES.index(item[0][0]), item[0][1])):
        for who, ours in sides.items():
            if who[0] != "longsight":
                continue
            limit, shares = percents.get(((stage, size), who), ("", []))
            percent = f"{median(shares):.0f} ({limit})" if shares else "-"
            peers = [(peer, theirs) for peer, theirs in sides.items() if peer[0] != "longsight"]
            own = [stage, f"{size:,}", who[1], spread(ours.values()), percent]
            rows += [[*own, " ".join(peer), spread(theirs.values()), ratio(ours, theirs)] for peer, theirs in peers]
            if not peers:
                rows.append([*own, "-", "-", "-"])
    return table(["stage", "frames or tokens", "longsight's dtype", "longsight, a second", "% of limit", "peer",
                  "peer, a second", "longsight / peer"], rows)


def memory_table(runs):
    """Largest sampled memory of each side's processes; the largest over rounds."""
    peaks, own = {}, {}
    for run in runs:
        own[run["side"]] = run["output"].get("own_bytes", 0)
        who = (run["side"], run["dtype"], run["pool"])
        of = peaks.setdefault((run["stage"], run["size"]), {})
        of[who] = max(of.get(who, 0), run["output"]["sampled_peak_bytes"])
    rows = []
    for (stage, size), sides in peaks.items():
        what = {"tower": "tower, frames", "text": "prompt, tokens", "whole": "whole run, frames"}[stage]
        for (name, dtype, pool), ours in sides.items():
            if name != "longsight" or not ours:
                continue
            start = [what, f"{size:,}", f"{dtype}{f', pool {pool}' if pool else ''}", f"{ours / MIB:,.0f}"]
            peers = [(peer, theirs) for peer, theirs in sides.items() if peer[0] != "longsight" and theirs]
            for peer, theirs in peers:
                above = max(theirs - own[peer[0]], 1)
                rows.append([*start, f"{peer[0]} {peer[1]}", f"{theirs / MIB:,.0f}", f"{ours / theirs:.2f}",
                             f"{ours / above:.2f}"])
            if not peers:
                rows.append([*start, "-", "-", "-", "-"])
    return table(["peak memory of", "size", "longsight's dtype", "longsight MiB", "peer", "peer MiB",
                  "longsight / peer", "without the peer's interpreter and libraries"], rows)


def tokens_table(runs):
    """The token each side finds most probable after each prompt: that all do the same work."""
    found = {}
    for run in runs:
        for entry in run["output"].get("results", []):
            if entry.get("next_token") is not None:
                found.setdefault(f"{run['side']} {run['dtype']}", {})[entry["size"]] = entry["next_token"]
    sizes = sorted({size for tokens in found.values() for size in tokens})
    rows = [[who, *(tokens.get(size, "-") for size in sizes)] for who, tokens in found.items()]
    return table(["most probable next token after", *(f"{size:,} tokens" for size in sizes)], rows) if sizes else []


def ratio(ours, theirs):
    """Round by round, so that what disturbs the machine for a while disturbs both."""
    both = [ours[r] / theirs[r] for r in ours if r in theirs]
    return spread(both, 2) if both else "-"


def spread(values, digits=None):
    values = list(values)
    middle = median(values)
    digits = digits if digits is not None else 2 if middle < 10 else 1 if middle < 100 else 0
    if len(values) == 1:
        return f"{middle:.{digits}f}"
    return f"{middle:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def table(titles, rows):
    if not rows:
        return []
    lines = [titles, ["---"] * len(titles), *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]


STAGES = ("tower", "prefill", "decode")


def products_markdown(result):
    """What `longsight-bench products --report` wrote; the limit was measured in turn with each product."""
    rows = [[entry["kernel"], entry["dtype"], spread(entry["giga_per_sec"]["all"]),
             f"{spread(entry['percent_of_limit']['all'], 0)} ({entry['limit']})"] for entry in result["results"]]
    lines = table(["kernel", "dtype", "10^9 operations a second", "% of limit"], rows)
    return "\n".join([f"{result['machine']['cpu']}, {result['machine']['threads']} threads.", "", *lines]) + "\n"


def median_interval(values, confidence=0.95):
    """Lowest and highest value between which the median of the distribution lies with at least `confidence`."""
    ordered, n = sorted(values), len(values)
    below, cut = 0.0, 0
    while cut < n // 2:
        below += math.comb(n, cut) / 2**n
        if 2 * below > 1 - confidence:
            break
        cut += 1
    return ordered[max(cut - 1, 0)], ordered[min(n - cut, n - 1)]


def commits_rows(runs):
    found = []
    for key in dict.fromkeys((run["stage"], run["size"], run["dtype"]) for run in runs):
        of = [run for run in runs if (run["stage"], run["size"], run["dtype"]) == key]
        ratios = [run["after"] / run["before"] for run in of]
        lowest, highest = median_interval(ratios)
        found.append([f"{key[0]}, {key[1]}", key[2], f"{median(run['before'] for run in of):.2f}",
                      f"{median(run['after'] for run in of):.2f}", f"{median(ratios):.3f}", f"{lowest:.3f} to {highest:.3f}"])
    return found


def commits_markdown(result):
    """What scripts/bench-commits.sh measured: two commits in paired rounds."""
    heads = ["stage, size", "dtype", f"{result['before']}, a second", f"{result['after']}, a second", "median of ratios",
             "95% interval"]
    lines = [f"LLaVA-OneVision {result['shape']}'s shape{cut(result['layers'])}. {result['machine']['cpu']}, "
             f"{result['machine']['threads']} threads, {result['rounds']} paired rounds.", "",
             *table(heads, commits_rows(result["runs"]))]
    return "\n".join(lines) + "\n"


def page(folder):
    """README.md of a folder of raw figures: the tables of every file."""
    lines = [f"# {folder.name}", "", "Written by scripts/bench-peers.sh from the files of this folder.", ""]
    for file in sorted(folder.glob("*.json")):
        result = json.loads(file.read_text())
        lines += [f"## {file.stem}", "", f"Raw figures: [{file.name}]({file.name})", ""]
        if "roofline" in result:
            lines.append(markdown(result))
        elif file.stem == "products":
            lines.append(products_markdown(result))
        elif "before" in result:
            lines.append(commits_markdown(result))
    return "\n".join(lines).rstrip() + "\n"


def run_row(file):
    """A run's line in the list of all; None where the file is not a comparison with peers."""
    result = json.loads(file.read_text())
    if "roofline" not in result:
        return None
    return [result["date"], result["roofline"]["machine"]["cpu"], result["shape"], result["commit"], result["rounds"],
            f"[{file.stem}]({file.parent.name}/README.md)"]


def write_pages(docs):
    """Writes the README.md of every folder of raw figures in `docs`, and replaces the list of runs in its own."""
    rows, index = [], docs / "README.md"
    for folder in sorted(folder for folder in docs.iterdir() if folder.is_dir()):
        write(folder / "README.md", page(folder))
        rows += filter(None, map(run_row, sorted(folder.glob("*.json"))))
    listed = "\n".join(table(["date", "CPU", "shape", "commit", "rounds", "tables"], rows))
    before, _, rest = index.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    write(index, f"{before.rstrip()}\n\n{BEGIN}\n\n{listed}\n\n{END}{after.rstrip()}\n")


def write(file, text):
    """Whole or not at all."""
    unfinished = file.with_suffix(".part")
    unfinished.write_text(text)
    unfinished.rename(file)
