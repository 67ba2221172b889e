//! Answers about one video as a page: the moments they rest on, the timeline of the sampled frames, the receipt.

use crate::format::{counted, escape, secs, thousands};
use crate::page::page;
use crate::svg::{Anchor, Svg};
use longsight_engine::{Answer, Evidence, Receipt, human_bytes};
use longsight_method::UnitRole;
use longsight_video::{MediaTime, Thumbnail};
use std::fmt::Write;

/// What a page shows.
#[derive(Debug, Clone, Copy)]
pub struct AnswerReport<'a> {
    /// The video's name.
    pub video: &'a str,
    /// The model's name.
    pub model: &'a str,
    /// In the order asked.
    pub questions: &'a [AnsweredQuestion],
    /// Pictures of frames, by index in the video: those of the moments, and some in between.
    pub thumbnails: &'a [Thumbnail],
}

/// A question with its answer.
#[derive(Debug, Clone)]
pub struct AnsweredQuestion {
    /// As it was asked.
    pub question: String,
    /// The answer.
    pub answer: Answer,
}

/// Size of the timeline, in user units.
const WIDTH: f64 = 900.0;
const CURVE_HEIGHT: f64 = 120.0;
const TICKS_HEIGHT: f64 = 26.0;
const MARGIN: f64 = 28.0;

/// One self-contained page: no script, nothing loaded from elsewhere, light and dark, for phones, screens and paper.
pub fn answer_html(report: &AnswerReport<'_>) -> String {
    let mut body = format!("<style>\n{}</style>\n<main>\n", include_str!("answer.css"));
    let _ = writeln!(
        body,
        "<header>\n<p class=\"soft\">{} · {}</p>\n</header>",
        escape(report.video),
        escape(report.model)
    );
    for asked in report.questions {
        body += &section(report, asked);
    }
    if let Some(first) = report.questions.first() {
        body += &contact_sheet(report);
        body += &receipt(&first.answer.receipt);
    }
    body += "</main>\n";
    let title = report.questions.first().map_or("No questions", |asked| asked.question.as_str());
    page(title, &body)
}

fn section(report: &AnswerReport<'_>, asked: &AnsweredQuestion) -> String {
    let mut html = format!(
        "<section>\n<h1>{}</h1>\n<p class=\"answer\">{}</p>\n",
        escape(&asked.question),
        lines(&asked.answer.text)
    );
    if let Some(evidence) = &asked.answer.evidence {
        html += &moments(report, evidence);
    }
    html += &timeline(&asked.answer.receipt, asked.answer.evidence.as_ref());
    html + "</section>\n"
}

/// Text with its line breaks.
fn lines(text: &str) -> String {
    text.lines().map(escape).collect::<Vec<_>>().join("<br>\n")
}

fn moments(report: &AnswerReport<'_>, evidence: &Evidence) -> String {
    if evidence.moments.is_empty() {
        return "<p class=\"soft\">No moment stands out.</p>\n".into();
    }
    let mut html = String::from("<h2>Rests on</h2>\n<ol class=\"moments\">\n");
    for moment in &evidence.moments {
        let span = format!("{} – {}", clock(moment.from_secs), clock(moment.to_secs));
        let _ = writeln!(
            html,
            "<li><figure>{}<figcaption><strong>{span}</strong><br>{:.0}% of the evidence</figcaption></figure></li>",
            picture(report, moment.best_frame_index, &format!("The frame at {}", moment.best_time_secs)),
            100.0 * moment.score
        );
    }
    html + "</ol>\n"
}

fn picture(report: &AnswerReport<'_>, index: usize, alt: &str) -> String {
    match report.thumbnails.iter().find(|thumbnail| thumbnail.index == index) {
        Some(t) => format!(
            "<img src=\"{}\" width=\"{}\" height=\"{}\" alt=\"{}\">",
            t.data_url(),
            t.width,
            t.height,
            escape(alt)
        ),
        None => String::new(),
    }
}

/// `1:02:03`, or `2:03`, tenths where there are any.
fn clock(secs: f64) -> String {
    let tenths = (secs.max(0.0) * 10.0).round() as u64;
    let (hours, minutes, rest) = (tenths / 36_000, tenths / 600 % 60, tenths % 600);
    let seconds = match rest % 10 {
        0 => format!("{:02}", rest / 10),
        tenth => format!("{:02}.{tenth}", rest / 10),
    };
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds}") } else { format!("{minutes}:{seconds}") }
}

/// The sampled frames against time, fine ones taller; above them the evidence, its moments shaded.
fn timeline(receipt: &Receipt, evidence: Option<&Evidence>) -> String {
    let (Some(first), Some(last)) = (receipt.frames.first(), receipt.frames.last()) else {
        return String::new();
    };
    let curve = if evidence.is_some() { CURVE_HEIGHT } else { 10.0 };
    let base = curve + TICKS_HEIGHT;
    let mut svg = Svg::new(WIDTH, base + MARGIN);
    let (begin, end) = (first.time_secs.secs(), last.time_secs.secs());
    let x = |secs: f64| MARGIN + (secs - begin) / (end - begin).max(1e-9) * (WIDTH - 2.0 * MARGIN);
    if let Some(evidence) = evidence {
        for moment in &evidence.moments {
            let (from, to) = (x(moment.from_secs.max(begin)), x(moment.to_secs.min(end)));
            svg.open("moment", &format!("{} – {}", clock(moment.from_secs), clock(moment.to_secs)));
            svg.rect((from, 0.0), ((to - from).max(2.0), base), "fill=\"currentColor\" opacity=\".18\"");
            svg.close();
        }
        let most = evidence.frame_scores.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let points = receipt.frames.iter().zip(&evidence.frame_scores);
        let points: Vec<_> = points
            .map(|(frame, score)| (x(frame.time_secs.secs()), curve - 6.0 - score / most * (curve - 16.0)))
            .collect();
        svg.open("s0", "Evidence of each sampled frame");
        svg.polyline(&points, "class=\"line\"");
        svg.close();
    }
    for frame in &receipt.frames {
        let fine = frame.role == UnitRole::Fine;
        let at = x(frame.time_secs.secs());
        let what = if fine { "fine" } else { "coarse" };
        svg.open(
            if fine { "s2" } else { "s7" },
            &format!("{}: {what}, {}", frame.time_secs, counted(frame.visual_tokens, "visual token")),
        );
        let top = if fine { curve } else { curve + TICKS_HEIGHT * 0.45 };
        svg.line((at, top), (at, base), "stroke=\"currentColor\" stroke-width=\"1.5\"");
        svg.close();
    }
    svg.line((MARGIN, base), (WIDTH - MARGIN, base), "class=\"axis\"");
    for step in 0..=4 {
        let secs = begin + (end - begin) * f64::from(step) / 4.0;
        let anchor =
            [Anchor::Start, Anchor::Middle, Anchor::Middle, Anchor::Middle, Anchor::End][step as usize];
        svg.text((x(secs), base + 18.0), anchor, &clock(secs.round()), "");
    }
    let fine = receipt.frames.iter().filter(|frame| frame.role == UnitRole::Fine).count();
    let caption = format!(
        "{} from {} to {}; {} on a fine grid (tall marks), the others on a coarse one",
        counted(receipt.frames.len(), "sampled frame"),
        first.time_secs,
        last.time_secs,
        thousands(fine as f64)
    );
    let picture = svg.inline("Timeline", &caption);
    format!(
        "<figure class=\"timeline\"><div class=\"scroll\">{picture}</div><figcaption>{}</figcaption></figure>\n",
        escape(&caption)
    )
}

/// Every picture there is, in the order of time.
fn contact_sheet(report: &AnswerReport<'_>) -> String {
    if report.thumbnails.is_empty() {
        return String::new();
    }
    let mut html = String::from("<h2>The video</h2>\n<ul class=\"sheet\">\n");
    for thumbnail in report.thumbnails {
        let time = thumbnail.time;
        let _ = writeln!(
            html,
            "<li><figure>{}<figcaption>{}</figcaption></figure></li>",
            picture(report, thumbnail.index, &format!("The frame at {time}")),
            clock(time.secs())
        );
    }
    html + "</ul>\n"
}

fn receipt(receipt: &Receipt) -> String {
    let (tokens, context, t) = (&receipt.tokens, &receipt.context, &receipt.timings);
    let span = |time: Option<MediaTime>| time.map_or(String::new(), |time| time.to_string());
    let rows = [
        ("Frames", format!("{} ({})", receipt.frames.len(), receipt.video.requested)),
        (
            "From, to",
            format!(
                "{} – {}",
                span(receipt.frames.first().map(|frame| frame.time_secs)),
                span(receipt.frames.last().map(|frame| frame.time_secs))
            ),
        ),
        ("Visual tokens", thousands(tokens.visual as f64)),
        ("Prompt tokens", format!("{}, {} of them from the cache", tokens.prompt, tokens.reused)),
        (
            "Context",
            format!("{}, s = {:.3}, window {} tokens", context.method, context.scale, context.window_tokens),
        ),
        ("Pooling", receipt.pool.spec.to_string()),
        ("Weights, KV cache", format!("{}, {}", receipt.model.dtypes, receipt.kv_cache.dtype)),
        (
            "Seconds",
            format!(
                "decoding {}, vision {}, prefill {}, answer {}",
                secs(t.video_decode_secs),
                secs(t.vision_secs),
                secs(t.prefill_secs),
                secs(t.generate_secs)
            ),
        ),
        ("Peak memory", receipt.peak_bytes.map_or("not known".into(), human_bytes)),
    ];
    let mut html = String::from("<h2>Receipt</h2>\n<div class=\"scroll\"><table><tbody>\n");
    for (what, value) in rows {
        let _ = writeln!(html, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(what), escape(&value));
    }
    html += "</tbody></table></div>\n";
    for warning in &receipt.warnings {
        let _ = writeln!(
            html,
            "<p class=\"soft\">Warning: {}</p>",
            escape(&warning.show(&|setting| setting.flag().to_owned()))
        );
    }
    let json = serde_json::to_string_pretty(receipt).unwrap_or_default();
    let json = json.lines().map(escape).collect::<Vec<_>>().join("\n");
    html + &format!("<details><summary>All of it</summary>\n<pre>{json}</pre>\n</details>\n")
}
