//! Runs our kernels on candle's CPU tensors: operands as slices in, a new tensor (or a changed one) out.

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, InplaceOp1, InplaceOp2, InplaceOp3, Layout, Result, Shape,
    Tensor, bail,
};
use longsight_kernels::Values;

/// A tensor as a kernel sees it.
pub(super) struct Operand<'a> {
    storage: &'a CpuStorage,
    layout: &'a Layout,
}

impl<'a> Operand<'a> {
    /// Its dimensions.
    pub(super) fn dims(&self) -> &'a [usize] {
        self.layout.dims()
    }

    /// Values from one index to the next, by dimension.
    pub(super) fn stride(&self) -> &'a [usize] {
        self.layout.stride()
    }

    /// Contiguous f32 values.
    pub(super) fn floats(&self) -> Result<&'a [f32]> {
        match self.values()? {
            Values::F32(values) => Ok(values),
            _ => bail!("CPU kernels compute in f32"),
        }
    }

    /// Contiguous values of any storage type.
    pub(super) fn values(&self) -> Result<Values<'a>> {
        let Some((start, end)) = self.layout.contiguous_offsets() else { bail!("operand is not contiguous") };
        slice(self.storage, start, end)
    }

    /// All stored values from the tensor's first on, whatever its strides.
    pub(super) fn strided_values(&self) -> Result<Values<'a>> {
        slice(self.storage, self.layout.start_offset(), usize::MAX)
    }
}

fn slice(storage: &CpuStorage, start: usize, end: usize) -> Result<Values<'_>> {
    match storage {
        CpuStorage::F32(v) => Ok(Values::F32(&v[start..end.min(v.len())])),
        CpuStorage::BF16(v) => Ok(Values::Bf16(&v[start..end.min(v.len())])),
        CpuStorage::F16(v) => Ok(Values::F16(&v[start..end.min(v.len())])),
        _ => bail!("weights and caches are f32, bf16 or f16"),
    }
}

fn floats_mut<'a>(storage: &'a mut CpuStorage, layout: &Layout) -> Result<&'a mut [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("kernel target is not contiguous") };
    match storage {
        CpuStorage::F32(v) => Ok(&mut v[start..end]),
        _ => bail!("CPU kernels compute in f32"),
    }
}

/// A kernel by name, in the form that candle calls.
struct Op<K>(&'static str, K);

/// `kernel(a)` as a new f32 tensor of the shape that it returns.
pub(super) fn run1<K>(name: &'static str, a: &Tensor, kernel: K) -> Result<Tensor>
where
    K: Fn(Operand<'_>) -> Result<(Vec<f32>, Shape)>,
{
    a.apply_op1_no_bwd(&Op(name, kernel))
}

/// `kernel(a, b)` as a new f32 tensor of the shape that it returns.
pub(super) fn run2<K>(name: &'static str, a: &Tensor, b: &Tensor, kernel: K) -> Result<Tensor>
where
    K: Fn(Operand<'_>, Operand<'_>) -> Result<(Vec<f32>, Shape)>,
{
    a.apply_op2_no_bwd(b, &Op(name, kernel))
}

/// `kernel(a, b, c)` as a new f32 tensor of the shape that it returns.
pub(super) fn run3<K>(name: &'static str, a: &Tensor, b: &Tensor, c: &Tensor, kernel: K) -> Result<Tensor>
where
    K: Fn(Operand<'_>, Operand<'_>, Operand<'_>) -> Result<(Vec<f32>, Shape)>,
{
    a.apply_op3_no_bwd(b, c, &Op(name, kernel))
}

/// Changes the values of `x`, which nothing else may hold.
pub(super) fn in_place1(name: &'static str, x: Tensor, kernel: impl Fn(&mut [f32])) -> Result<Tensor> {
    x.inplace_op1(&Op(name, kernel))?;
    Ok(x)
}

/// Changes the values of `x`, which nothing else may hold, by those of `a`.
pub(super) fn in_place2(
    name: &'static str,
    x: Tensor,
    a: &Tensor,
    kernel: impl Fn(&mut [f32], &[f32]),
) -> Result<Tensor> {
    x.inplace_op2(a, &Op(name, kernel))?;
    Ok(x)
}

/// Changes the values of `x`, which nothing else may hold, by those of `a` and `b`.
pub(super) fn in_place3(
    name: &'static str,
    x: Tensor,
    a: &Tensor,
    b: &Tensor,
    kernel: impl Fn(&mut [f32], &[f32], &[f32]),
) -> Result<Tensor> {
    x.inplace_op3(a, b, &Op(name, kernel))?;
    Ok(x)
}

fn operand<'a>(storage: &'a CpuStorage, layout: &'a Layout) -> Operand<'a> {
    Operand { storage, layout }
}

impl<K: Fn(Operand<'_>) -> Result<(Vec<f32>, Shape)>> CustomOp1 for Op<K> {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(&self, a: &CpuStorage, al: &Layout) -> Result<(CpuStorage, Shape)> {
        let (values, shape) = (self.1)(operand(a, al))?;
        Ok((CpuStorage::F32(values), shape))
    }
}

impl<K: Fn(Operand<'_>, Operand<'_>) -> Result<(Vec<f32>, Shape)>> CustomOp2 for Op<K> {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        al: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (values, shape) = (self.1)(operand(a, al), operand(b, bl))?;
        Ok((CpuStorage::F32(values), shape))
    }
}

impl<K: Fn(Operand<'_>, Operand<'_>, Operand<'_>) -> Result<(Vec<f32>, Shape)>> CustomOp3 for Op<K> {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        al: &Layout,
        b: &CpuStorage,
        bl: &Layout,
        c: &CpuStorage,
        cl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (values, shape) = (self.1)(operand(a, al), operand(b, bl), operand(c, cl))?;
        Ok((CpuStorage::F32(values), shape))
    }
}

impl<K: Fn(&mut [f32])> InplaceOp1 for Op<K> {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, xl: &Layout) -> Result<()> {
        (self.1)(floats_mut(x, xl)?);
        Ok(())
    }
}

impl<K: Fn(&mut [f32], &[f32])> InplaceOp2 for Op<K> {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(&self, x: &mut CpuStorage, xl: &Layout, a: &CpuStorage, al: &Layout) -> Result<()> {
        (self.1)(floats_mut(x, xl)?, operand(a, al).floats()?);
        Ok(())
    }
}

impl<K: Fn(&mut [f32], &[f32], &[f32])> InplaceOp3 for Op<K> {
    fn name(&self) -> &'static str {
        self.0
    }

    fn cpu_fwd(
        &self,
        x: &mut CpuStorage,
        xl: &Layout,
        a: &CpuStorage,
        al: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<()> {
        (self.1)(floats_mut(x, xl)?, operand(a, al).floats()?, operand(b, bl).floats()?);
        Ok(())
    }
}
