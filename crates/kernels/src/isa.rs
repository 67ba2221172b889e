//! What this CPU can do. The only file that asks it: everything else asks here, and no value says that there is what there is not.

#[cfg(target_arch = "x86_64")]
use std::sync::OnceLock;

/// Instruction sets that the kernels' bodies are compiled for ([`dispatch!`](crate::simd::dispatch)).
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// With its parts F, BW, VL and DQ, and all that [`Self::Avx2`] has.
    Avx512,
    /// With FMA and F16C.
    Avx2,
    Baseline,
}

/// What the tiles of AMX can multiply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Feature {
    /// Bytes, summed in i32.
    Int8,
    /// bf16, summed in f32.
    Bf16,
}

/// What multiplies bf16 faster than f32 is multiplied.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    Amx,
    Avx512,
}

/// Found once a process. Its fields are private, and only [`detect`](Isa::detect) makes one.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy)]
struct Isa {
    level: Level,
    avx512_vnni: bool,
    avx_vnni: bool,
    avx512_bf16: bool,
    amx_int8: bool,
    amx_bf16: bool,
    /// Whose AVX512-BF16 is twice as fast as f32; on the Intel CPU that was measured it is half as fast.
    is_amd: bool,
}

#[cfg(target_arch = "x86_64")]
impl Isa {
    #[inline(always)]
    fn get() -> &'static Self {
        static ISA: OnceLock<Isa> = OnceLock::new();
        ISA.get_or_init(Self::detect)
    }

    fn detect() -> Self {
        let [amx_int8, amx_bf16] = amx_features();
        Self {
            level: detect_level(),
            avx512_vnni: is_x86_feature_detected!("avx512vnni"),
            avx_vnni: is_x86_feature_detected!("avxvnni"),
            avx512_bf16: is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16"),
            amx_int8,
            amx_bf16,
            is_amd: is_amd(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn detect_level() -> Level {
    if is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("f16c")
    {
        Level::Avx512
    } else if is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("f16c")
    {
        Level::Avx2
    } else {
        Level::Baseline
    }
}

#[cfg(target_arch = "x86_64")]
fn is_amd() -> bool {
    let id = std::arch::x86_64::__cpuid(0);
    [id.ebx, id.edx, id.ecx].map(u32::to_le_bytes).as_flattened() == b"AuthenticAMD"
}

/// Whether there are tiles of int8 and of bf16: the CPU has them, and the system lets this process use them.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn amx_features() -> [bool; 2] {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    const TILES: u32 = 1 << 24;
    const INT8: u32 = 1 << 25;
    const BF16: u32 = 1 << 22;
    if __cpuid(0).eax < 7 {
        return [false; 2];
    }
    let bits = __cpuid_count(7, 0).edx;
    let tiles = bits & TILES != 0 && is_x86_feature_detected!("avx512f") && amx_is_permitted();
    [tiles && bits & INT8 != 0, tiles && bits & BF16 != 0]
}

/// Other systems are never asked for tiles.
#[cfg(all(target_arch = "x86_64", not(target_os = "linux")))]
fn amx_features() -> [bool; 2] {
    [false; 2]
}

/// Asks the system for the tiles' state, for all threads of this process.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn amx_is_permitted() -> bool {
    const ARCH_REQ_XCOMP_PERM: libc::c_ulong = 0x1023;
    const XFEATURE_XTILEDATA: libc::c_ulong = 18;
    // SAFETY: takes two numbers; a system that does not know the request says so.
    #[allow(unsafe_code)]
    unsafe {
        libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0
    }
}

/// The best instruction set of this CPU; asked for every tile.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn level() -> Level {
    Isa::get().level
}

/// Whether AVX-512 sums products of bytes, and of pairs of 16 bits, in one instruction.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(crate) fn has_vnni() -> bool {
    Isa::get().avx512_vnni
}

/// The same in vectors of AVX2.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx_vnni() -> bool {
    Isa::get().avx_vnni
}

/// Whether AVX-512 multiplies bf16, at whatever rate.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512_bf16() -> bool {
    Isa::get().avx512_bf16
}

/// Whether tiles of the kind can be multiplied here.
pub(crate) fn has_amx(feature: Feature) -> bool {
    #[cfg(target_arch = "x86_64")]
    return match feature {
        Feature::Int8 => Isa::get().amx_int8,
        Feature::Bf16 => Isa::get().amx_bf16,
    };
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = feature;
        false
    }
}

/// What multiplies bf16 here; none where f32 is as fast.
pub(crate) fn bf16_unit() -> Option<Unit> {
    if has_amx(Feature::Bf16) {
        return Some(Unit::Amx);
    }
    #[cfg(target_arch = "x86_64")]
    if Isa::get().avx512_bf16 && Isa::get().is_amd {
        return Some(Unit::Avx512);
    }
    None
}

/// The instruction set that the kernels run on here. Between two of them the last bits of floats may differ.
pub fn instruction_set() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    return match level() {
        _ if bf16_unit() == Some(Unit::Amx) => "amx",
        _ if bf16_unit() == Some(Unit::Avx512) => "avx512bf16",
        Level::Avx512 => "avx512",
        Level::Avx2 => "avx2",
        Level::Baseline => "x86_64",
    };
    #[cfg(not(target_arch = "x86_64"))]
    std::env::consts::ARCH
}
