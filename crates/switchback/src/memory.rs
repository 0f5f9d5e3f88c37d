//! How much memory there is for this process.

use std::path::Path;

/// In bytes: the machine's, or what the control groups that this process is in leave it, if that is less. `None`
/// where the system does not say.
pub(crate) fn bytes() -> Option<u64> {
    bytes_under(Path::new("/"))
}

fn bytes_under(root: &Path) -> Option<u64> {
    let machine = total(&std::fs::read_to_string(root.join("proc/meminfo")).ok()?)?;
    let groups = std::fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = GROUPS.iter().flat_map(|kind| limits(root, &groups, *kind));
    Some(limits.fold(machine, u64::min))
}

/// How a line of `/proc/self/cgroup` has the group's path, where the groups are, and the file with the limit:
/// cgroup v2, and v1 (cgroups(7)).
const GROUPS: [(&str, &str, &str); 2] =
    [("0::/", "sys/fs/cgroup", "memory.max"), (":memory:/", "sys/fs/cgroup/memory", "memory.limit_in_bytes")];

/// The limits of this process's group and of those around it, where they have one. In a container only the outermost
/// may be in sight, which is the container's own.
fn limits(root: &Path, groups: &str, (before, at, file): (&str, &str, &str)) -> Vec<u64> {
    let path = groups.lines().find_map(|line| Some(line.split_once(before)?.1)).unwrap_or_default();
    let limit = |group: &Path| {
        let text = std::fs::read_to_string(root.join(at).join(group).join(file)).ok()?;
        text.trim().parse().ok()
    };
    Path::new(path).ancestors().filter_map(limit).collect()
}

/// `MemTotal:       16384000 kB` (`proc_meminfo(5)`).
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test that cannot go on should say so and stop")]
mod tests {
    use super::*;

    #[test]
    fn the_tightest_limit_around_a_process_counts() {
        let root = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        assert_eq!(bytes_under(root.path()), None);
        write("proc/meminfo", "MemTotal:        8000000 kB\nMemFree:         1000000 kB\n");
        assert_eq!(bytes_under(root.path()), Some(8_192_000_000));
        write("proc/self/cgroup", "0::/system.slice/chat.service\n");
        write("sys/fs/cgroup/system.slice/chat.service/memory.max", "max\n");
        assert_eq!(bytes_under(root.path()), Some(8_192_000_000));
        write("sys/fs/cgroup/system.slice/memory.max", "1073741824\n");
        assert_eq!(bytes_under(root.path()), Some(1 << 30));
        write("sys/fs/cgroup/system.slice/chat.service/memory.max", "536870912\n");
        assert_eq!(bytes_under(root.path()), Some(1 << 29));
        // A container sees itself as the root.
        write("proc/self/cgroup", "0::/\n");
        write("sys/fs/cgroup/memory.max", "268435456\n");
        assert_eq!(bytes_under(root.path()), Some(1 << 28));
        write("sys/fs/cgroup/memory.max", "99999999999999\n");
        assert_eq!(bytes_under(root.path()), Some(8_192_000_000));
        // Of the first version, whose path is often another one than what can be seen.
        write("proc/self/cgroup", "5:cpu:/\n4:memory:/docker/0123\n0::/\n");
        write("sys/fs/cgroup/memory/memory.limit_in_bytes", "134217728\n");
        assert_eq!(bytes_under(root.path()), Some(1 << 27));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_machine_has_some() {
        assert!(bytes().unwrap() > 0);
    }
}
