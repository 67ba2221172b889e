//! The HTML report and its charts.

use super::fixtures::{HOSTILE, empty, hostile, longvideobench, measurements, mlvu, run, videomme};
use super::sweep::grid;
use longsight_eval::report::{ReportInput, comparison_text, html, sweep_tables};
use longsight_eval::score::Comparison;
use longsight_report::chart::{LineChart, Point, Quantity, Series, line_chart, line_chart_file};
use longsight_report::heatmap::Heatmap;
use longsight_report::write_atomically;
use std::path::PathBuf;

fn single() -> ReportInput {
    ReportInput { runs: vec![run("videomme-256", videomme(), &[16, 32, 64, 256])], comparison: None }
}

fn pair() -> ReportInput {
    let comparison = Comparison {
        samples: 900,
        videos: 300,
        only_in_a: 0,
        only_in_b: 12,
        score_a: 0.6344,
        score_b: 0.6822,
        difference: 0.0478,
        stderr: Some(0.0117),
        ci95: Some((0.0249, 0.0707)),
        right_only_in_a: 31,
        right_only_in_b: 74,
        permutation_p: 0.0004,
        mcnemar_p: 0.000_031,
    };
    let mut better = videomme();
    (better.value, better.ci95) = (Some(68.2), Some((65.0, 71.4)));
    let runs = vec![run("none", videomme(), &[64]), run("vcwe", better, &[256])];
    ReportInput { runs, comparison: Some(comparison) }
}

/// The text between the first `start` and the next `end`, both included.
fn pieces<'a>(page: &'a str, start: &str, end: &str) -> Vec<&'a str> {
    let after = page.match_indices(start).map(|(index, _)| &page[index..]);
    after.map(|rest| &rest[..rest.find(end).unwrap() + end.len()]).collect()
}

/// Pages are written as XML too, but for the doctype and the head's empty tags.
fn assert_well_formed(page: &str) {
    let body = &page[page.find("<body>").unwrap()..page.find("</html>").unwrap()];
    roxmltree::Document::parse(body).unwrap_or_else(|error| panic!("{error} in {body}"));
}

#[test]
fn a_run_s_page_has_its_numbers() {
    let page = html(&single());
    assert_well_formed(&page);
    assert!(page.contains("<h1>Video-MME</h1>"));
    assert!(page.contains("<strong>63.4%</strong> overall, 95% CI <span class=\"n\">60.3–66.6</span>"));
    let row = pieces(&page, "<tr><th scope=\"row\"><div><span>Film &amp; Television</span>", "</tr>");
    assert!(row[0].contains("<rect class=\"value\" width=\"65.83\""), "{}", row[0]);
    assert!(row[0].ends_with(
        "<td class=\"n\">65.8</td><td class=\"n\">57.3–74.3</td><td class=\"n\">79/120</td></tr>"
    ));
    assert!(page.contains("<th scope=\"row\">context.method</th><td>vcwe</td>"));
    assert!(page.contains("<summary>Failed, counted wrong: 3 questions</summary>"));
    assert!(page.contains("<summary>Without a letter in the answer: 8 questions</summary>"));
    let page = html(&ReportInput { runs: vec![run("lvb", longvideobench(), &[32])], comparison: None });
    assert!(page.contains("<strong>0.55348 (55.3%)</strong>") && page.contains("<span>180-600 s</span>"));
}

#[test]
fn nothing_is_loaded_and_no_script_runs() {
    for page in [html(&single()), html(&pair()), sweep_tables(&grid()).html] {
        for word in ["<script", "src=", "href=", "url(", "@import", "<iframe", "<link"] {
            assert!(!page.contains(word), "{word}");
        }
        assert_eq!(
            page.matches("http").count(),
            page.matches("http://www.w3.org/2000/svg").count() + page.matches("http-equiv").count()
        );
        assert!(page.contains("default-src 'none'") && page.contains("prefers-color-scheme: dark"));
        assert!(page.contains("name=\"viewport\"") && page.contains("@media print"));
    }
}

#[test]
fn hostile_texts_stay_texts() {
    let input = ReportInput { runs: vec![hostile(), hostile()], comparison: None };
    for input in [ReportInput { runs: vec![hostile()], comparison: None }, input] {
        let page = html(&input);
        assert_well_formed(&page);
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains('\u{1b}'));
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
        let text =
            roxmltree::Document::parse(&page[page.find("<main>").unwrap()..page.find("</body>").unwrap()])
                .unwrap()
                .descendants()
                .filter_map(|node| node.text().map(str::to_owned))
                .collect::<String>();
        for hostile in &HOSTILE[..3] {
            assert!(text.contains(hostile), "{hostile}");
        }
    }
}

#[test]
fn plots_show_groups_of_a_run_alone_and_a_point_a_run_of_several() {
    let single = html(&single());
    assert_eq!(single.matches("<g class=\"point\">").count(), 4 * 4);
    assert!(single.contains("grouped by the frames") && single.contains("against time to first token"));
    let pair = html(&pair());
    assert_eq!(pair.matches("<g class=\"point\">").count(), 4 * 2);
    assert!(pair.contains("<strong>+4.8</strong> points, 95% CI +2.5 to +7.1, p &lt; 0.001"));
    assert_well_formed(&pair);
    let one_group = ReportInput { runs: vec![run("mlvu", mlvu(), &[32])], comparison: None };
    assert_eq!(html(&one_group).matches("<g class=\"point\">").count(), 4);
}

#[test]
fn a_comparison_is_the_same_in_the_terminal() {
    let mut comparison = pair().comparison.unwrap();
    let text = comparison_text(&comparison);
    let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
    assert!(
        text.starts_with("second run less first: +4.8 points, 95% CI +2.5 to +7.1, p < 0.001\n\n"),
        "{text}"
    );
    assert!(text.contains("900 common questions on 300 videos  first run  second run\n"), "{text}");
    assert_eq!(lines[3], ["right", "63.4%", "68.2%"]);
    assert_eq!(lines[4], ["right", "here", "alone", "31", "74"]);
    assert_eq!(lines[5], ["asked", "here", "alone", "0", "12"]);
    comparison.difference = -0.0123;
    (comparison.ci95, comparison.permutation_p) = (None, 0.25);
    assert!(comparison_text(&comparison).starts_with("second run less first: -1.2 points, p = 0.250\n"));
}

#[test]
fn no_rows_no_charts_no_nan() {
    for runs in [vec![], vec![empty()], vec![empty(), empty()]] {
        let page = html(&ReportInput { runs, comparison: None });
        assert_well_formed(&page);
        assert!(!page.contains("NaN") && !page.contains(">inf") && !page.contains("class=\"chart\""));
    }
}

#[test]
fn pages_are_accessible() {
    for page in [html(&single()), html(&pair()), sweep_tables(&grid()).html] {
        for svg in pieces(&page, "<svg", "</svg>") {
            let document = roxmltree::Document::parse(svg).unwrap();
            let names: Vec<_> =
                document.root_element().children().map(|node| node.tag_name().name()).collect();
            let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
            assert_eq!(names[..2], ["title", "desc"], "{svg}");
        }
        assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
        assert_eq!(page.matches("<h1>").count(), 1);
        assert!(page.contains("<html lang=\"en\">"));
    }
}

#[test]
fn charts_take_any_point() {
    let series = |points: &[(f64, f64)]| Series {
        name: HOSTILE[1].into(),
        points: points
            .iter()
            .map(|&(x, y)| Point { x, y, y_range: Some((y - 1.0, y + 1.0)), note: HOSTILE[0].into() })
            .collect(),
    };
    let chart = |lists: &[&[(f64, f64)]]| LineChart {
        title: HOSTILE[2].into(),
        x: Quantity::Frames,
        series: lists.iter().map(|points| series(points)).collect(),
    };
    assert_eq!(line_chart(&chart(&[])), None);
    assert_eq!(line_chart(&chart(&[&[(f64::NAN, 1.0), (1.0, f64::INFINITY)]])), None);
    let many: Vec<&[(f64, f64)]> = vec![&[(1.0, 0.0), (1e9, 100.0)]; 50];
    for lists in [
        &[&[(0.0, 0.0)][..]][..],
        &[&[(5.0, 100.0), (5.0, 100.0)]],
        &[&[(-1.0, 50.0), (0.0, f64::NAN)]],
        &many,
    ] {
        for svg in [line_chart(&chart(lists)).unwrap(), line_chart_file(&chart(lists)).unwrap()] {
            assert!(
                roxmltree::Document::parse(&svg).is_ok() && !svg.contains("NaN") && !svg.contains("inf"),
                "{svg}"
            );
        }
    }
}

#[test]
fn points_stand_where_their_numbers_are() {
    let point = |x: f64, y: f64| Point { x, y, y_range: None, note: String::new() };
    let points = vec![point(32.0, 50.0), point(64.0, 60.0), point(256.0, 60.0)];
    let series = vec![Series { name: "vcwe".into(), points }];
    let svg = line_chart(&LineChart { title: "t".into(), x: Quantity::Frames, series }).unwrap();
    let line = pieces(&svg, "<polyline points=\"", "\" fill")[0];
    let numbers: Vec<f64> = line.split(['"', ',', ' ']).filter_map(|part| part.parse().ok()).collect();
    let [x1, y1, x2, y2, x3, y3] = numbers[..] else { panic!("{line}") };
    // 256 / 32 = 8, so the axis is logarithmic: a third of the way, then two thirds.
    assert!(((x2 - x1) * 2.0 - (x3 - x2)).abs() < 0.1, "{line}");
    assert!(y1 > y2 && y2 == y3, "{line}");
    assert!(svg.contains(">50</text>") && svg.contains(">60</text>") && svg.contains(">256</text>"));
    assert!(
        svg.contains("<desc>Accuracy against frames. vcwe: 50.0% at 32, 60.0% at 64, 60.0% at 256.</desc>")
    );
}

/// Also writes the pages for looking at them: LONGSIGHT_REPORTS=FOLDER cargo test -p longsight-eval report_files
#[test]
fn report_files_are_written_whole() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = std::env::var_os("LONGSIGHT_REPORTS").map_or(temporary.path().to_owned(), PathBuf::from);
    let score = (0..6).map(|row| (0..15).map(|column| Some(1.0 / f64::from(1 + row * column))).collect());
    let heatmap = Heatmap {
        frames: (1..=15).map(|column| column * 200).collect(),
        depths_percent: (0..=100).step_by(20).collect(),
        score: score.collect(),
        title: "Needles in a haystack: teacher-forced score".into(),
    };
    let page = |runs| html(&ReportInput { runs, comparison: None });
    let files: Vec<(&str, Vec<u8>)> = vec![
        ("single.html", html(&single()).into_bytes()),
        ("pair.html", html(&pair()).into_bytes()),
        ("hostile.html", page(vec![hostile()]).into_bytes()),
        ("lvb.html", page(vec![run("lvb", longvideobench(), &[32])]).into_bytes()),
        ("empty.html", page(vec![empty()]).into_bytes()),
        ("sweep.html", sweep_tables(&grid()).html.into_bytes()),
        ("sweep.txt", sweep_tables(&grid()).terminal.into_bytes()),
        ("table.txt", longsight_eval::report::table(&videomme(), &measurements(&[16, 32, 256])).into_bytes()),
        ("needle.svg", heatmap.svg().into_bytes()),
        ("needle.png", heatmap.png().unwrap()),
    ];
    for (name, bytes) in &files {
        let path = folder.join(name);
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, bytes).unwrap();
        assert_eq!(&std::fs::read(&path).unwrap(), bytes);
    }
    let left = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().ends_with(".tmp")));
}

#[test]
fn a_file_that_cannot_be_written_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none/report.html");
    let message = write_atomically(&missing, b"x").unwrap_err().to_string();
    assert!(message.contains("none/report.html: cannot be written: ") && message.lines().count() == 1);
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    std::fs::write(taken.join("file"), "x").unwrap();
    assert!(write_atomically(&taken, b"x").is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file stays");
}
