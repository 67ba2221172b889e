"""Raw measurements to Markdown: rates, and longsight over each peer round by round."""

import json
from statistics import median

BEGIN = "<!-- bench-peers: what stands between these two lines is written by scripts/bench-peers.sh -->"
END = "<!-- bench-peers: end -->"
MIB = 1 << 20


def markdown(result):
    """One file of measurements."""
    machine = result["roofline"]["machine"]
    lines = [f"### {result['shape']}, {machine['cpu']}, {result['date']}", "",
             f"LLaVA-OneVision {result['shape']}'s shape{cut(result['layers'])}. {machine['cores']} cores, "
             f"{result['threads']} threads, {' '.join(machine['features'])}; {result['system']}; commit {result['commit']}; "
             f"{result['rounds']} round{'s' if result['rounds'] > 1 else ''}.", "", *versions(result), ""]
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
    """The token each side finds most probable behind each prompt: that all do the same work."""
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


def write_section(docs, files):
    """Replaces the generated part of `docs`, or adds it at the end. Other measurements lie beside those of peers."""
    text = docs.read_text()
    results = [(file.name, json.loads(file.read_text())) for file in files]
    sections = "\n".join(f"{markdown(result)}\nRaw: [{name}](benchmarks/{name})\n"
                         for name, result in results if "roofline" in result)
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    unfinished = docs.with_suffix(".part")
    unfinished.write_text(f"{before.rstrip()}\n\n{BEGIN}\n\n{sections}\n{END}\n{after.lstrip()}")
    unfinished.rename(docs)
