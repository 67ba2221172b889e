use super::prepare::refuse_flags_of_ask;
use crate::args::eval::EvidenceArgs;
use crate::out::{write_json, write_text};
use crate::progress::EvalBar;
use crate::{model, settings};
use anyhow::{Result, ensure};
use longsight_engine::Silent;
use longsight_eval::evidence::{HitRow, Localisation, Share, locate, questions};
use longsight_eval::run::{Running, checkpoint_digest};
use serde_json::json;
use std::sync::Arc;

/// `longsight eval evidence`.
pub fn run(args: &EvidenceArgs) -> Result<()> {
    let run = &args.run;
    refuse_flags_of_ask(run)?;
    let mut resolved = settings::resolve(run)?;
    if run.generation.max_new_tokens.is_none() {
        resolved.run.generation.max_new_tokens = 16;
    }
    let data = questions(&args.data, args.videos)?;
    let total = data.iter().map(|(_, rows)| rows.len()).sum();
    ensure!(total > 0, "{}: holds no open-ended question about one card", args.data.display());
    let folder = model::folder(&run.model.model, run.engine.quiet)?;
    let description = model::describe(&folder, &resolved)?;
    let (heads, heads_source) = args.evidence_heads.resolve(&description.info);
    let model = Arc::new(model::load(description, &resolved)?);
    let bar = EvalBar::new(run.engine.quiet, total);
    let mut done = 0;
    let counted = |more| {
        done += more;
        bar.sample(&Running { total, done, ..Default::default() });
    };
    let located = locate(&model, &data, &resolved.run, &mut Silent, counted);
    bar.finish();
    let located = located?;
    let table = located.table(&heads);
    if run.json {
        return write_json(&json!({
            "videos": located.videos, "asked": located.asked, "right": located.right, "unseen": located.unseen,
            "heads": heads, "heads_source": heads_source, "table": table,
            "by_head": args.by_head.then(|| located.by_head()),
            "best_heads": args.by_head.then(|| located.best_heads()),
            "model_digest": checkpoint_digest(&folder.path)?,
            "longsight_version": env!("CARGO_PKG_VERSION"),
        }));
    }
    write_text(&text(&located, &table, args.by_head))
}

fn text(located: &Localisation, table: &[HitRow], by_head: bool) -> String {
    let mut text = format!(
        "{} questions on {} videos: {} right; of these {} whose card no sampled frame shows are left out\n",
        located.asked, located.videos, located.right, located.unseen
    );
    for row in table {
        let minutes = match row.minutes {
            (_, to) if to == f64::MAX => "all".into(),
            (from, to) => format!("{from} to {to} min"),
        };
        text.push_str(&format!("{minutes:<14}"));
        for (reduction, share) in &row.hits {
            text.push_str(&format!("  {reduction} {}", show(share)));
        }
        text.push('\n');
    }
    if by_head {
        for (head, share) in located.by_head() {
            text.push_str(&format!("head {}.{}  {}\n", head.0, head.1, show(&share)));
        }
        for (heads, share) in located.best_heads() {
            let names: Vec<String> = heads.iter().map(|(layer, head)| format!("{layer}.{head}")).collect();
            text.push_str(&format!("heads {}  {}\n", names.join(","), show(&share)));
        }
    }
    text
}

fn show(share: &Share) -> String {
    format!("{:.1}% ({:.1}-{:.1}) of {}", share.percent, share.ci95.0, share.ci95.1, share.of)
}
