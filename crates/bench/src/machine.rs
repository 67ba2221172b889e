//! What the figures were measured on.

use serde::{Deserialize, Serialize};

/// The CPU and how much of it was used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The CPU's name with family, model and stepping where the system tells; virtual machines often hide the name.
    pub(crate) cpu: String,
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// Threads that compute.
    pub(crate) threads: usize,
    /// Vector extensions, of those that matter here.
    pub(crate) features: Vec<String>,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        Self {
            cpu: name(&info).unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: longsight_kernels::threads(),
            features: features(),
        }
    }

    /// One line.
    pub(crate) fn line(&self) -> String {
        let features =
            if self.features.is_empty() { "none known".to_owned() } else { self.features.join(" ") };
        format!("{}; {} cores, {} threads; {features}", self.cpu, self.cores, self.threads)
    }
}

/// From the text of `/proc/cpuinfo`.
fn name(info: &str) -> Option<String> {
    let value = |key: &str| {
        let line = info.lines().find(|line| line.split(':').next().is_some_and(|name| name.trim() == key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let mut name = value("model name")?;
    if let (Some(family), Some(model), Some(step)) = (value("cpu family"), value("model"), value("stepping"))
    {
        name.push_str(&format!(" (family {family}, model {model}, stepping {step})"));
    }
    Some(name)
}

#[cfg(target_arch = "x86_64")]
fn features() -> Vec<String> {
    macro_rules! found {
        ($($name:tt),*) => { [$(($name, is_x86_feature_detected!($name))),*] };
    }
    let all = found!(
        "avx2",
        "fma",
        "f16c",
        "avxvnni",
        "avx512f",
        "avx512bw",
        "avx512vl",
        "avx512vnni",
        "avx512bf16",
        "avx512fp16"
    );
    let amx = (longsight_kernels::instruction_set() == "amx").then_some("amx");
    all.iter().filter(|(_, there)| *there).map(|(name, _)| *name).chain(amx).map(str::to_owned).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<String> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_name_tells_family_and_model() {
        let info = "processor\t: 0\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC\nstepping\t: 1\n";
        assert_eq!(super::name(info).unwrap(), "AMD EPYC (family 25, model 1, stepping 1)");
        assert_eq!(super::name("Features : fp asimd\n"), None);
    }
}
