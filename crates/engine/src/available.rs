//! What the system leaves this process: memory, files. Known where there is `/proc`.

use std::path::Path;

/// Bytes that this process may still take: the smallest of what the machine has free, what the control group leaves, and
/// what the limit on address space leaves. None where none of them is known.
pub fn available_bytes() -> Option<u64> {
    let text = |path: &str| std::fs::read_to_string(path).ok();
    let machine = text("/proc/meminfo").and_then(|info| kib_line(&info, "MemAvailable:"));
    let size = text("/proc/self/status").and_then(|status| kib_line(&status, "VmSize:"));
    let space = process_limit("Max address space").zip(size).map(|(most, size)| most.saturating_sub(size));
    let group = text("/proc/self/cgroup").and_then(|groups| group_left(Path::new("/sys/fs/cgroup"), &groups));
    [machine, space, group].into_iter().flatten().min()
}

/// A soft limit of this process, by its name in `/proc/self/limits`: bytes of `Max address space`, a count of `Max open
/// files`. None where there is none.
pub fn process_limit(name: &str) -> Option<u64> {
    limit(&std::fs::read_to_string("/proc/self/limits").ok()?, name)
}

fn limit(limits: &str, name: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok() // "unlimited" is no number
}

/// Bytes of a line `KEY N kB`.
fn kib_line(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

/// What the control group of `groups` (version 2), and those above it below `root`, leave. Cached files count as free.
fn group_left(root: &Path, groups: &str) -> Option<u64> {
    let name = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let number = |folder: &Path, file: &str| -> Option<u64> {
        std::fs::read_to_string(folder.join(file)).ok()?.trim().parse().ok()
    };
    let left = |folder: &Path| {
        let (most, used) = (number(folder, "memory.max")?, number(folder, "memory.current")?);
        let stat = std::fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let cached = stat.lines().find_map(|line| line.strip_prefix("inactive_file "));
        let cached: u64 = cached.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0);
        Some(most.saturating_sub(used.saturating_sub(cached)))
    };
    let own = root.join(name);
    own.ancestors().take_while(|folder| folder.starts_with(root)).filter_map(left).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_unlimited_is_none() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 524288               files     \n\
                      Max address space         unlimited            unlimited            bytes     \n";
        assert_eq!(limit(limits, "Max open files"), Some(1024));
        assert_eq!(limit(limits, "Max address space"), None);
        assert_eq!(limit(limits, "Max stars"), None);
    }

    #[test]
    fn a_control_group_leaves_what_the_tightest_above_it_leaves() {
        let root = tempfile::tempdir().unwrap();
        let put = |folder: &str, file: &str, content: &str| {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
            std::fs::write(root.path().join(folder).join(file), content).unwrap();
        };
        put("a/b", "memory.max", "max\n");
        put("a/b", "memory.current", "50\n");
        put("a", "memory.max", "100\n");
        put("a", "memory.current", "80\n");
        put("a", "memory.stat", "anon 50\ninactive_file 30\n");
        assert_eq!(group_left(root.path(), "0::/a/b\n"), Some(50));
        assert_eq!(group_left(root.path(), "0::/\n"), None);
        assert_eq!(group_left(root.path(), "1:memory:/a\n"), None, "version 1");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_some_memory_left() {
        assert!(available_bytes().is_some_and(|bytes| bytes > 1 << 20));
    }
}
