//! The tables of a sweep.

use super::fixtures::{longvideobench, mlvu, row, videomme};
use longsight_eval::report::{SweepRow, sweep_tables};
use longsight_eval::score::{Results, Unit};

pub fn sweep_row(frames: usize, context: &str, pool: &str, results: Results) -> SweepRow {
    let scale = frames as f64 / 64.0;
    let (context, pool) = (context.parse().unwrap(), pool.parse().unwrap());
    let visual_tokens = frames as f64 * if pool == "4,2,8".parse().unwrap() { 61.0 } else { 196.0 };
    let peak_bytes = Some((3 << 30) + (visual_tokens as u64).saturating_sub(15_616) * 12_288);
    SweepRow { frames, context, scale, pool, visual_tokens, peak_bytes, results }
}

pub fn grid() -> Vec<SweepRow> {
    let mut rows = Vec::new();
    for (step, frames) in [64, 128, 256].into_iter().enumerate() {
        for (bonus, context) in [(0, "none"), (8, "yarn"), (20, "vcwe")] {
            for (gain, pool) in [(0, "uniform,2"), (12, "4,2,8")] {
                let mut results = videomme();
                let all = row("overall", 500 + bonus * (step + 1) + gain, 900, Unit::Percent);
                (results.value, results.ci95) = (Some(all.value), all.ci95);
                rows.push(sweep_row(frames, context, pool, results));
            }
        }
    }
    rows
}

#[test]
fn context_methods_are_table_4() {
    let rows = ["none", "vcwe"].map(|context| sweep_row(256, context, "4,2,8", videomme()));
    let tables = sweep_tables(&rows);
    let lines: Vec<Vec<&str>> = tables
        .terminal
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(lines[0], ["Context methods: 256 frames, pooling (2, 8), K 4"]);
    assert_eq!(lines[1], ["method", "s", "tokens", "memory", "short", "medium", "long", "overall"]);
    assert_eq!(lines[2], ["none", "4.00", "15,616", "3.00 GiB", "74.0", "61.0", "55.3", "63.4"]);
    assert_eq!(lines[3][0], "vcwe");
    assert_eq!(lines.len(), 4);
    assert!(
        tables
            .markdown
            .contains("| method | s | tokens | memory | short | medium | long | overall |\n|---|---:|")
    );
    assert!(tables.markdown.contains("| vcwe | 4.00 | 15,616 | 3.00 GiB | 74.0 | 61.0 | 55.3 | 63.4 |"));
    assert!(tables.html.contains("<th scope=\"row\">vcwe</th><td class=\"n\">4.00</td>"));
}

#[test]
fn poolings_are_table_5() {
    let rows = ["uniform,2", "4,2,8"].map(|pool| sweep_row(256, "vcwe", pool, videomme()));
    let text = sweep_tables(&rows).terminal;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Pooling: 256 frames, context method vcwe");
    assert_eq!(lines[1].split_whitespace().next_back(), Some("overall"));
    assert_eq!(
        lines[2].split_whitespace().collect::<Vec<_>>(),
        ["(2,", "2)", "-", "4.00", "50,176", "3.40", "GiB", "63.4"]
    );
    assert_eq!(
        lines[3].split_whitespace().collect::<Vec<_>>(),
        ["(2,", "8)", "4", "4.00", "15,616", "3.00", "GiB", "63.4"]
    );
}

#[test]
fn a_grid_gives_a_table_for_each_fixed_setting() {
    let tables = sweep_tables(&grid());
    assert_eq!(tables.terminal.matches("Context methods: ").count(), 6);
    assert_eq!(tables.terminal.matches("Pooling: ").count(), 9);
    assert!(
        tables.html.contains("Accuracy (%) against visual tokens") && !tables.html.contains("first token")
    );
    assert!(tables.terminal.lines().all(|line| line.chars().count() <= 100));
}

#[test]
fn other_benchmarks_have_their_own_columns() {
    let rows = ["none", "vcwe"].map(|context| sweep_row(32, context, "uniform,2", mlvu()));
    let text = sweep_tables(&rows).terminal;
    assert!(
        text.lines().nth(1).unwrap().ends_with("PQA   NQA    ER    AC    AO    AR    TR  M-Avg"),
        "{text}"
    );
    let rows = ["none", "vcwe"].map(|context| sweep_row(32, context, "uniform,2", longvideobench()));
    let text = sweep_tables(&rows).terminal;
    assert!(
        text.lines().nth(2).unwrap().ends_with("68.8     69.8       53.4        47.9     55.3"),
        "{text}"
    );
}

#[test]
fn one_row_none_and_a_round_trip() {
    let one = [sweep_row(32, "vcwe", "4,2,8", videomme())];
    assert!(sweep_tables(&one).terminal.contains("vcwe"));
    let none = sweep_tables(&[]);
    assert!(
        none.terminal.is_empty() && none.html.contains("Sweep of nothing") && !none.html.contains("<svg")
    );
    let text = serde_json::to_string(&grid()).unwrap();
    let read: Vec<SweepRow> = serde_json::from_str(&text).unwrap();
    assert_eq!(sweep_tables(&read), sweep_tables(&grid()));
    assert_eq!(sweep_tables(&grid()), sweep_tables(&grid()));
}
