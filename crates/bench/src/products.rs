//! The large products of towers and decoders, and attention, beside the machine's limit, which is measured before each.

use crate::Report;
use crate::dtype::{arithmetic, parse};
use crate::machine::Machine;
use crate::roofline::{rate, steps_for};
use crate::spread::Spread;
use crate::table::table;
use anyhow::Result;
use clap::Args;
use half::{bf16, f16};
use longsight_kernels::roofline::Arithmetic;
use longsight_kernels::{
    Attention, Format, KeyValues, KvStore, Linear, QuantizedLinear, QuantizedMatrix, Values, attention,
    linear, quantize_int8, quantized_linear,
};
use longsight_models::WeightDtype;
use serde::Serialize;
use std::hint::black_box;
use std::time::Instant;

/// What a layer multiplies: part of which model, inputs, outputs, rows (patches of a frame, or tokens of a chunk).
const SHAPES: [(&str, usize, usize, usize); 7] = [
    ("tower q, k, v, out", 1152, 1152, 729),
    ("tower fc1", 1152, 4304, 729),
    ("tower fc2", 4304, 1152, 729),
    ("0.5b gate, up", 896, 4864, 512),
    ("0.5b down", 4864, 896, 512),
    ("7b gate, up", 3584, 18944, 512),
    ("7b down", 18944, 3584, 512),
];

/// Attention: whose, heads, key heads, width of a head, queries, keys. Causal where there are more keys than queries.
const CALLS: [(&str, [usize; 5]); 3] = [
    ("tower attention", [16, 16, 72, 729, 729]),
    ("0.5b attention, a chunk behind 4k", [14, 2, 64, 512, 4608]),
    ("7b attention, a chunk behind 4k", [28, 4, 128, 512, 4608]),
];

#[derive(Debug, Clone, Args)]
pub(crate) struct ProductsArgs {
    /// Dtypes of the weights
    #[arg(long, value_delimiter = ',', default_value = "int8,q8_0,q4k,bf16", value_name = "DTYPE,..")]
    dtypes: Vec<String>,
    /// Measurements of each, and of the limit beside it
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=1000))]
    repeats: u16,
}

/// All of them.
#[derive(Debug, Serialize)]
pub(crate) struct Products {
    machine: Machine,
    results: Vec<Measured>,
}

/// One kernel.
#[derive(Debug, Serialize)]
struct Measured {
    kernel: String,
    dtype: String,
    giga_per_sec: Spread,
    /// Whose limit it is compared with.
    limit: &'static str,
    limit_giga_per_sec: Spread,
    /// Of each measurement, in percent of the limit measured just before it.
    percent_of_limit: Spread,
}

impl Report for Products {
    fn markdown(&self) -> String {
        let row = |m: &Measured| {
            let (limit, percent) =
                (format!("{} {}", m.limit_giga_per_sec, m.limit), m.percent_of_limit.to_string());
            vec![m.kernel.clone(), m.dtype.clone(), m.giga_per_sec.to_string(), limit, percent]
        };
        let rows: Vec<_> = self.results.iter().map(row).collect();
        let titles = ["kernel", "dtype", "Gop/s: median (lowest to highest)", "limit", "% of limit, in turn"];
        format!("{}\n\n{}", self.machine.line(), table(&titles, &rows))
    }
}

/// Measures every shape in every dtype that fits it, then attention.
pub(crate) fn measure(settings: &ProductsArgs) -> Result<Products> {
    let mut bench = Bench { repeats: settings.repeats, steps: Vec::new(), results: Vec::new() };
    for dtype in &settings.dtypes {
        let stored = parse(dtype)?;
        SHAPES.into_iter().for_each(|shape| bench.product(stored, shape));
    }
    CALLS.into_iter().for_each(|call| bench.attention(call));
    Ok(Products { machine: Machine::this(), results: bench.results })
}

struct Bench {
    repeats: u16,
    /// Steps of a probe that has been run.
    steps: Vec<(Arithmetic, usize)>,
    results: Vec<Measured>,
}

impl Bench {
    /// Nothing where the format does not fit such rows.
    fn product(&mut self, dtype: WeightDtype, (of, inputs, outputs, rows): (&str, usize, usize, usize)) {
        let (x, weights) = (numbers(rows * inputs), numbers(inputs * outputs));
        let operations = 2.0 * (rows * inputs * outputs) as f64;
        let (name, limit) = (format!("{of}: {rows} x {inputs} x {outputs}"), arithmetic(dtype.as_str()));
        let mut floats = |weight: Values<'_>| {
            let layer = Linear { weight, bias: None, inputs, outputs };
            self.compare(&name, dtype.as_str(), limit, operations, || linear(&layer, &x));
        };
        match dtype {
            WeightDtype::F32 => floats(Values::F32(&weights)),
            WeightDtype::F16 => floats(Values::F16(&narrowed(&weights, f16::from_f32))),
            WeightDtype::Bf16 => floats(Values::Bf16(&narrowed(&weights, bf16::from_f32))),
            _ => {
                let format = dtype.format(inputs).filter(|format| WeightDtype::of(*format) == dtype);
                let Some(format) = format else { return };
                let bytes = quantized(format, &weights, inputs);
                let Some(weight) = QuantizedMatrix::new(format, &bytes, inputs, outputs) else { return };
                let layer = QuantizedLinear { weight, bias: None };
                self.compare(&name, dtype.as_str(), limit, operations, || quantized_linear(&layer, &x));
            }
        }
    }

    fn attention(&mut self, (of, [heads, kv_heads, head_dim, tokens, key_tokens]): (&str, [usize; 5])) {
        let queries = numbers(tokens * heads * head_dim);
        let stored = narrowed(&numbers(kv_heads * key_tokens * head_dim), f16::from_f32);
        let values = KvStore::Float(Values::F16(&stored));
        let kv = KeyValues { values, head_stride: key_tokens * head_dim, token_stride: head_dim };
        let before = key_tokens - tokens;
        let call = Attention {
            queries: &queries,
            keys: kv,
            values: kv,
            heads,
            kv_heads,
            head_dim,
            key_tokens,
            causal_offset: (before > 0).then_some(before),
            scale: 1.0 / (head_dim as f32).sqrt(),
            exact: false,
        };
        let operations = (4 * heads * head_dim * keys_seen(tokens, before)) as f64; // two products of multiply-adds
        self.compare(of, "f16 cache", arithmetic("bf16"), operations, || {
            let mut out = vec![0f32; queries.len()];
            attention(&call, &mut out);
            out
        });
    }

    /// The limit, then the kernel, `repeats` times.
    fn compare(
        &mut self,
        kernel: &str,
        dtype: &str,
        limit: Arithmetic,
        operations: f64,
        run: impl Fn() -> Vec<f32>,
    ) {
        const SECS: f64 = 0.1;
        black_box(run()); // threads and memory are there before the clock starts
        let steps = match self.steps.iter().find(|(of, _)| *of == limit) {
            Some((_, steps)) => *steps,
            None => {
                let steps = steps_for(limit, SECS);
                self.steps.push((limit, steps));
                steps
            }
        };
        let measurement = |_| {
            let most = rate(limit, rayon::current_num_threads(), steps) / 1e9;
            let (started, mut runs) = (Instant::now(), 0);
            while runs == 0 || started.elapsed().as_secs_f64() < SECS {
                black_box(run());
                runs += 1;
            }
            (most, f64::from(runs) * operations / started.elapsed().as_secs_f64() / 1e9)
        };
        let (limits, rates): (Vec<f64>, Vec<f64>) = (0..self.repeats).map(measurement).unzip();
        let percent = rates.iter().zip(&limits).map(|(rate, limit)| 100.0 * rate / limit).collect();
        self.results.push(Measured {
            kernel: kernel.to_owned(),
            dtype: dtype.to_owned(),
            giga_per_sec: Spread::of(rates),
            limit: limit.name(),
            limit_giga_per_sec: Spread::of(limits),
            percent_of_limit: Spread::of(percent),
        });
    }
}

/// Pairs of query and key: all, or where there are keys before the queries, those that causal attention sees.
fn keys_seen(tokens: usize, before: usize) -> usize {
    if before > 0 { tokens * (2 * before + tokens + 1) / 2 } else { tokens * tokens }
}

fn narrowed<T>(values: &[f32], narrow: impl Fn(f32) -> T) -> Vec<T> {
    values.iter().map(|value| narrow(*value)).collect()
}

/// Stored weights; but for int8 their values do not matter here, and their scales are about 0.01.
fn quantized(format: Format, weights: &[f32], inputs: usize) -> Vec<u8> {
    if format != Format::Int8 {
        let bytes = format.row_bytes(inputs) * weights.len() / inputs;
        return (0..bytes).map(|i| 32 + (i % 8) as u8).collect();
    }
    let mut bytes = Vec::new();
    weights.chunks_exact(inputs).for_each(|row| quantize_int8(row, &mut bytes));
    bytes
}

/// Numbers from -1 to 1 without a pattern that a kernel could profit from.
fn numbers(count: usize) -> Vec<f32> {
    let scale = f32::from(u16::MAX) / 2.0;
    (0..count as u64).map(|i| (i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as f32 / scale - 1.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_has_a_rate_and_formats_are_left_out_where_rows_do_not_fit() {
        let mut bench = Bench { repeats: 2, steps: Vec::new(), results: Vec::new() };
        bench.product(WeightDtype::Q4K, ("no multiple of 256", 1152, 64, 8));
        assert!(bench.results.is_empty());
        for dtype in [WeightDtype::Int8, WeightDtype::Q4K, WeightDtype::Bf16, WeightDtype::F32] {
            bench.product(dtype, ("small", 256, 64, 8));
        }
        bench.attention(("small", [4, 2, 16, 8, 24]));
        assert_eq!(bench.results.len(), 5);
        for measured in &bench.results {
            assert!(measured.giga_per_sec.lowest > 0.0, "{}", measured.kernel);
            let (rates, limits) = (&measured.giga_per_sec.all, &measured.limit_giga_per_sec.all);
            for ((rate, limit), percent) in rates.iter().zip(limits).zip(&measured.percent_of_limit.all) {
                assert_eq!(*percent, 100.0 * rate / limit);
            }
        }
        let settings = ProductsArgs { dtypes: vec!["int7".into()], repeats: 1 };
        assert!(measure(&settings).unwrap_err().to_string().contains("int7"));
    }

    #[test]
    fn causal_queries_see_what_is_before_them_and_themselves() {
        for (tokens, before) in [(1, 7), (8, 16), (512, 4096)] {
            let one_by_one: usize = (0..tokens).map(|token| before + token + 1).sum();
            assert_eq!(keys_seen(tokens, before), one_by_one);
        }
        assert_eq!(keys_seen(729, 0), 729 * 729);
    }
}
