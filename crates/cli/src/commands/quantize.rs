//! `longsight quantize`.

use crate::args::QuantizeArgs;
use crate::interrupt::Interrupt;
use crate::out::{write_json, write_text};
use crate::progress::WeightsBar;
use crate::units::mebibytes;
use crate::{model, words};
use anyhow::Result;
use longsight_models::{LoadSettings, quantize};
use std::ops::ControlFlow;

/// Writes a checkpoint with quantized weights.
pub fn run(args: &QuantizeArgs) -> Result<()> {
    let folder = model::folder(&args.model, args.quiet)?;
    let settings =
        LoadSettings { dtype: Some(args.dtype), vision_dtype: args.vision_dtype, ..LoadSettings::default() };
    let mut bar = WeightsBar::new(args.quiet);
    let interrupt = Interrupt::listen();
    let written = quantize(&folder.path, &args.output, &settings, &mut |done, total| {
        bar.show(done, total);
        if interrupt.heard() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    drop(bar);
    let written = written?;
    if args.json {
        return write_json(&written);
    }
    let mut text = format!("{}: {} of weights\n", words::path(&args.output), mebibytes(written.bytes));
    for stored in &written.matrices {
        let size = mebibytes(stored.bytes);
        text.push_str(&format!("  {} matrices in {}: {size}\n", stored.count, stored.dtype));
    }
    write_text(&text)
}
