//! Trees of files as the kernel would show them.

use std::{fs, path::Path};

use super::*;
use crate::testing::TemporaryFolder;

const PROCESS: u32 = 4_711;
/// What version 1 has where no limit was set.
const UNLIMITED: &str = "9223372036854771712\n";

/// A folder with what stands for `/sys/fs/cgroup`.
struct Tree(TemporaryFolder);

impl Tree {
    fn new() -> Self {
        Self(TemporaryFolder::new())
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn with(self, folder: &str, files: &[(&str, &str)]) -> Self {
        let folder = self.path(folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        self
    }

    /// `mounts`: what is seen, from the root of the namespace; where; the kind; the options.
    fn limits(&self, groups: &str, mounts: &[(&str, &str, &str, &str)]) -> Option<GroupLimits> {
        let top = self.0.path().display();
        let lines = mounts.iter().map(|(root, point, kind, options)| {
            format!(
                "31 23 0:28 {root} {top}/{point} rw,nosuid shared:9 - {kind} cgroup {options}\n"
            )
        });
        GroupLimits::of(groups, &lines.collect::<String>(), PROCESS)
    }

    fn v2(&self, groups: &str, root: &str) -> Option<GroupLimits> {
        self.limits(groups, &[(root, "unified", "cgroup2", "rw,nsdelegate")])
    }

    fn limit(&self, file: &str, bytes: u64, left: u64) -> MemoryLimit {
        MemoryLimit {
            bytes,
            left,
            file: self.path(file),
        }
    }
}

fn v2(
    max: &'static str,
    high: &'static str,
    used: &'static str,
) -> [(&'static str, &'static str); 3] {
    [
        ("memory.max", max),
        ("memory.high", high),
        ("memory.current", used),
    ]
}

#[test]
fn a_unit_of_systemd_is_bounded_by_itself_and_by_the_slices_above_it() {
    let tree = Tree::new()
        .with("unified", &[("cgroup.procs", "")])
        .with("unified/system.slice", &v2("1000\n", "max\n", "900\n"))
        .with(
            "unified/system.slice/chatprobe.service",
            &v2("500\n", "400\n", "100\n"),
        )
        .with("unified/other.slice", &v2("1\n", "1\n", "1\n"));
    let limits = tree
        .v2("0::/system.slice/chatprobe.service\n", "/")
        .unwrap();
    let own = "unified/system.slice/chatprobe.service";
    assert_eq!(
        limits.memory,
        [
            tree.limit(&format!("{own}/memory.max"), 500, 400),
            tree.limit(&format!("{own}/memory.high"), 400, 300),
            tree.limit("unified/system.slice/memory.max", 1_000, 100),
        ]
    );
    // Others in the slice have nearly all that it may have.
    assert_eq!(limits.tightest().unwrap().left, 100);
    assert_eq!(limits.memory_bytes(), Some(400));
}

#[test]
fn what_the_kernel_can_take_back_is_left() {
    let tree = Tree::new().with(
        "unified/a",
        &[
            ("memory.max", "1000"),
            ("memory.current", "950"),
            (
                "memory.stat",
                "anon 50\nfile 900\ninactive_file 800\nactive_file 100\n",
            ),
        ],
    );
    let limits = tree.v2("0::/a", "/").unwrap();
    assert_eq!(
        limits.memory,
        [tree.limit("unified/a/memory.max", 1_000, 850)]
    );
}

#[test]
fn a_container_with_a_cgroup_namespace_sees_its_group_as_the_root() {
    let tree = Tree::new().with("unified", &v2("64\n", "max\n", "10\n"));
    let limits = tree.v2("0::/", "/").unwrap();
    assert_eq!(limits.memory, [tree.limit("unified/memory.max", 64, 54)]);
}

#[test]
fn a_container_without_one_sees_its_group_where_the_hierarchy_is_mounted() {
    let tree = Tree::new()
        .with("unified", &v2("64\n", "max\n", "10\n"))
        .with("unified/inner", &v2("32\n", "max\n", "10\n"));
    for (path, limits) in [("/docker/abc", 1), ("/docker/abc/inner", 2)] {
        let found = tree.v2(&format!("0::{path}\n"), "/docker/abc").unwrap();
        assert_eq!(found.memory.len(), limits, "{path}: {found:?}");
        assert_eq!(
            found.memory.last(),
            Some(&tree.limit("unified/memory.max", 64, 54))
        );
    }
}

#[test]
fn a_namespace_whose_mounts_are_those_of_the_host_is_searched_for_the_process() {
    let tree = Tree::new()
        .with(
            "unified/a/x",
            &[("memory.max", "1"), ("cgroup.procs", "1\n2\n")],
        )
        .with(
            "unified/b/y",
            &[("memory.max", "64"), ("cgroup.procs", "1\n4711\n")],
        )
        .with("unified/b", &[("memory.max", "128"), ("cgroup.procs", "")]);
    let limits = tree.v2("0::/\n", "/../..").unwrap();
    assert_eq!(
        limits.memory,
        [
            tree.limit("unified/b/y/memory.max", 64, 64),
            tree.limit("unified/b/memory.max", 128, 128),
        ]
    );
}

#[test]
fn a_group_that_is_not_seen_is_not_taken_for_another_one() {
    let tree = Tree::new().with("unified", &v2("64\n", "max\n", "10\n"));
    // Beside the root of the namespace, below another mount, not mounted at all, and nowhere.
    for (group, root) in [
        ("/../other", "/"),
        ("/other", "/docker/abc"),
        ("/gone", "/"),
    ] {
        assert_eq!(tree.v2(&format!("0::{group}\n"), root), None, "{group}");
    }
    assert_eq!(tree.limits("0::/\n", &[]), None);
    // The process itself is there, so it is its group, whatever it is called.
    let tree = tree.with("unified", &[("cgroup.procs", "4711\n")]);
    let limits = tree.v2("0::/other\n", "/docker/abc").unwrap();
    assert_eq!(limits.memory.len(), 1);
}

#[test]
fn version_1_has_limits_of_its_own_and_tells_of_those_above_what_is_seen() {
    let stat = "cache 1\nhierarchical_memory_limit 300\ntotal_inactive_file 50\n";
    let tree = Tree::new()
        .with("memory", &[("memory.limit_in_bytes", UNLIMITED)])
        .with("memory/docker", &[("memory.limit_in_bytes", UNLIMITED)])
        .with(
            "memory/docker/abc",
            &[
                ("memory.limit_in_bytes", "500\n"),
                ("memory.usage_in_bytes", "150\n"),
                ("memory.stat", stat),
            ],
        )
        .with("unified", &v2("1\n", "1\n", "0\n"));
    let limits = tree
        .limits(
            "9:name=systemd:/\n4:memory:/docker/abc\n1:cpu,cpuacct:/\n0::/\n",
            &[
                ("/", "memory", "cgroup", "rw,memory"),
                ("/", "unified", "cgroup2", "rw"),
            ],
        )
        .unwrap();
    let own = "memory/docker/abc";
    assert_eq!(
        limits.memory,
        [
            tree.limit(&format!("{own}/memory.limit_in_bytes"), 500, 400),
            tree.limit(&format!("{own}/memory.stat"), 300, 200),
        ]
    );
}

#[test]
fn a_parent_of_version_1_that_leaves_its_children_alone_bounds_none_of_them() {
    let parent = |hierarchy| {
        let tree = Tree::new()
            .with("memory/a/b", &[("memory.limit_in_bytes", "500")])
            .with(
                "memory/a",
                &[
                    ("memory.limit_in_bytes", "100"),
                    ("memory.use_hierarchy", hierarchy),
                ],
            );
        let mounts = [("/", "memory", "cgroup", "rw,memory")];
        let limits = tree.limits("4:memory:/a/b\n", &mounts).unwrap();
        limits.memory_bytes()
    };
    assert_eq!((parent("1\n"), parent("0\n")), (Some(100), Some(500)));
}

#[test]
fn the_smallest_limit_on_cpu_time_counts_in_both_versions() {
    let tree = Tree::new()
        .with("unified", &[])
        .with("unified/a", &[("cpu.max", "50000 100000\n")])
        .with("unified/a/b", &[("cpu.max", "max 100000\n")]);
    let cpu = tree.v2("0::/a/b\n", "/").unwrap().cpu.unwrap();
    assert!((cpu.cpus - 0.5).abs() < 1e-9, "{cpu:?}");
    assert_eq!(cpu.file, tree.path("unified/a/cpu.max"));

    let quota = |quota, period| [("cpu.cfs_quota_us", quota), ("cpu.cfs_period_us", period)];
    let tree = Tree::new()
        .with("cpu", &quota("-1\n", "100000\n"))
        .with("cpu/a", &quota("150000\n", "100000\n"))
        .with("cpu/a/b", &quota("-1\n", "100000\n"));
    let mounts = [("/", "cpu", "cgroup", "rw,cpu,cpuacct")];
    let limits = tree.limits("1:cpu,cpuacct:/a/b\n", &mounts).unwrap();
    assert!((limits.cpu.unwrap().cpus - 1.5).abs() < 1e-9);
}

#[test]
fn without_limits_there_are_none_and_what_is_no_number_is_none() {
    let tree = Tree::new().with("unified/a", &v2("max\n", "many\n", "10\n"));
    let limits = tree.v2("0::/a\n", "/").unwrap();
    assert_eq!((limits.tightest(), limits.cpu.as_ref()), (None, None));
    // A kernel without control groups.
    assert_eq!(tree.limits("", &[]), Some(GroupLimits::default()));
}

#[test]
fn a_mount_with_a_space_in_its_path_is_found() {
    let tree = Tree::new().with("with space", &v2("64\n", "max\n", "10\n"));
    let mounts = [("/", r"with\040space", "cgroup2", "rw")];
    let limits = tree.limits("0::/\n", &mounts).unwrap();
    assert_eq!(limits.memory_bytes(), Some(64));
}

#[test]
fn this_process_is_found_where_its_groups_are_mounted() {
    if !Path::new("/proc/self/cgroup").exists() {
        return;
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
    if mounts.lines().any(|line| Mount::parse(line).is_some()) {
        assert_ne!(GroupLimits::read(), None, "{mounts}");
    }
}
