//! Kernels at the shapes of SigLIP so400m, Qwen2-0.5B and Qwen2-7B: `cargo bench -p longsight-kernels [FILTER]`.
//!
//! An "item" is one operation (a multiply-add is two), so `Gitem/s` reads as GFLOP/s; `longsight-bench roofline` tells what
//! the machine can do. A new storage type is one more member of `types = [..]` with its `Stored`.

use divan::Bencher;
use divan::counter::ItemsCount;
use half::{bf16, f16};
use longsight_kernels::{
    Attention, Format, KeyValues, Linear, QuantizedLinear, QuantizedMatrix, Values, attention, linear,
    quantize_int8, quantized_linear,
};
use std::fmt;

fn main() {
    divan::main();
}

/// How weights, keys and values are stored.
trait Stored: Copy + Default + Send + Sync + 'static {
    fn from_f32(value: f32) -> Self;
    fn values(stored: &[Self]) -> Values<'_>;
}

macro_rules! stored {
    ($type:ty, $variant:ident, $from:expr) => {
        impl Stored for $type {
            fn from_f32(value: f32) -> Self {
                $from(value)
            }
            fn values(stored: &[Self]) -> Values<'_> {
                Values::$variant(stored)
            }
        }
    };
}
stored!(f32, F32, |value| value);
stored!(bf16, Bf16, bf16::from_f32);
stored!(f16, F16, f16::from_f32);

/// Numbers from -1 to 1 without a pattern that a kernel could profit from.
fn numbers<T: Stored>(count: usize) -> Vec<T> {
    let scale = f32::from(u16::MAX) / 2.0;
    (0..count as u64)
        .map(|i| T::from_f32((i.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as f32 / scale - 1.0))
        .collect()
}

/// A dense layer by `inputs x outputs`, given `rows` rows.
struct Product {
    of: &'static str,
    inputs: usize,
    outputs: usize,
    rows: usize,
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}x{} rows {}", self.of, self.inputs, self.outputs, self.rows)
    }
}

fn products() -> Vec<Product> {
    let shapes = [
        ("tower", 1152, 1152),
        ("tower", 1152, 4304),
        ("tower", 4304, 1152),
        ("0.5b", 896, 4864),
        ("0.5b", 4864, 896),
        ("7b", 3584, 18_944),
        ("7b", 18_944, 3584),
    ];
    let with_rows = |(of, inputs, outputs)| [1, 64, 729].map(|rows| Product { of, inputs, outputs, rows });
    shapes.into_iter().flat_map(with_rows).collect()
}

#[divan::bench(types = [f32, bf16, f16], args = products(), sample_count = 10, sample_size = 1)]
fn products_of<T: Stored>(bencher: Bencher, product: &Product) {
    let &Product { inputs, outputs, rows, .. } = product;
    let (weight, x) = (numbers::<T>(inputs * outputs), numbers::<f32>(rows * inputs));
    let layer = Linear { weight: T::values(&weight), bias: None, inputs, outputs };
    linear(&layer, &x); // threads and pages are there before the clock starts
    bencher.counter(ItemsCount::new(2 * inputs * outputs * rows)).bench_local(|| linear(&layer, &x));
}

/// A product by weights in a quantized format.
struct QuantizedProduct(Format, Product);

impl fmt::Display for QuantizedProduct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.0, self.1)
    }
}

fn quantized_products() -> Vec<QuantizedProduct> {
    let formats = [Format::Int8, Format::Q8_0, Format::Q4K].into_iter();
    let with_products = |format| products().into_iter().map(move |product| QuantizedProduct(format, product));
    formats.flat_map(with_products).filter(|p| p.0.fits(p.1.inputs)).collect()
}

#[divan::bench(args = quantized_products(), sample_count = 10, sample_size = 1)]
fn quantized(bencher: Bencher, QuantizedProduct(format, product): &QuantizedProduct) {
    let (format, &Product { inputs, outputs, rows, .. }) = (*format, product);
    let mut bytes = Vec::new();
    if format == Format::Int8 {
        numbers::<f32>(inputs * outputs).chunks_exact(inputs).for_each(|row| quantize_int8(row, &mut bytes));
    } else {
        bytes.extend((0..format.row_bytes(inputs) * outputs).map(|i| 32 + (i % 8) as u8)); // scales of about 0.01
    }
    let x = numbers::<f32>(rows * inputs);
    let Some(weight) = QuantizedMatrix::new(format, &bytes, inputs, outputs) else { return };
    let layer = QuantizedLinear { weight, bias: None };
    quantized_linear(&layer, &x); // threads and pages are there before the clock starts
    bencher
        .counter(ItemsCount::new(2 * rows * inputs * outputs))
        .bench_local(|| quantized_linear(&layer, &x));
}

/// One attention call: the last `queries` tokens of `keys`.
struct Call {
    of: &'static str,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
    queries: usize,
    keys: usize,
    causal: bool,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { of, heads, kv_heads, head_dim, queries, keys, .. } = self;
        write!(f, "{of} {heads}/{kv_heads}x{head_dim} queries {queries} keys {keys}")
    }
}

impl Call {
    /// Two products of `head_dim` multiply-adds a query, head and key that it sees.
    fn operations(&self) -> usize {
        let first_sees = if self.causal { self.keys - self.queries + 1 } else { self.keys };
        let seen = (first_sees + self.keys) * self.queries / 2;
        4 * self.heads * self.head_dim * seen
    }
}

fn calls() -> Vec<Call> {
    let tower =
        Call { of: "tower", heads: 16, kv_heads: 16, head_dim: 72, queries: 729, keys: 729, causal: false };
    let causal = |of, heads, kv_heads, head_dim| {
        // A chunk of the prefill, and one decoded token, at the end of 1k and 4k tokens.
        [(512, 1024), (512, 4096), (1, 1024), (1, 4096)].map(|(queries, keys)| Call {
            of,
            heads,
            kv_heads,
            head_dim,
            queries,
            keys,
            causal: true,
        })
    };
    let models = [causal("0.5b", 14, 2, 64), causal("7b", 28, 4, 128)];
    std::iter::once(tower).chain(models.into_iter().flatten()).collect()
}

#[divan::bench(types = [f32, bf16, f16], args = calls(), sample_count = 10, sample_size = 1)]
fn attention_over<T: Stored>(bencher: Bencher, call: &Call) {
    let &Call { heads, kv_heads, head_dim, keys: key_tokens, .. } = call;
    let queries = numbers::<f32>(call.queries * heads * head_dim);
    let (keys, values) =
        (numbers::<T>(kv_heads * key_tokens * head_dim), numbers::<T>(kv_heads * key_tokens * head_dim));
    let stored = |of| KeyValues {
        values: longsight_kernels::KvStore::Float(T::values(of)),
        head_stride: key_tokens * head_dim,
        token_stride: head_dim,
    };
    let shape = Attention {
        queries: &queries,
        keys: stored(&keys),
        values: stored(&values),
        heads,
        kv_heads,
        head_dim,
        key_tokens,
        causal_offset: call.causal.then(|| key_tokens - call.queries),
        scale: 1.0 / (head_dim as f32).sqrt(),
        exact: size_of::<T>() == 4,
    };
    let mut out = vec![0f32; queries.len()];
    attention(&shape, &mut out);
    bencher.counter(ItemsCount::new(call.operations())).bench_local(|| attention(&shape, &mut out));
}
