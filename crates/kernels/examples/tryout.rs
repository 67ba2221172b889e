use longsight_kernels::*;
use std::time::Instant;
fn main() {
    for (rows, inputs, outputs) in [(2916usize, 1152usize, 1152usize), (2916, 1152, 4304), (2916, 4304, 1152), (1024, 896, 4864), (1024,3584,18944), (1, 896, 4864), (1, 3584, 18944), (1,18944,3584)] {
        for f in [None, Some(Format::Int8), Some(Format::Q8_0), Some(Format::Q4K), Some(Format::Q6K)] {
            let want = std::env::args().nth(1).unwrap_or_default();
            if !format!("{rows} {inputs} {outputs} {f:?}").contains(&want) { continue; }
            if f.is_some_and(|f| !f.fits(inputs)) { continue; }
            let w: Vec<f32> = (0..inputs * outputs).map(|i| ((i * 7919) % 1000) as f32 / 1000.0 - 0.5).collect();
            let x: Vec<f32> = (0..inputs * rows).map(|i| ((i * 7907) % 1009) as f32 / 1000.0 - 0.5).collect();
            let mut y = vec![0f32; rows * outputs];
            let mut bytes = Vec::new();
            let mut run: Box<dyn FnMut()> = match f {
                None => Box::new(|| linear(&Linear { weight: Values::F32(&w), bias: None, inputs, outputs }, &x, &mut y)),
                Some(f) => {
                    if f == Format::Int8 { w.chunks(inputs).for_each(|r| quantize_int8(r, &mut bytes)) } else { bytes = (0..f.row_bytes(inputs) * outputs).map(|i| (i % 53) as u8).collect(); }
                    let m = QuantizedMatrix::new(f, &bytes, inputs, outputs).unwrap();
                    let (x, y) = (&x, &mut y);
                    Box::new(move || quantized_linear(&QuantizedLinear { weight: m, bias: None }, x, y))
                }
            };
            run();
            let n = (5e9 / (2.0 * rows as f64 * (inputs * outputs) as f64)).clamp(2.0, 200.0) as usize;
            let mut best = f64::MAX;
            for _ in 0..2 { let t = Instant::now(); for _ in 0..n { run(); } best = best.min(t.elapsed().as_secs_f64() / n as f64); }
            println!("{rows} {inputs} {outputs} {f:?}: {:.1} GOP/s, {:.2} GB/s", 2e-9 * (rows * inputs * outputs) as f64 / best, f.map_or(4 * inputs, |f| f.row_bytes(inputs)) as f64 * outputs as f64 / best / 1e9);
        }
    }
}
